"""The bodies that the filter may send for a JSON body.

Written without the filter's means: Python's json decides whether a body is
valid, and a walk over its tokens, found by one regular expression, where its
members are. Speed does not matter.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from nova_ext_sts.extension import ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nova_ext_sts.states import States

#: RFC 8259. A string is matched in runs, since it may have megabytes.
TOKEN = re.compile(
    rb'"[^"\\]*(?:\\.[^"\\]*)*"'
    rb"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
    rb"|true|false|null|[][{}:,]"
)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
#: A parser may refuse valid JSON that is deeper, or has a longer number.
_SAFE_DEPTH = 500
_SAFE_DIGITS = 300

_OPENING, _CLOSING = (b"{", b"["), (b"}", b"]")


def fault(
    body: bytes,
    result: bytes,
    call: str,
    records: Mapping[str, States],
    *,
    overwrite: bool,
) -> str:
    """Return what is wrong with the filter's result, or nothing."""
    allowed = _allowed(body, call, records, overwrite=overwrite)
    if result in allowed:
        return ""
    return f"{result!r} is not one of {allowed!r}"


def _allowed(
    body: bytes, call: str, records: Mapping[str, States], *, overwrite: bool
) -> list[bytes]:
    if not _may_be_json(body):
        return [body]
    document = _Document(body, records, overwrite=overwrite)
    holder = "server" if call == "show" else "servers"
    try:
        extended = document.extended(holder)
        if document.is_plain(0, None):
            return [extended]
        # What a parser may refuse can leave a server, or all, unchanged.
        return [extended, document.extended(holder, only_plain=True), body]
    except (IndexError, ValueError):
        return [body]  # Too deep for Python, and no JSON.


def _may_be_json(body: bytes) -> bool:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        # Numbers are not made: they may have thousands of digits.
        json.loads(
            body.decode(),
            parse_int=str,
            parse_float=str,
            parse_constant=refuse,
        )
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


class _Document:
    """The tokens of a valid body."""

    def __init__(
        self, body: bytes, records: Mapping[str, States], *, overwrite: bool
    ) -> None:
        self._body = body
        self._records = records
        self._overwrite = overwrite
        matches = list(TOKEN.finditer(body))
        self._tokens = [match[0] for match in matches]
        self._spans = [match.span() for match in matches]

    def is_plain(self, first: int, stop: int | None) -> bool:
        """Return True if every parser accepts these tokens."""
        depth = deepest = 0
        for token in self._tokens[first:stop]:
            depth += (token in _OPENING) - (token in _CLOSING)
            deepest = max(deepest, depth)
            if token.startswith(b'"'):
                if _LONE_SURROGATE.search(json.loads(token)):
                    return False
            elif token[:1] in b"-0123456789" and (
                len(token) > _SAFE_DIGITS or math.isinf(float(token))
            ):
                return False
        return deepest <= _SAFE_DEPTH

    def extended(self, holder: str, *, only_plain: bool = False) -> bytes:
        """Return the body with the states of the servers in a member."""
        edits: list[tuple[int, int, bytes]] = []
        for server in self._servers(holder):
            if not only_plain or self.is_plain(server, self._behind(server)):
                edits += self._edits(server)
        pieces, done = [], 0
        for start, end, text in sorted(edits):
            pieces += [self._body[done:start], text]
            done = end
        return b"".join([*pieces, self._body[done:]])

    def _servers(self, holder: str) -> list[int]:
        """Return the number of each server's first token."""
        if self._tokens[0] != b"{":
            return []
        values = [value for name, value in self._members(0) if name == holder]
        if not values:
            return []
        last = values[-1]
        found = [last] if holder == "server" else []
        if holder == "servers" and self._tokens[last] == b"[":
            found = list(self._elements(last))
        return [server for server in found if self._tokens[server] == b"{"]

    def _edits(self, server: int) -> Iterator[tuple[int, int, bytes]]:
        members = list(self._members(server))
        last = {name: self._tokens[value] for name, value in members}
        if not last.get("id", b"").startswith(b'"'):
            return
        status = last.get("status", b"")
        is_text = status.startswith(b'"')
        if "name" not in last and is_text and json.loads(status) == "UNKNOWN":
            return
        states = self._records.get(json.loads(last["id"]))
        if states is None:
            return
        given = dict(zip(ATTRIBUTES, states, strict=True))
        if self._overwrite:
            for name, value in members:
                if name in given:
                    start = self._spans[value][0]
                    end = self._spans[self._behind(value) - 1][1]
                    yield start, end, json.dumps(given[name]).encode()
        added = "".join(
            f', "{name}": {json.dumps(state)}'
            for name, state in given.items()
            if name not in last
        )
        brace = self._spans[self._behind(server) - 1][0]
        yield brace, brace, added.encode()

    def _members(self, start: int) -> Iterator[tuple[str, int]]:
        """Yield the name of each member, and its value's first token."""
        number = start + 1
        while self._tokens[number] != b"}":
            name: str = json.loads(self._tokens[number])
            yield name, number + 2
            number = self._behind(number + 2)
            number += self._tokens[number] == b","

    def _elements(self, start: int) -> Iterator[int]:
        number = start + 1
        while self._tokens[number] != b"]":
            yield number
            number = self._behind(number)
            number += self._tokens[number] == b","

    def _behind(self, number: int) -> int:
        """Return the number of the token behind a value."""
        depth = 0
        while True:
            token = self._tokens[number]
            depth += (token in _OPENING) - (token in _CLOSING)
            number += 1
            if depth == 0:
                return number
