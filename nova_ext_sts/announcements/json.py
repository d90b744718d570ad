# SPDX-License-Identifier: Apache-2.0
"""The extension's own entry in JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from nova_ext_sts import extension
from nova_ext_sts.documents.positions import (
    check_encoding,
    elements,
    named_values,
    value_span,
)
from nova_ext_sts.extension import RIGHT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: As Nova writes it, its members in the alphabet's order.
_ENTRY = json.dumps(
    {
        "alias": extension.ALIAS,
        "description": extension.DESCRIPTION,
        "links": [],
        "name": extension.NAME,
        "namespace": extension.NAMESPACE,
        "updated": extension.UPDATED,
    }
).encode()

#: What answers …/extensions/OS-EXT-STS where the application does not.
DOCUMENT = b'{"extension": %b}' % _ENTRY


def listed(body: bytes, charset: str | None) -> bytes:
    start, end = _span(body, "extensions")
    edits: list[tuple[int, int, bytes]] = []
    is_listed = False
    last = start + 1
    for first, stop in elements(body, start, end):
        if _is_ours(body[first:stop]):
            if is_listed:
                edits.append((last, stop, b""))  # and the comma before it
            else:
                edits += _edits(body, first, stop)
            is_listed = True
        last = stop
    if not is_listed:
        comma = b", " if last > start + 1 else b""
        edits.append((last, last, comma + _ENTRY))
    return _edited(body, edits)


def shown(body: bytes, charset: str | None) -> bytes:
    start, end = _span(body, "extension")
    if not _is_ours(body[start:end]):
        raise ValueError(f"no entry of {extension.ALIAS}")
    return _edited(body, _edits(body, start, end))


class _Extension(msgspec.Struct):
    alias: Any = None


def _is_ours(value: bytes) -> bool:
    try:
        entry = msgspec.json.decode(value, type=_Extension)
    except msgspec.ValidationError:
        return False
    return bool(entry.alias == extension.ALIAS)


def _edits(
    body: bytes, start: int, end: int
) -> Iterator[tuple[int, int, bytes]]:
    """Yield the edits to the entry that lies there."""
    entry = body[start:end]
    missing = dict(RIGHT)
    last = 0
    for name, first, last in named_values(entry):
        if name in RIGHT:
            missing.pop(name, None)
            value = entry[first:last]
            # A number need not fit into one of Python's.
            if value[:1] != b'"' or msgspec.json.decode(value) != RIGHT[name]:
                right = json.dumps(RIGHT[name]).encode()
                yield start + first, start + last, right
    if missing:
        added = ", " + json.dumps(missing)[1:-1]
        yield start + last, start + last, added.encode()


def _edited(body: bytes, edits: Iterable[tuple[int, int, bytes]]) -> bytes:
    pieces = []
    done = 0
    for start, end, value in edits:
        pieces += [body[done:start], value]
        done = end
    return b"".join([*pieces, body[done:]]) if pieces else body


def _span(body: bytes, name: str) -> tuple[int, int]:
    check_encoding(body)
    return value_span(body, name)
