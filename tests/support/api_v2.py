"""Lists of servers, and single ones, in the XML of the Compute API v2.

Simple members are attributes, written as Python writes them: a null is
"None". The other members are elements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ATOM = "http://www.w3.org/2005/Atom"
COMPUTE = "http://docs.openstack.org/compute/api/v1.1"

_RENAMED = {"tenant_id": "tenantId", "user_id": "userId"}


def written(document: Mapping[str, Any]) -> bytes:
    """Return a document in XML, given as it is in JSON."""
    if "server" in document:
        root = _server(document["server"])
    else:
        root = ElementTree.Element("servers")
        root.extend(map(_server, document["servers"]))
        root.extend(_links(document.get("servers_links", ())))
    root.attrib = {"xmlns": COMPUTE, "xmlns:atom": ATOM} | root.attrib
    ElementTree.indent(root)
    body: bytes = ElementTree.tostring(
        root, encoding="UTF-8", xml_declaration=True
    )
    return body


def _server(server: Mapping[str, Any]) -> ElementTree.Element:
    element = _element("server", server)
    for name in ("image", "flavor"):
        if name in server:
            element.append(_element(name, server[name] or {}))
    if "metadata" in server:
        metadata = ElementTree.SubElement(element, "metadata")
        for key, text in server["metadata"].items():
            ElementTree.SubElement(metadata, "meta", key=key).text = text
    if "addresses" in server:
        addresses = ElementTree.SubElement(element, "addresses")
        for label, each in server["addresses"].items():
            network = ElementTree.SubElement(addresses, "network", id=label)
            network.extend(_element("ip", address) for address in each)
    element.extend(_links(server.get("links", ())))
    return element


def _element(name: str, members: Mapping[str, Any]) -> ElementTree.Element:
    """Return an element, with the members that are neither long nor new."""
    return ElementTree.Element(
        name,
        {
            _RENAMED.get(member, member): str(value)
            for member, value in members.items()
            # API v2 had no colons but for namespaces.
            if not isinstance(value, (dict, list)) and ":" not in member
            if member != "image"
        },
    )


def _links(links: Iterable[Mapping[str, str]]) -> list[ElementTree.Element]:
    return [ElementTree.Element("atom:link", dict(link)) for link in links]
