# SPDX-License-Identifier: Apache-2.0
"""The servers of a JSON response body, and their states spliced in.

The body is scanned, never rebuilt. msgspec validates what it skips, makes
objects only of the few members that are asked for, and tells how long each
element of a list is. Between elements there is only white space and one
comma, so the lengths give the place of every server's closing brace, and all
that the application wrote goes out as it came.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any, AnyStr

import msgspec

from nova_ext_sts import extension
from nova_ext_sts.calls import Call

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nova_ext_sts.states import States

    Span = tuple[int, int]

_UNSET = msgspec.UNSET


class _Server(msgspec.Struct, gc=False):
    """The members of a server that matter here; the others are skipped.

    Any, and not a type: what an application wrote there is not judged.
    """

    id: Any = _UNSET
    name: Any = _UNSET
    status: Any = _UNSET
    vm_state: Any = msgspec.field(default=_UNSET, name=extension.ATTRIBUTES[0])
    task_state: Any = msgspec.field(
        default=_UNSET, name=extension.ATTRIBUTES[1]
    )
    power_state: Any = msgspec.field(
        default=_UNSET, name=extension.ATTRIBUTES[2]
    )


#: A server that has no states of its own.
_BARE = _Server()

_decode_server = msgspec.json.Decoder(_Server).decode
_decode_servers = msgspec.json.Decoder(list[_Server]).decode
_decode_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_MEMBER = {Call.LIST: "servers", Call.DETAIL: "servers", Call.SHOW: "server"}

_WHITE = b" \t\n\r"
_GAP = re.compile(rb"[ \t\n\r]*,?[ \t\n\r]*")
_SPACE = re.compile(r"[ \t\n\r]*")

#: A body as APIs write it begins with the member that holds the servers, …
_HEAD = {
    name: re.compile(
        rb"_{_%b_:_".replace(b"_", rb"[ \t\n\r]*") % f'"{name}"'.encode()
    )
    for name in ("server", "servers")
}
#: … and ends with it, or with the links to the next page.
_LINKS = b'"servers_links"'
_LINKS_REACH = 4096  # bytes from the end of the body

#: Steps over one value. The numbers, of any length, are not made.
_value_at = json.JSONDecoder(parse_int=len, parse_float=len).raw_decode


class Servers:
    """The servers of one response to list, detail or show.

    Only the top-level ``server``, or the elements of the top-level
    ``servers``, count. Of several members of one name the last counts, as for
    every common parser of JSON.

    :param body: the response's body, after any content coding
    :param call: the call that was answered
    :param overwrite: whether states that the application gave are replaced
    :raises ValueError: the body is not a valid document of that call
    :raises RecursionError: it is nested too deeply, as it is from ``splice``
    """

    __slots__ = ("_body", "_call", "_overwrite", "_servers", "_span")

    def __init__(self, body: bytes, call: Call, *, overwrite: bool) -> None:
        self._body = body
        self._call = call
        self._overwrite = overwrite
        _check_encoding(body)
        try:
            servers = self._decode(_usual_span(body, _MEMBER[call]))
        except ValueError:
            servers = self._decode(_exact_span(body, _MEMBER[call]))
        #: One for each element: a server that lacks states, or None.
        self._servers: Sequence[_Server | None] = [
            server
            if server is not None
            and (
                overwrite
                or server.vm_state is _UNSET
                or server.task_state is _UNSET
                or server.power_state is _UNSET
            )
            and isinstance(server.id, str)
            # Nova's stand-in for a server in a cell that is down.
            and not (server.status == "UNKNOWN" and server.name is _UNSET)
            else None
            for server in servers
        ]

    @property
    def server_ids(self) -> Sequence[str]:
        """The ids of the servers that lack states, in order, each once."""
        return list(
            dict.fromkeys(
                [server.id for server in self._servers if server is not None]
            )
        )

    def splice(self, records: Mapping[str, States]) -> bytes:
        """Return the body with the states of the servers in ``records``."""
        body = memoryview(self._body)
        pieces: list[bytes | memoryview] = []
        written = 0
        # Pages hold few distinct states: each is written out once.
        members: dict[States, bytes] = {}
        before = self._span[0]
        for server, end in zip(self._servers, self._ends(), strict=True):
            states = None if server is None else records.get(server.id)
            if server is None or states is None:
                before = end
                continue
            if (
                server.vm_state
                is server.task_state
                is server.power_state
                is _UNSET
            ):
                added = members.get(states)
                if added is None:
                    added = members[states] = _members(states)
            else:
                if self._overwrite:
                    for first, last, value in self._replaced(
                        before, end, states
                    ):
                        pieces += body[written:first], value
                        written = last
                added = _members(states, server)
            pieces.append(body[written : end - 1])
            pieces.append(added)
            written = before = end
            written -= 1
        pieces.append(body[written:])
        return b"".join(pieces)

    def _decode(self, span: Span) -> Sequence[_Server | None]:
        """Return one server for each element, None for what is no object.

        :raises ValueError: what lies there is no value of the right kind
        """
        self._span = span
        value = memoryview(self._body)[slice(*span)]
        if self._call is Call.SHOW:
            return [_decode_server(value)]
        try:
            return _decode_servers(value)
        except ValueError:
            return [_server(raw) for raw in _decode_elements(value)]

    def _ends(self) -> list[int]:
        """Return where in the body each element ends, its brace included."""
        body = self._body
        start, end = self._span
        if self._call is Call.SHOW:
            return [end]
        ends = []
        pos = _after(_GAP, body, start + 1)
        # What separates two objects hardly ever changes within a list.
        separator = b", {"
        step = 2
        for raw in _decode_elements(memoryview(body)[start:end]):
            end = pos + len(raw)
            ends.append(end)
            if body.startswith(separator, end):
                pos = end + step
            else:
                pos = _after(_GAP, body, end)
                separator = body[end:pos] + b"{"
                step = pos - end
        return ends

    def _replaced(
        self, before: int, end: int, states: States
    ) -> Iterator[tuple[int, int, bytes]]:
        """Yield (start, end, new value) of each state that a server has.

        :param before: where in the body the element before this one ends
        :param end: where this one ends
        """
        values = dict(zip(extension.ATTRIBUTES, states, strict=True))
        for name, first, last in _named_values(self._body[before:end]):
            if name in values:
                value = json.dumps(values[name]).encode()
                yield before + first, before + last, value


def _members(states: States, server: _Server = _BARE) -> bytes:
    """Return the states that a server lacks, written as Nova writes its own.

    Pure ASCII, and so right in whatever charset the application names.
    """
    own = (server.vm_state, server.task_state, server.power_state)
    return b"".join(
        b', "%b": %b' % (name.encode(), json.dumps(state).encode())
        for name, state, given in zip(
            extension.ATTRIBUTES, states, own, strict=True
        )
        if given is _UNSET
    )


def _server(raw: msgspec.Raw) -> _Server | None:
    try:
        return _decode_server(raw)
    except ValueError:
        return None


def _check_encoding(body: bytes) -> None:
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


def _usual_span(body: bytes, name: str) -> Span:
    """Return where the member ``name`` has its value in a body as usual.

    The value is whatever lies between the usual beginning and the usual end:
    if that decodes as one JSON value, then so it is.

    :raises ValueError: the body begins or ends in another way
    """
    head = _HEAD[name].match(body)
    end = _before_white(body, len(body)) - 1
    if head is None or body[end : end + 1] != b"}":
        raise ValueError("not as usual")
    links = body.rfind(_LINKS, max(head.end(), len(body) - _LINKS_REACH))
    if links != -1:
        if name in _decode_members(b"{" + body[links:]):
            raise ValueError("not as usual")
        end = _before_white(body, links) - 1
        if body[end : end + 1] != b",":
            raise ValueError("not as usual")
    return head.end(), _before_white(body, end)


def _exact_span(body: bytes, name: str) -> Span:
    """Return where the last top-level member ``name`` has its value.

    :raises ValueError: the body is not an object with such a member
    """
    msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    spans = [span for member, *span in _named_values(body) if member == name]
    if not spans:
        raise ValueError(f"no member {name}")
    start, end = spans[-1]
    return start, end


def _named_values(body: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield (name, start, end) of each member of the object in valid JSON."""
    # One character for each byte, so that the positions are those of the
    # bytes. Names outside ASCII come out wrong, and none of them is ours.
    text = body.decode("latin-1")
    pos = _after(_SPACE, text, text.index("{") + 1)
    while text[pos] != "}":
        name, pos = _value_at(text, pos)
        start = _after(_SPACE, text, text.index(":", pos) + 1)
        _, end = _value_at(text, start)
        yield name, start, end
        pos = _after(_SPACE, text, end)
        if text[pos] == ",":
            pos = _after(_SPACE, text, pos + 1)


def _before_white(body: bytes, end: int) -> int:
    while end and body[end - 1] in _WHITE:
        end -= 1
    return end


def _after(pattern: re.Pattern[AnyStr], text: AnyStr, pos: int) -> int:
    """Return where ``text`` goes on behind what ``pattern`` matches."""
    match = pattern.match(text, pos)
    return match.end() if match else pos
