# SPDX-License-Identifier: Apache-2.0
"""The content codings of a response body (RFC 9110, section 8.4.1)."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def is_known(coding: str) -> bool:
    """Say whether ``decoded`` can decode a coding, in lower case."""
    return coding in _DECODERS


def decoded(body: bytes, coding: str, limit: int) -> bytes:
    """Return a body without its content coding.

    :param coding: a known one, in lower case
    :param limit: the most bytes that may come out
    :raises ValueError: the body is not coded so, or exceeds the limit
    """
    try:
        # One byte more than may come out tells that there are more.
        plain = _DECODERS[coding](body, limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"no body in the coding {coding}: {error}") from error
    if len(plain) > limit:
        raise ValueError("decodes to more than max_body_size")
    return plain


def _gunzipped(body: bytes, size: int) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
        return file.read(size)


def _inflated(body: bytes, size: int) -> bytes:
    # "deflate" means the zlib format, but some send the bare one that it is
    # named after.
    try:
        stream = zlib.decompressobj()
        plain = stream.decompress(body, size)
    except zlib.error:
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        plain = stream.decompress(body, size)
    if len(plain) < size and (not stream.eof or stream.unused_data):
        raise EOFError("cut short, or more behind it")
    return plain


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gunzipped,
    "x-gzip": _gunzipped,
    "deflate": _inflated,
}
