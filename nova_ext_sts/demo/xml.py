# SPDX-License-Identifier: Apache-2.0
"""The demo's documents in XML, as the Compute API v2 had them.

Simple members are attributes, written as Python writes them: a null is
"None", a truth value "True" or "False". The other members are elements.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal
from xml.etree import ElementTree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Elements = list[ElementTree.Element]

#: The default namespace, where the document's root says no other one.
_COMPUTE = "http://docs.openstack.org/compute/api/v1.1"
_NAMESPACES = dict.fromkeys(
    ("version", "versions", "extension", "extensions"),
    "http://docs.openstack.org/common/api/v1.0",
)

#: What the prefixes of names mean. The root declares those that are used.
_PREFIXES = {
    "atom": "http://www.w3.org/2005/Atom",
    "OS-FLV-DISABLED": (
        "http://docs.openstack.org/compute/ext/flavor_disabled/api/v1.1"
    ),
    "OS-FLV-EXT-DATA": (
        "http://docs.openstack.org/compute/ext/flavor_extra_data/api/v1.1"
    ),
    "os-flavor-access": (
        "http://docs.openstack.org/compute/ext/flavor_access/api/v2"
    ),
}

#: Attributes that have another name than in JSON.
_RENAMED = {"tenant_id": "tenantId", "user_id": "userId"}

#: What XML 1.0 cannot hold, not even as a reference.
_NO_CHARACTER = re.compile(
    "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)


def written(document: Mapping[str, Any]) -> bytes:
    """Return a document, given as it is in JSON.

    What XML cannot hold is written as U+FFFD.
    """
    name, content = next(iter(document.items()))
    if isinstance(content, list):
        # Of extensions, flavors, servers or versions.
        root = ElementTree.Element(name)
        root.extend(_element(name[:-1], item) for item in content)
        root.extend(_links(document.get(f"{name}_links", ())))
    else:
        root = _element(name, content)
    # In front, where a reader looks for them.
    root.attrib = _declarations(root) | root.attrib
    ElementTree.indent(root)
    body: bytes = ElementTree.tostring(
        root, encoding="UTF-8", xml_declaration=True
    )
    return body


def _element(name: str, members: Mapping[str, Any]) -> ElementTree.Element:
    element = ElementTree.Element(
        name,
        {
            _RENAMED.get(member, member): _text(value)
            for member, value in members.items()
            if member not in _ELEMENTS
        },
    )
    for member, elements in _ELEMENTS.items():
        if member in members:
            element.extend(elements(members[member]))
    return element


def _image(image: Mapping[str, Any] | Literal[""]) -> Elements:
    return [_element("image", image or {})]


def _flavor(flavor: Mapping[str, Any]) -> Elements:
    return [_element("flavor", flavor)]


def _metadata(metadata: Mapping[str, str]) -> Elements:
    parent = ElementTree.Element("metadata")
    parent.extend(
        _text_element("meta", text, key=key) for key, text in metadata.items()
    )
    return [parent]


def _addresses(networks: Mapping[str, list[dict[str, Any]]]) -> Elements:
    parent = ElementTree.Element("addresses")
    for label, addresses in networks.items():
        network = ElementTree.SubElement(parent, "network", id=label)
        network.extend(_element("ip", address) for address in addresses)
    return [parent]


def _media_types(types: Iterable[Mapping[str, str]]) -> Elements:
    parent = ElementTree.Element("media-types")
    parent.extend(_element("media-type", type) for type in types)
    return [parent]


def _description(text: str) -> Elements:
    return [_text_element("description", text)]


def _message(text: str) -> Elements:
    return [_text_element("message", text)]


def _links(links: Iterable[Mapping[str, str]]) -> Elements:
    return [_element("atom:link", link) for link in links]


#: What writes the members that are elements, in the order of API v2.
_ELEMENTS: dict[str, Callable[[Any], Elements]] = {
    "image": _image,
    "flavor": _flavor,
    "metadata": _metadata,
    "addresses": _addresses,
    "media-types": _media_types,
    "description": _description,
    "message": _message,
    "links": _links,
}


def _text_element(
    name: str, text: str, **attributes: str
) -> ElementTree.Element:
    element = ElementTree.Element(name, attributes)
    element.text = _text(text)
    return element


def _text(value: object) -> str:
    return _NO_CHARACTER.sub("\ufffd", str(value))


def _declarations(root: ElementTree.Element) -> dict[str, str]:
    """Return the attributes that declare the namespaces of a document."""
    used = {
        name.partition(":")[0]
        for element in root.iter()
        for name in (element.tag, *element.attrib)
    }
    declared = {
        f"xmlns:{prefix}": namespace
        for prefix, namespace in _PREFIXES.items()
        if prefix in used
    }
    return {"xmlns": _NAMESPACES.get(root.tag, _COMPUTE), **declared}
