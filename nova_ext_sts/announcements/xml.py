# SPDX-License-Identifier: Apache-2.0
"""The extension's own entry in XML."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nova_ext_sts import extension
from nova_ext_sts.documents.markup import Markup, Scope
from nova_ext_sts.extension import RIGHT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nova_ext_sts.documents.markup import Edit

#: The namespace of the documents that are common to OpenStack's APIs.
NAMESPACE = "http://docs.openstack.org/common/api/v1.0"


class _Element(NamedTuple):
    """Where an element of XML lies, and what its start tag says."""

    start: int
    end_tag: int
    end: int
    name: str
    name_end: int
    attributes: Mapping[str, str]


def listed(body: bytes, charset: str | None) -> bytes:
    markup = Markup(body, charset)
    root, entries = _parsed(markup, "extensions")
    edits: list[Edit] = []
    if entries:
        edits += _edits(markup, entries[0])
        edits += [(entry.start, entry.end, "") for entry in entries[1:]]
    else:
        added = _entry(root.name.removesuffix("extensions"))
        tag = markup.tag(root.name_end)
        if tag.is_empty:
            edits.append((tag.stop, tag.end, f">{added}</{root.name}>"))
        else:
            edits.append((root.end_tag, root.end_tag, added))
    return markup.edited(edits)


def shown(body: bytes, charset: str | None) -> bytes:
    markup = Markup(body, charset)
    root, _ = _parsed(markup, "extension")
    if root.attributes.get("alias") != extension.ALIAS:
        raise ValueError(f"no entry of {extension.ALIAS}")
    return markup.edited(_edits(markup, root))


def _parsed(markup: Markup, root_name: str) -> tuple[_Element, list[_Element]]:
    """Return the root element, and those of its children that are our entry.

    :raises ValueError: the body is not a document with such a root
    """
    elements: list[_Element] = []  # as they end: the root is the last
    opened: list[tuple[int, dict[str, str]] | None] = []
    scope = Scope({})

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal scope
        element = markup.parser.CurrentByteIndex, attributes
        inner = scope.within(attributes)
        if not opened:
            scope = inner
            if scope.expanded(name) != (NAMESPACE, root_name):
                raise ValueError(f"no {root_name} of the API")
            opened.append(element)
        elif (
            len(opened) == 1
            and inner.expanded(name) == (NAMESPACE, "extension")
            and attributes.get("alias") == extension.ALIAS
        ):
            opened.append(element)
        else:
            opened.append(None)

    def end(name: str) -> None:
        element = opened.pop()
        if element is not None:
            first, attributes = element
            name_end = markup.name_end(first, name)
            tag = markup.tag(name_end)
            end_tag, last = tag.stop, tag.end
            if not tag.is_empty:
                end_tag = markup.parser.CurrentByteIndex
                last = markup.tag(markup.name_end(end_tag, f"/{name}")).end
            elements.append(
                _Element(first, end_tag, last, name, name_end, attributes)
            )

    markup.parse(start, end)
    return elements.pop(), elements


def _edits(markup: Markup, entry: _Element) -> list[Edit]:
    """Return the edits to an entry's start tag."""
    values = markup.tag(entry.name_end).values
    missing = "".join(
        f' {name}="{right}"'
        for name, right in RIGHT.items()
        if name not in entry.attributes
    )
    edits = [(entry.name_end, entry.name_end, missing)] if missing else []
    return edits + [
        (*span, RIGHT[name])
        for span, (name, value) in zip(
            values, entry.attributes.items(), strict=True
        )
        if value != RIGHT.get(name, value)
    ]


def _entry(prefix: str, declaration: str = "") -> str:
    """Return the entry, in the way of API v2."""
    attributes = {
        "alias": extension.ALIAS,
        "updated": extension.UPDATED,
        "namespace": extension.NAMESPACE,
        "name": extension.NAME,
    }
    written = "".join(
        f' {name}="{value}"' for name, value in attributes.items()
    )
    return (
        f"<{prefix}extension{declaration}{written}>"
        f"<{prefix}description>{extension.DESCRIPTION}</{prefix}description>"
        f"</{prefix}extension>"
    )


#: What answers …/extensions/OS-EXT-STS where the application does not.
DOCUMENT = (
    "<?xml version='1.0' encoding='UTF-8'?>\n"
    + _entry("", f' xmlns="{NAMESPACE}"')
).encode()
