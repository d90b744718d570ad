# SPDX-License-Identifier: Apache-2.0
"""The response that goes out in place of the application's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from nova_ext_sts.capture import Head

if TYPE_CHECKING:
    from nova_ext_sts.capture import Headers

#: Response headers that speak of the bytes that the application wrote.
_OF_BYTES = frozenset(
    (
        "content-digest",
        "content-md5",
        "digest",
        "etag",
        "last-modified",
        "repr-digest",
    )
)


def fitted(headers: Headers, length: int, *, decoded: bool) -> Headers:
    """Return an application's headers as they fit a changed body.

    :param length: of the new body, in bytes
    :param decoded: whether a content coding was taken off
    """
    dropped = _OF_BYTES | {"content-length"}
    if decoded:
        dropped |= {"content-encoding"}
    fitting = []
    sized = False
    for name, value in headers:
        key = name.lower()
        if key == "content-length" and not sized:
            sized = True
            fitting.append((name, str(length)))
        elif key not in dropped:
            fitting.append((name, value))
    if not sized:
        fitting.append(("Content-Length", str(length)))
    return fitting


def unavailable(headers: Headers, retry_after: int) -> tuple[Head, bytes]:
    """Return a 503 in the Compute API's fault format.

    :param headers: of the response in whose place it goes out; those that
        describe its body are replaced
    :param retry_after: seconds
    """
    fault = {
        "serviceUnavailable": {
            "code": 503,
            "message": "The states of servers cannot be read now.",
        }
    }
    body = json.dumps(fault).encode()
    kept = [
        (name, value)
        for name, value in fitted(headers, len(body), decoded=True)
        if name.lower() not in ("content-type", "retry-after")
    ]
    kept.append(("Content-Type", "application/json"))
    kept.append(("Retry-After", str(retry_after)))
    return Head("503 Service Unavailable", kept), body
