# SPDX-License-Identifier: Apache-2.0
"""The response that goes out in place of the application's."""

from __future__ import annotations

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

#: The Compute API's fault, by the format of the response that it replaces.
_UNAVAILABLE = {
    "json": b'{"serviceUnavailable": {"code": 503, "message": "The states of '
    b'servers cannot be read now."}}',
    "xml": b"<?xml version='1.0' encoding='UTF-8'?>\n"
    b'<serviceUnavailable xmlns="http://docs.openstack.org/compute/api/v1.1" '
    b'code="503"><message>The states of servers cannot be read now.</message>'
    b"</serviceUnavailable>",
}


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


def unavailable(
    headers: Headers, format: str, retry_after: int
) -> tuple[Head, bytes]:
    """Return a 503 in the Compute API's fault format.

    :param headers: of the response in whose place it goes out
    :param format: of that response, as in ``media.FORMATS``
    :param retry_after: seconds
    """
    body = _UNAVAILABLE[format]
    kept = [
        (name, value)
        for name, value in _described(headers, format, body)
        if name.lower() != "retry-after"
    ]
    kept.append(("Retry-After", str(retry_after)))
    return Head("503 Service Unavailable", kept), body


def found(headers: Headers, format: str, body: bytes) -> tuple[Head, bytes]:
    """Return a 200 with a body of our own.

    :param headers: of the 404 in whose place it goes out
    :param format: of the body, as in ``media.FORMATS``
    """
    return Head("200 OK", _described(headers, format, body)), body


def _described(headers: Headers, format: str, body: bytes) -> Headers:
    """Return an application's headers for a body of our own."""
    others = [
        (name, value)
        for name, value in fitted(headers, len(body), decoded=True)
        if name.lower() != "content-type"
    ]
    return [*others, ("Content-Type", f"application/{format}")]
