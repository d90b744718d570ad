# SPDX-License-Identifier: Apache-2.0
"""Servers in JSON.

msgspec validates what it skips, and makes objects of a few members only. It
tells the length of each element of a list, but not the position. Between
elements there are only white space and a comma, so the lengths give it.
"""

from __future__ import annotations

import codecs
import functools
import json
import re
from typing import TYPE_CHECKING, Any

import msgspec

from nova_ext_sts.documents.document import (
    NONE_GIVEN,
    STAND_IN_STATUS,
    Document,
    after,
)
from nova_ext_sts.extension import ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nova_ext_sts.documents.document import Edit, Given
    from nova_ext_sts.states import States

    #: (start, end) of a value in the body.
    Span = tuple[int, int]

UNSET = msgspec.UNSET
#: Any value, which is not read.
_Raw = msgspec.Raw | msgspec.UnsetType


class _Server(msgspec.Struct, gc=False):
    """The members of a server that matter here."""

    id: Any = UNSET
    status: Any = UNSET
    name: _Raw = UNSET
    vm_state: _Raw = msgspec.field(default=UNSET, name=ATTRIBUTES[0])
    task_state: _Raw = msgspec.field(default=UNSET, name=ATTRIBUTES[1])
    power_state: _Raw = msgspec.field(default=UNSET, name=ATTRIBUTES[2])


_decode_server = msgspec.json.Decoder(_Server).decode
_decode_servers = msgspec.json.Decoder(list[_Server]).decode
_decode_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_WHITE = b" \t\n\r"
_SPACE = r"[ \t\n\r]*"
_COLON = re.compile(f"{_SPACE}:{_SPACE}")
_NEXT = re.compile(f"{_SPACE},?{_SPACE}")
_GAP = re.compile(_NEXT.pattern.encode())
#: Steps over a value. Numbers, of any length, are not made.
_value_at = json.JSONDecoder(parse_int=len, parse_float=len).raw_decode

#: What APIs write first, and where the links to the next page begin.
_HEADS = {
    holder: re.compile(
        f'{_SPACE}{{{_SPACE}"{holder}"{_COLON.pattern}'.encode()
    )
    for holder in ("server", "servers")
}
_LINKS = b'"servers_links"'
_LINKS_SIZE = 4096  # bytes from the end of the body


class Servers(Document):
    """The servers of a JSON body: ``server``, or elements of ``servers``."""

    def _locate(self, holder: str) -> None:
        body = self._body
        _check_utf_8(body)
        try:
            span = _usual_span(body, holder)
            servers = _decoded(body, span, holder)
        except ValueError:
            span = _span(body, holder)
            servers = _decoded(body, span, holder)
        ids = [
            server.id if type(server.id) is str else "" for server in servers
        ]
        givens = [NONE_GIVEN] * len(ids)
        overwrite = self._overwrite
        for number, server in enumerate(servers):
            if server.name is UNSET and server.status == STAND_IN_STATUS:
                ids[number] = ""
            if (
                server.vm_state
                is server.task_state
                is server.power_state
                is UNSET
            ):
                continue
            if not (
                overwrite
                or server.vm_state is UNSET
                or server.task_state is UNSET
                or server.power_state is UNSET
            ):
                ids[number] = ""
                continue
            givens[number] = (
                server.vm_state is not UNSET,
                server.task_state is not UNSET,
                server.power_state is not UNSET,
            )
        if any(ids):
            self._start = span[0]
            self._ids, self._given = ids, givens
            self._places = _braces(body, span, len(ids))

    def _fields(self, states: States, given: Given) -> bytes:
        return _fields(states, given)

    def _replacements(self, number: int, states: States) -> Iterator[Edit]:
        start = self._places[number - 1] + 1 if number else self._start
        values = dict(zip(ATTRIBUTES, states, strict=True))
        server = self._body[start : self._places[number] + 1]
        for name, first, end in _members(server):
            if name in values:
                yield start + first, start + end, _written(values[name])


def _check_utf_8(body: bytes) -> None:
    """Raise ValueError unless the body is UTF-8.

    msgspec checks only the strings that it makes.
    """
    if not body.isascii():
        # In steps, since the text may take four times the memory.
        steps = range(0, len(body), 65536)
        parts = (body[start : start + 65536] for start in steps)
        for _ in codecs.iterdecode(parts, "utf-8"):
            pass


def _decoded(body: bytes, span: Span, holder: str) -> Sequence[_Server]:
    """Return one server for each element, without an id for anything else.

    :raises ValueError: the span is not one value of the right type
    """
    value = memoryview(body)[slice(*span)]
    if holder == "server":
        return [_decode_server(value)]
    try:
        return _decode_servers(value)
    except ValueError:
        return [_server(element) for element in _decode_elements(value)]


def _server(element: msgspec.Raw) -> _Server:
    try:
        return _decode_server(element)
    except ValueError:
        return _Server()


def _usual_span(body: bytes, holder: str) -> Span:
    """Return the span of the holder in a body as APIs write it.

    The holder comes first, and nothing follows but links. If what is between
    decodes as one value, the body is valid.

    :raises ValueError: the body is another one
    """
    head = _HEADS[holder].match(body)
    end = len(body.rstrip(_WHITE)) - 1
    if head is None or body[end : end + 1] != b"}":
        raise ValueError("unusual")
    start = head.end()
    links = body.rfind(_LINKS, max(start, end - _LINKS_SIZE))
    if links != -1:
        end = body.rindex(b",", 0, links)
        if body[end + 1 : links].strip(_WHITE) or (
            holder in _decode_members(b"{" + body[links:])
        ):
            raise ValueError("unusual")
    return start, end


def _span(body: bytes, holder: str) -> Span:
    """Return the span of the holder in any body.

    :raises ValueError: the body is not an object with such a member
    """
    _decode_members(body)
    spans = [span for name, *span in _members(body) if name == holder]
    if not spans:
        raise ValueError(f"no member {holder}")
    start, end = spans[-1]
    return start, end


def _braces(body: bytes, span: Span, count: int) -> list[int]:
    """Return the position of the last byte of each server, its brace."""
    start, end = span
    if count == 1:
        return [body.rindex(b"}", start, end)]
    braces = []
    elements = _decode_elements(memoryview(body)[start:end])
    end = start + 1
    separator = b"{"  # hardly ever changes within a list
    for length in map(len, elements):
        if not body.startswith(separator, end):
            separator = body[end : after(_GAP, body, end) + 1]
        end += len(separator) - 1 + length
        braces.append(end - 1)
    return braces


def _members(body: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield (name, start, end) of each member of a valid object."""
    # One character for each byte, so that the positions are right. The names
    # that matter are ASCII.
    text = body.decode("latin-1")
    end = text.index("{") + 1
    while text[start := after(_NEXT, text, end)] != "}":
        name, end = _value_at(text, start)
        start = after(_COLON, text, end)
        _, end = _value_at(text, start)
        yield name, start, end


@functools.lru_cache(maxsize=1024)
def _fields(states: States, given: Given) -> bytes:
    """Return the states that are not given, as Nova writes them."""
    return b"".join(
        b', "%b": %b' % (name.encode(), _written(state))
        for name, state, is_given in zip(
            ATTRIBUTES, states, given, strict=True
        )
        if not is_given
    )


def _written(state: str | int | None) -> bytes:
    return json.dumps(state).encode()
