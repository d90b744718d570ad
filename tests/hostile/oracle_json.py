"""What the filter has to make of a JSON body, by another way than its own.

Python's json says whether the body is valid; where its members lie is told by
one regular expression for tokens, and a walk over them. Only what is cheap to
get right is used: no speed is needed here.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from nova_ext_sts.extension import ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nova_ext_sts.states import States

#: RFC 8259. A string is matched in runs, since it may have megabytes.
TOKEN = re.compile(
    rb'"[^"\\]*(?:\\.[^"\\]*)*"'
    rb"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
    rb"|true|false|null|[][{}:,]|[ \t\n\r]+"
)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
#: Deeper than this, or longer, a parser may refuse what is valid.
_SAFE_DEPTH = 500
_SAFE_DIGITS = 300

_OPENING, _CLOSING = (b"{", b"["), (b"}", b"]")
_OPENING_OF = dict(zip(_CLOSING, _OPENING, strict=True))


def faults(
    body: bytes,
    result: bytes,
    call: str,
    records: Mapping[str, States],
    *,
    overwrite: bool,
) -> str:
    """Return what is wrong with what came out, or nothing."""
    allowed = _allowed(body, call, records, overwrite=overwrite)
    if result not in allowed:
        return f"has become {result!r}, which is not in {allowed!r}"
    is_changed = result != body and len(allowed) == 1
    if is_changed and _stateless(body) != _stateless(result):
        return "is changed in more than states"
    return ""


def _allowed(
    body: bytes, call: str, records: Mapping[str, States], *, overwrite: bool
) -> list[bytes]:
    """Return what may come out for a body, in the order of preference."""
    if not _is_json(body):
        return [body]
    document = _Document(body, records, overwrite=overwrite)
    wanted = document.extended("server" if call == "show" else "servers")
    if document.is_plain(0, None):
        return [wanted]
    # A server with what a parser may refuse may be left as it is.
    partly = document.extended(
        "server" if call == "show" else "servers", only_plain=True
    )
    return [wanted, partly, body]


def _is_json(body: bytes) -> bool:
    try:
        # Numbers are not made: they may have thousands of digits.
        json.loads(
            body.decode(), parse_int=str, parse_float=str, parse_constant=_no
        )
    except RecursionError:
        return _is_deep_json(body)
    except ValueError:
        return False
    return True


def _is_deep_json(body: bytes) -> bool:
    """Say whether a body is valid that is too deep for Python's parser."""
    open_ones: list[bytes] = []
    # What may come next: a value, a name, a colon, or a comma.
    awaited, may_close, end = "value", False, 0
    for match in TOKEN.finditer(body):
        token = match[0]
        if match.start() != end or awaited == "end":
            return False
        end = match.end()
        if token.isspace():
            continue
        if token in _CLOSING:
            if not may_close or open_ones.pop() != _OPENING_OF[token]:
                return False
        elif token in (b":", b","):
            if token != {"colon": b":", "comma": b","}.get(awaited):
                return False
            is_name = token == b"," and open_ones[-1] == b"{"
            awaited, may_close = "name" if is_name else "value", False
            continue
        elif awaited == "name":
            if not token.startswith(b'"'):
                return False
            awaited, may_close = "colon", False
            continue
        elif awaited != "value":
            return False
        elif token in _OPENING:
            open_ones.append(token)
            awaited = "name" if token == b"{" else "value"
            may_close = True
            continue
        awaited, may_close = ("comma", True) if open_ones else ("end", False)
    return end == len(body) and awaited == "end"


def _no(constant: str) -> None:
    raise ValueError(constant)


class _Pairs(list[tuple[str, Any]]):
    """An object, in order, with repeated members."""


def _stateless(body: bytes) -> Any:
    """Return a body, as Python's json reads it, without any states."""
    return _without_states(
        json.loads(
            body, parse_int=str, parse_float=str, object_pairs_hook=_Pairs
        )
    )


def _without_states(value: Any) -> Any:
    if isinstance(value, _Pairs):
        return _Pairs(
            (name, _without_states(member))
            for name, member in value
            if name not in ATTRIBUTES
        )
    if isinstance(value, list):
        return [_without_states(element) for element in value]
    return value


class _Document:
    """The tokens of a valid body, without what lies between them."""

    def __init__(
        self, body: bytes, records: Mapping[str, States], *, overwrite: bool
    ) -> None:
        self._body = body
        self._records = records
        self._overwrite = overwrite
        matches = [
            match for match in TOKEN.finditer(body) if not match[0].isspace()
        ]
        self._tokens = [match[0] for match in matches]
        self._spans = [match.span() for match in matches]

    def is_plain(self, first: int, stop: int | None) -> bool:
        """Say whether every parser takes these tokens for valid JSON."""
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

    def extended(self, name: str, *, only_plain: bool = False) -> bytes:
        """Return the body with the states of the servers in a member."""
        edits: list[tuple[int, int, bytes]] = []
        for server in self._servers(name):
            if not only_plain or self.is_plain(server, self._behind(server)):
                edits += self._edits(server)
        pieces, done = [], 0
        for start, end, text in sorted(edits):
            pieces += [self._body[done:start], text]
            done = end
        return b"".join([*pieces, self._body[done:]])

    def _servers(self, name: str) -> list[int]:
        """Return at which tokens the servers begin."""
        if self._tokens[0] != b"{":
            return []
        values = [
            value for member, value in self._members(0) if member == name
        ]
        if not values:
            return []
        last = values[-1]
        found = [last] if name == "server" else []
        if name == "servers" and self._tokens[last] == b"[":
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
        """Yield the name, and the token of the value, of each member."""
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
        """Return the token behind the value that begins at one."""
        depth = 0
        while True:
            token = self._tokens[number]
            depth += (token in _OPENING) - (token in _CLOSING)
            number += 1
            if depth == 0:
                return number
