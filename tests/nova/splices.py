"""Finds the states in a response body, and takes them out of its bytes.

Written for the tests and by itself: it shares no line, and no library but
json, with the filter that it is to check.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.nova.shim import STATES

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

_value_at = json.JSONDecoder().raw_decode
_space = re.compile(r"[ \t\n\r]*")


class _Member(NamedTuple):
    name: str
    value: Any
    #: Where the name begins, where the value begins, and where it ends.
    start: int
    value_start: int
    end: int


def states(
    server: dict[str, Any],
) -> tuple[str | None, str | None, int | None] | None:
    """Return a server's three states, None if it has none of them.

    :raises AssertionError: it has some and not all
    """
    present = [name for name in STATES if name in server]
    if not present:
        return None
    assert present == list(STATES), server
    return server[STATES[0]], server[STATES[1]], server[STATES[2]]


def without_states(body: bytes, ids: Container[str]) -> bytes:
    """Return the body without the states of those servers.

    What goes is a member and the comma before it, with the white space there:
    what a filter has to put in to add one. Every other byte stays.

    :raises AssertionError: a server has a state twice
    """
    text = body.decode("ascii")
    pieces, kept = [], 0
    for start, end in _cuts(text, ids):
        pieces.append(text[kept:start])
        kept = end
    return "".join([*pieces, text[kept:]]).encode("ascii")


def _cuts(text: str, ids: Container[str]) -> Iterator[tuple[int, int]]:
    for opening in _servers(text):
        members = list(_members(text, opening))
        names = [member.name for member in members]
        assert all(names.count(name) < 2 for name in STATES), names
        server = {member.name: member.value for member in members}
        if server["id"] not in ids:
            continue
        for index, member in enumerate(members):
            if member.name not in STATES:
                continue
            # No server of Nova's begins with a state.
            assert index > 0, names
            yield members[index - 1].end, member.end


def _servers(text: str) -> Iterator[int]:
    """Yield where the opening brace of each top-level server is."""
    for member in _members(text, _after_space(text, 0)):
        if member.name == "server":
            yield member.value_start
        elif member.name == "servers":
            at = _after_space(text, member.value_start + 1)
            while text[at] != "]":
                yield at
                _, at = _value_at(text, at)
                at = _after_space(text, at)
                if text[at] == ",":
                    at = _after_space(text, at + 1)


def _members(text: str, opening: int) -> Iterator[_Member]:
    assert text[opening] == "{", text[opening:][:40]
    at = _after_space(text, opening + 1)
    while text[at] != "}":
        start = at
        name, at = _value_at(text, at)
        at = _after_space(text, at)
        assert text[at] == ":"
        value_start = _after_space(text, at + 1)
        value, end = _value_at(text, value_start)
        yield _Member(name, value, start, value_start, end)
        at = _after_space(text, end)
        if text[at] == ",":
            at = _after_space(text, at + 1)


def _after_space(text: str, at: int) -> int:
    match = _space.match(text, at)
    assert match is not None
    return match.end()
