"""A paste filter that takes Nova's own states out of its responses.

Nova gives states to every server in detail and show, so that there the filter
has nothing to add. Behind this shim it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import webob

from tests.nova.splices import without_states

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import (
        StartResponse,
        WSGIApplication,
        WSGIEnvironment,
    )


class Shim:
    """The filter; what it lets through, Nova could have written."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        response = webob.Request(environ).get_response(self._application)
        if response.content_type == "application/json" and response.body:
            body = without_states(response.body)
            if body != response.body:
                # This moves a header.
                response.body = body
        iterable: Iterable[bytes] = response(environ, start_response)
        return iterable


def filter_factory(
    global_conf: dict[str, str], **local_conf: str
) -> type[Shim]:
    """Return the filter, as paste.deploy asks for it."""
    return Shim
