# SPDX-License-Identifier: Apache-2.0
"""The content codings of a response body (RFC 9110, section 8.4.1)."""

from __future__ import annotations

import zlib

#: zlib's window bits for each coding. "deflate" means the zlib format, but
#: some send the bare one that it is named after.
_WINDOWS = {
    "gzip": (zlib.MAX_WBITS | 16,),
    "x-gzip": (zlib.MAX_WBITS | 16,),
    "deflate": (zlib.MAX_WBITS, -zlib.MAX_WBITS),
}


def is_known(coding: str) -> bool:
    """Say whether ``decoded`` can decode a coding, in lower case."""
    return coding in _WINDOWS


def decoded(body: bytes, coding: str, limit: int) -> bytes:
    """Return a body without its content coding.

    :param coding: a known one, in lower case
    :param limit: the most bytes that may come out
    :raises ValueError: the body is not coded so, or exceeds the limit
    """
    for window in _WINDOWS[coding]:
        try:
            return _inflated(body, window, limit)
        except zlib.error:
            continue
    raise ValueError(f"not a body in the coding {coding}")


def _inflated(body: bytes, window: int, limit: int) -> bytes:
    # A gzip body may be several in a row.
    members = []
    while body:
        member = zlib.decompressobj(window)
        # One more than the limit, since 0 would mean that there is none.
        data = member.decompress(body, limit + 1)
        limit -= len(data)
        if limit < 0:
            raise ValueError("decodes to more than max_body_size")
        if not member.eof:
            raise zlib.error("cut short")
        members.append(data)
        body = member.unused_data
    return b"".join(members)
