"""The bodies that the filter may send for a JSON body.

Written without the filter's means: Python's json decides whether a body is
valid, and a walk over its tokens, found by one regular expression, where its
members are. Speed does not matter.
"""

from __future__ import annotations

import contextlib
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
    allowed = [body]
    # Too deep for Python, and no JSON.
    with contextlib.suppress(IndexError, ValueError):
        if _may_be_json(body):
            document = _Document(body, records, overwrite=overwrite)
            holder = "server" if call == "show" else "servers"
            extended = document.extended(holder)
            if document.is_plain(0, None):
                allowed = [extended]
            else:
                # A parser may refuse a server, or all.
                allowed += [
                    extended,
                    document.extended(holder, only_plain=True),
                ]
    return "" if result in allowed else f"{result!r} is not in {allowed!r}"


def _may_be_json(body: bytes) -> bool:
    try:
        # Numbers are not made: they may have thousands of digits. int() has
        # no NaN or Infinity.
        json.loads(
            body.decode(), parse_int=str, parse_float=str, parse_constant=int
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
        found: list[int] = []
        if self._tokens[0] == b"{":
            # Of repeated members, the last counts.
            members = dict(self._members(0))
            found = [members[holder]] if holder in members else []
        if found and holder == "servers":
            is_list = self._tokens[found[0]] == b"["
            found = list(self._elements(found[0])) if is_list else []
        return [each for each in found if self._tokens[each] == b"{"]

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
        for number in self._elements(start, name=2):
            yield json.loads(self._tokens[number - 2]), number

    def _elements(self, start: int, name: int = 0) -> Iterator[int]:
        """Yield the first token of each value.

        :param name: the number of tokens in front of each
        """
        number = start + 1
        while self._tokens[number] not in _CLOSING:
            yield number + name
            number = self._behind(number + name)
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
