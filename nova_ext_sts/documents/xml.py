# SPDX-License-Identifier: Apache-2.0
"""The servers of an XML response body, and their states spliced in.

expat reads the body once and tells at which byte each element begins. The
attributes go in right behind the element's name, and all that the application
wrote goes out as it came.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from nova_ext_sts import extension
from nova_ext_sts.calls import Call
from nova_ext_sts.documents.markup import (
    NONE_GIVEN,
    STATES,
    Markup,
    Scope,
    escaped,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nova_ext_sts.documents.markup import Edit
    from nova_ext_sts.states import States

NAMESPACE = "http://docs.openstack.org/compute/api/v1.1"

_ROOT = {Call.LIST: "servers", Call.DETAIL: "servers", Call.SHOW: "server"}


class _Server(NamedTuple):
    """A server that lacks states."""

    name_end: int  # where the name ends in its start tag
    id: str
    scope: Scope
    given: Sequence[int | None]  # for each state, which attribute it is


class Servers:
    """The servers of one response to list, detail or show.

    Only a root element ``server``, or the children ``server`` of a root
    element ``servers``, count. Both must be in the namespace of the Compute
    API v1.1, which v2 kept: elements of the same name in another one, or in
    none, belong to another API. The document must be well-formed XML 1.0
    without a DOCTYPE; prefixes are looked at on the root and the servers only.

    :param body: the response's body, after any content coding
    :param call: the call that was answered
    :param overwrite: whether states that the application gave are replaced
    :param charset: the parameter of Content-Type, if there is one; it wins
        over the XML declaration, and a byte order mark over both (RFC 7303)
    :raises ValueError: the body is not a valid document of that call, or has
        more than ``markup.MAX_SIZE`` bytes
    """

    __slots__ = ("_markup", "_overwrite", "_root_name_end", "_servers")

    def __init__(
        self,
        body: bytes,
        call: Call,
        *,
        overwrite: bool,
        charset: str | None = None,
    ) -> None:
        self._markup = Markup(body, charset)
        self._overwrite = overwrite
        if not self._find(_ROOT[call], skip=True):
            self._find(_ROOT[call], skip=False)

    @property
    def server_ids(self) -> Sequence[str]:
        """The ids of the servers that lack states, in order, each once."""
        return list(dict.fromkeys(server.id for server in self._servers))

    def splice(self, records: Mapping[str, States]) -> bytes:
        """Return the body with the states of the servers in ``records``.

        What XML cannot hold in a state is written as U+FFFD.
        """
        return self._markup.edited(self._edits(records))

    def _edits(self, records: Mapping[str, States]) -> Iterator[Edit]:
        """Yield the edits that add the states, in order."""
        free = self._free_prefix()
        if any(
            server.scope.prefix is None and server.id in records
            for server in self._servers
        ):
            declaration = f' xmlns:{free}="{extension.NAMESPACE}"'
            yield self._root_name_end, self._root_name_end, declaration
        # Pages hold few distinct states: each is written out once.
        texts: dict[tuple[str | None, States], str] = {}
        for server in self._servers:
            states = records.get(server.id)
            if states is None:
                continue
            if server.given is not NONE_GIVEN:
                yield from self._completed(server, states)
                continue
            prefix = server.scope.prefix
            text = texts.get((prefix, states))
            if text is None:
                text = _attributes(prefix or free, states)
                texts[prefix, states] = text
            yield server.name_end, server.name_end, text

    def _find(self, root_name: str, *, skip: bool) -> bool:
        """Find the servers, and say whether nothing was mistaken.

        To skip means not to look at what begins inside a server, which saves
        a third of the time: its end is then the first end of an element of
        its name. Where that was the end of one inside it, the depth is too
        small from there to the end of the document.
        """
        self._servers: list[_Server] = []
        scope = Scope({})
        depth = 0
        server_name = ""
        markup = self._markup

        def root(name: str, attributes: dict[str, str]) -> None:
            nonlocal scope, depth
            scope = scope.within(attributes)
            if scope.expanded(name) != (NAMESPACE, root_name):
                raise ValueError(f"no {root_name} of the Compute API")
            name_end = markup.name_end(markup.parser.CurrentByteIndex, name)
            self._root_name_end = name_end
            if root_name == "server":
                self._add(name_end, attributes, scope)
                markup.parser.StartElementHandler = None
            else:
                depth += 1
                markup.parser.StartElementHandler = start
                markup.parser.EndElementHandler = end

        def start(name: str, attributes: dict[str, str]) -> None:
            nonlocal depth, server_name
            depth += 1
            if depth == 2:
                inner = scope.within(attributes)
                if inner.expanded(name) == (NAMESPACE, "server"):
                    name_end = markup.name_end(
                        markup.parser.CurrentByteIndex, name
                    )
                    self._add(name_end, attributes, inner)
                    if skip:
                        server_name = name
                        markup.parser.StartElementHandler = None
                        markup.parser.EndElementHandler = end_skipped

        def end(name: str) -> None:
            nonlocal depth
            depth -= 1

        def end_skipped(name: str) -> None:
            nonlocal depth
            if name == server_name:
                depth -= 1
                markup.parser.StartElementHandler = start
                markup.parser.EndElementHandler = end

        markup.parse(root)
        return depth == 0

    def _add(
        self, name_end: int, attributes: Mapping[str, str], scope: Scope
    ) -> None:
        """Note a server, if it lacks states."""
        if scope.prefix:
            given = scope.given(attributes)
        else:
            given = NONE_GIVEN
            scope.check_bound(attributes)
        if (
            "id" in attributes
            and (self._overwrite or None in given)
            # Nova's stand-in for a server in a cell that is down.
            and ("name" in attributes or attributes.get("status") != "UNKNOWN")
        ):
            self._servers.append(
                _Server(name_end, attributes["id"], scope, given)
            )

    def _free_prefix(self) -> str:
        """Return a prefix that means nothing else at any of the servers."""
        taken = {
            prefix
            for scope in {server.scope for server in self._servers}
            for prefix, uri in scope.bound.items()
            if uri != extension.NAMESPACE
        }
        others = (
            f"{extension.ALIAS}{number}" for number in itertools.count(2)
        )
        prefixes = itertools.chain([extension.ALIAS], others)
        return next(prefix for prefix in prefixes if prefix not in taken)

    def _completed(self, server: _Server, states: States) -> Iterator[Edit]:
        """Yield the edits to a server that has some of its states."""
        if None in server.given:
            missing = [number is None for number in server.given]
            added = _attributes(str(server.scope.prefix), states, missing)
            yield server.name_end, server.name_end, added
        if self._overwrite:
            values = self._markup.tag(server.name_end).values
            yield from sorted(
                (*values[number], escaped(state))
                for number, state in zip(server.given, states, strict=True)
                if number is not None
            )


def _attributes(
    prefix: str, states: States, wanted: Iterable[bool] = (True, True, True)
) -> str:
    """Return the attributes to add; a null is "None", as Nova wrote it."""
    return "".join(
        f' {prefix}:{name}="{escaped(state)}"'
        for name, state, is_wanted in zip(STATES, states, wanted, strict=True)
        if is_wanted
    )
