# SPDX-License-Identifier: Apache-2.0
"""Where things stand in the bytes of a JSON document."""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, AnyStr

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    #: Where a value begins, and where it ends.
    Span = tuple[int, int]

#: What lies between two elements.
GAP = re.compile(rb"[ \t\n\r]*,?[ \t\n\r]*")
_SPACE = re.compile(r"[ \t\n\r]*")

#: Steps over one value. The numbers, of any length, are not made.
_value_at = json.JSONDecoder(parse_int=len, parse_float=len).raw_decode


def check_encoding(body: bytes) -> None:
    """Raise ValueError unless the body is UTF-8.

    msgspec looks at the encoding of those strings only that it makes.
    """
    if not body.isascii():
        # In steps, since the text of one body takes up to four times its size.
        decoder = codecs.getincrementaldecoder("utf-8")()
        step = 65536
        for start in range(0, len(body), step):
            decoder.decode(body[start : start + step])
        decoder.decode(b"", final=True)


def value_span(body: bytes, name: str) -> Span:
    """Return where the last top-level member ``name`` has its value.

    :raises ValueError: the body is not an object with such a member
    """
    msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    spans = [span for member, *span in named_values(body) if member == name]
    if not spans:
        raise ValueError(f"no member {name}")
    start, end = spans[-1]
    return start, end


def elements(body: bytes, start: int, end: int) -> Iterator[Span]:
    """Yield (start, end) of each element of the list that lies there.

    :raises ValueError: it is no list
    """
    pos = start + 1
    for raw in msgspec.json.decode(
        memoryview(body)[start:end], type=list[msgspec.Raw]
    ):
        first = after(GAP, body, pos)
        pos = first + len(raw)
        yield first, pos


def named_values(body: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield (name, start, end) of each member of the object in valid JSON."""
    # One character for each byte, so that the positions are those of the
    # bytes. Names outside ASCII come out wrong, and none of them is ours.
    text = body.decode("latin-1")
    pos = after(_SPACE, text, text.index("{") + 1)
    while text[pos] != "}":
        name, pos = _value_at(text, pos)
        start = after(_SPACE, text, text.index(":", pos) + 1)
        _, end = _value_at(text, start)
        yield name, start, end
        pos = after(_SPACE, text, end)
        if text[pos] == ",":
            pos = after(_SPACE, text, pos + 1)


def after(pattern: re.Pattern[AnyStr], text: AnyStr, pos: int) -> int:
    """Return where ``text`` goes on behind what ``pattern`` matches."""
    match = pattern.match(text, pos)
    return match.end() if match else pos
