# SPDX-License-Identifier: Apache-2.0
"""Servers in the XML of API v2.

expat tells the position of each element. The attributes of a state go behind
the element's name.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING
from xml.parsers import expat

from nova_ext_sts import extension
from nova_ext_sts.documents.document import (
    NONE_GIVEN,
    STAND_IN_STATUS,
    Document,
    after,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nova_ext_sts.documents.document import Edit, Given
    from nova_ext_sts.states import States

NAMESPACE = "http://docs.openstack.org/compute/api/v1.1"

#: The largest body that is read, in bytes: about 7,000 servers in detail.
MAX_SIZE = 8 * 1024 * 1024

#: Between a namespace and a name. No XML document contains it.
_SEPARATOR = "\x1f"
_LOCAL_NAMES = [name.partition(":")[2] for name in extension.ATTRIBUTES]
_STATES = [f"{extension.NAMESPACE}{_SEPARATOR}{name}" for name in _LOCAL_NAMES]
_SERVER = f"{NAMESPACE}{_SEPARATOR}server"

_NAME = re.compile(rb"<[^\s/>]+")
_ATTRIBUTE = re.compile(rb"\s+([^\s=]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")

#: XML 1.0, section 2.2.
_NO_CHARACTER = re.compile(
    "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
_ESCAPES = str.maketrans(
    {character: f"&#{ord(character)};" for character in "\t\n\r'"}
    | {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
)


class Servers(Document):
    """The servers of an XML body: the root ``server``, or its children.

    Both must be in the namespace of API v1.1, which v2 kept. The body must be
    in UTF-8, without a DOCTYPE, and without a server inside another.
    """

    def _locate(self, holder: str) -> None:
        body = self._body
        if len(body) > MAX_SIZE:
            raise ValueError(f"larger than {MAX_SIZE} bytes")
        # expat recognises UTF-16 in spite of the encoding that it is given,
        # and expands entities even after a handler has raised an error.
        if b"\0" in body[:4] or b"<!DOCTYPE" in body:
            raise ValueError("UTF-16 or a DOCTYPE")
        #: The names of the attributes of servers whose states are replaced.
        self._names: dict[int, list[str]] = {}
        namespaces: set[tuple[str, str]] = set()
        depth = 0
        self._parser = parser = expat.ParserCreate("utf-8", _SEPARATOR)

        def declaration(version: str, encoding: str | None, _: int) -> None:
            if encoding and encoding.lower() != "utf-8":
                raise ValueError(f"encoded in {encoding}")

        def root(name: str, attributes: Mapping[str, str]) -> None:
            nonlocal depth
            if name != f"{NAMESPACE}{_SEPARATOR}{holder}":
                raise ValueError(f"the root is not {holder}")
            self._root = after(_NAME, body, self._parser.CurrentByteIndex)
            self._root_namespaces = frozenset(namespaces)
            if holder == "server":
                self._add(self._root, attributes)
                self._parser.StartElementHandler = None
            else:
                depth = 1
                self._parser.StartElementHandler = start
                self._parser.EndElementHandler = end

        def start(name: str, attributes: Mapping[str, str]) -> None:
            nonlocal depth
            depth += 1
            if depth == 2 and name == _SERVER:
                name_end = after(_NAME, body, self._parser.CurrentByteIndex)
                self._add(name_end, attributes)
                # Without a call for each element inside, all takes two thirds
                # of the time. A server there makes the depth wrong to the end.
                self._parser.StartElementHandler = None
                self._parser.EndElementHandler = end_of_server

        def end(name: str) -> None:
            nonlocal depth
            depth -= 1

        def end_of_server(name: str) -> None:
            if name == _SERVER:
                end(name)
                self._parser.StartElementHandler = start
                self._parser.EndElementHandler = end

        parser.XmlDeclHandler = declaration
        parser.StartNamespaceDeclHandler = lambda *pair: namespaces.add(pair)
        parser.StartElementHandler = root
        try:
            # At once, since a token that is cut in two is scanned twice.
            parser.Parse(body, True)
        except expat.ExpatError as error:
            raise ValueError(str(error)) from error
        finally:
            # Its handlers refer to it, and it holds a copy of the body.
            del self._parser
        if depth != 0:
            raise ValueError("a server inside a server")
        self._prefix = extension.ALIAS
        taken = {
            prefix for prefix, uri in namespaces if uri != extension.NAMESPACE
        }
        while self._prefix in taken:
            self._prefix += "2"

    def _add(self, name_end: int, attributes: Mapping[str, str]) -> None:
        server_id = attributes.get("id", "")
        given = NONE_GIVEN
        if "name" not in attributes and (
            attributes.get("status") == STAND_IN_STATUS
        ):
            server_id = ""
        if not attributes.keys().isdisjoint(_STATES):
            first, second, third = _STATES
            given = (
                first in attributes,
                second in attributes,
                third in attributes,
            )
            if self._overwrite:
                self._names[len(self._ids)] = list(attributes)
            elif all(given):
                server_id = ""
        self._ids.append(server_id)
        self._given.append(given)
        self._places.append(name_end)

    def _edits(self, records: Mapping[str, States]) -> Iterator[Edit]:
        namespace = self._prefix, extension.NAMESPACE
        if namespace not in self._root_namespaces and any(
            server_id in records and not all(given)
            for server_id, given in zip(self._ids, self._given, strict=True)
        ):
            text = ' xmlns:{}="{}"'.format(*namespace)
            yield self._root, self._root, text.encode()
        yield from super()._edits(records)

    def _fields(self, states: States, given: Given) -> bytes:
        return _fields(states, given, self._prefix)

    def _replacements(self, number: int, states: States) -> Iterator[Edit]:
        values = dict(zip(_STATES, states, strict=True))
        written = _attributes(self._body, self._places[number])
        # Both in the order of the document.
        for name, span in zip(self._names[number], written, strict=False):
            if name in values:
                yield *span, _escaped(values[name]).encode()


def _attributes(body: bytes, name_end: int) -> Iterator[tuple[int, int]]:
    """Yield the span of each attribute's value.

    Namespace declarations are left out, as expat does.
    """
    while match := _ATTRIBUTE.match(body, name_end):
        if match[1].partition(b":")[0] != b"xmlns":
            yield match.span(match.lastindex or 0)
        name_end = match.end()


@functools.lru_cache(maxsize=1024)
def _fields(states: States, given: Given, prefix: str) -> bytes:
    """Return the attributes to add; a null is "None", as Nova wrote it."""
    return "".join(
        f' {prefix}:{name}="{_escaped(state)}"'
        for name, state, is_given in zip(
            _LOCAL_NAMES, states, given, strict=True
        )
        if not is_given
    ).encode()


def _escaped(value: str | int | None) -> str:
    """Return a value as it is written between the quotes of an attribute."""
    return _NO_CHARACTER.sub("\ufffd", str(value)).translate(_ESCAPES)
