# SPDX-License-Identifier: Apache-2.0
"""How the demo's documents are written, and which way a client asks for.

A path that ends in ".json" or ".xml" decides; else the Accept header does,
where JSON wins a tie. A client that accepts neither gets JSON, with the status
that it would have had anyway: Nova answers so, and never with a 406.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import webob

from nova_ext_sts.demo import xml
from nova_ext_sts.response import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Write = Callable[[Mapping[str, Any]], bytes]

MICROVERSION = "2.1"

#: Behind the name of a resource, never in the place of one.
_ENDING = re.compile(r"(?<=[^/])\.(json|xml)(?=/?\Z)")


def format_of(request: webob.Request) -> str:
    """Return the format that a request asks for, in ``response.FORMATS``."""
    # As it came: a path that is not UTF-8 has its fault in this format, too.
    ending = _ENDING.search(request.environ.get("PATH_INFO", ""))
    if ending:
        return ending[1]
    # The best first; among equals, in the order that they are offered.
    offers = request.accept.acceptable_offers(list(FORMATS))
    return FORMATS[offers[0][0]] if offers else "json"


def resource_path(path: str) -> str:
    """Return a path without the ending that chooses a format."""
    return _ENDING.sub("", path)


def represented(
    document: Mapping[str, Any], format: str, status: int = 200
) -> webob.Response:
    """Return a document as a response.

    The one place that knows how a document is written: every answer, faults
    included, goes through here.
    """
    response = webob.Response(
        _WRITERS[format](document),
        status=status,
        content_type=f"application/{format}",
        # JSON has none, and XML declares its own.
        charset=None,
    )
    response.headers["OpenStack-API-Version"] = f"compute {MICROVERSION}"
    response.vary = ["Accept", "OpenStack-API-Version"]
    return response


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document).encode()


_WRITERS: dict[str, Write] = {"json": _json, "xml": xml.written}
