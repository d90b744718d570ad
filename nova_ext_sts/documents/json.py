# SPDX-License-Identifier: Apache-2.0
"""The servers of a JSON response body, and their states spliced in.

The body is scanned, never rebuilt. msgspec validates what it skips, makes
objects only of the few members that are asked for, and tells how long each
element of a list is. Between elements there is only white space and one
comma, so the lengths give the place of every server's closing brace, and all
that the application wrote goes out as it came.
"""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Any

import msgspec

from nova_ext_sts import extension
from nova_ext_sts.calls import Call
from nova_ext_sts.documents.positions import (
    GAP,
    after,
    check_encoding,
    named_values,
    value_span,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from nova_ext_sts.documents.positions import Span
    from nova_ext_sts.states import States

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


class Servers:
    """The servers of one response to list, detail or show.

    Only the top-level ``server``, or the elements of the top-level
    ``servers``, count. Of several members of one name the last counts, as for
    every common parser of JSON.

    :param body: the response's body, after any content coding
    :param call: the call that was answered
    :param overwrite: whether states that the application gave are replaced
    :param charset: means nothing in JSON, which is UTF-8 (RFC 8259)
    :raises ValueError: the body is not a valid document of that call
    :raises RecursionError: it is nested too deeply, as it is from ``splice``
    """

    __slots__ = ("_body", "_call", "_given", "_ids", "_overwrite", "_span")

    def __init__(
        self,
        body: bytes,
        call: Call,
        *,
        overwrite: bool,
        charset: str | None = None,
    ) -> None:
        self._body = body
        self._call = call
        self._overwrite = overwrite
        check_encoding(body)
        try:
            servers = self._decode(_usual_span(body, _MEMBER[call]))
        except ValueError:
            servers = self._decode(value_span(body, _MEMBER[call]))
        #: One for each element: the id of a server to change, or None.
        self._ids: list[str | None] = []
        #: Those of them that have states of their own, by their place.
        self._given: dict[int, _Server] = {}
        add = self._ids.append
        for place, server in enumerate(servers):
            if (
                server is None
                or (
                    not overwrite
                    and server.vm_state is not _UNSET
                    and server.task_state is not _UNSET
                    and server.power_state is not _UNSET
                )
                or not isinstance(server.id, str)
                # Nova's stand-in for a server in a cell that is down.
                or (server.status == "UNKNOWN" and server.name is _UNSET)
            ):
                add(None)
                continue
            add(server.id)
            if not (
                server.vm_state
                is server.task_state
                is server.power_state
                is _UNSET
            ):
                self._given[place] = server

    @property
    def server_ids(self) -> Sequence[str]:
        """The ids of the servers that lack states, in order, each once."""
        return [id_ for id_ in dict.fromkeys(self._ids) if id_ is not None]

    def splice(self, records: Mapping[str, States]) -> bytes:
        """Return the body with the states of the servers in ``records``."""
        body = memoryview(self._body)
        members = _Members()
        find: Callable[[Any], States | None] = records.get
        found = list(map(find, self._ids))
        added = [b"" if each is None else members[each] for each in found]
        for place, server in self._given.items():
            states = found[place]
            if states is not None:
                added[place] = _members(states, server)
        # What it takes to find them is free again before there are two bodies.
        ends = self._ends()
        # Neither a list to be joined, which would take a quarter as much
        # again, nor a buffer that grows, which takes new pages each time.
        spliced = io.BytesIO(bytes(len(body) + sum(map(len, added))))
        write = spliced.write
        written = 0
        before = self._span[0]
        for place, states in enumerate(found):
            end = ends[place]
            if states is not None:
                if self._overwrite and place in self._given:
                    for first, last, value in self._replaced(
                        before, end, states
                    ):
                        write(body[written:first])
                        write(value)
                        written = last
                write(body[written : end - 1])
                write(added[place])
                written = end - 1
            before = end
        write(body[written:])
        # Values that were replaced may have been longer.
        spliced.truncate()
        return spliced.getvalue()

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
        # The lengths alone: what they are of takes half as much again.
        lengths = list(map(len, _decode_elements(memoryview(body)[start:end])))
        pos = after(GAP, body, start + 1)
        # What separates two objects hardly ever changes within a list.
        separator = b", {"
        step = 2
        ends = []
        for length in lengths:
            end = pos + length
            ends.append(end)
            if body.startswith(separator, end):
                pos = end + step
            else:
                pos = after(GAP, body, end)
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
        for name, first, last in named_values(self._body[before:end]):
            if name in values:
                value = json.dumps(values[name]).encode()
                yield before + first, before + last, value


class _Members(dict["States", bytes]):
    """The members to add for each distinct States: pages hold few of them."""

    def __missing__(self, states: States) -> bytes:
        self[states] = members = _members(states)
        return members


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


def _before_white(body: bytes, end: int) -> int:
    """Return where the last thing before ``end`` that is no space ends."""
    # In steps, since stripping copies.
    step = 4096
    for start in range(end - step, -step, -step):
        rest = body[max(start, 0) : start + step].rstrip(_WHITE)
        if rest:
            return max(start, 0) + len(rest)
    return 0
