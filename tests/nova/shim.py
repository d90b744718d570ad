"""A paste filter that takes Nova's own states out of its responses.

Nova gives states to every server in detail and show, so that there the filter
has nothing to add. Behind this shim it has.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from webob import dec

from tests.nova.comparison import loaded, servers_in, states

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def shim(request: Any, application: WSGIApplication) -> Any:
    response = request.get_response(application)
    if response.content_type == "application/json" and response.body:
        document = loaded(response.body)
        for server in servers_in(document):
            for name in states(server):
                del server[name]
        body = json.dumps(document).encode()
        if body != response.body:
            # This moves a header.
            response.body = body
    return response


def filter_factory(global_conf: dict[str, str], **local_conf: str) -> Any:
    return dec.wsgify.middleware(shim)
