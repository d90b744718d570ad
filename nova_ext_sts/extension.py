# SPDX-License-Identifier: Apache-2.0
"""The extension's identity, and its entry in responses to GET /extensions.

The identity is what the specification and Nova's API v2 say.
"""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

ALIAS = "OS-EXT-STS"
NAME = "ExtendedStatus"
DESCRIPTION = "Extended Status support."
UPDATED = "2011-11-03T00:00:00Z"
NAMESPACE = "http://docs.openstack.org/compute/ext/extended_status/api/v1.1"

#: The members of a server, in the order of ``states.States``.
ATTRIBUTES = (
    f"{ALIAS}:vm_state",
    f"{ALIAS}:task_state",
    f"{ALIAS}:power_state",
)

#: Corrected in an entry that the application wrote: since API v2.1 Nova lists
#: another date, and a placeholder for the namespace.
CORRECTED = {"namespace": NAMESPACE, "updated": UPDATED}

ENTRY = {
    "alias": ALIAS,
    "description": DESCRIPTION,
    "links": [],
    "name": NAME,
    **CORRECTED,
}

#: The namespace of what OpenStack's APIs have in common.
_COMMON = "http://docs.openstack.org/common/api/v1.0"

#: The response to GET /extensions/OS-EXT-STS in each format, as Nova wrote it.
DOCUMENTS = {
    "json": json.dumps({"extension": ENTRY}).encode(),
    "xml": (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        f'<extension xmlns="{_COMMON}" alias="{ALIAS}" updated="{UPDATED}" '
        f'namespace="{NAMESPACE}" name="{NAME}">'
        f"<description>{DESCRIPTION}</description></extension>"
    ).encode(),
}


def corrected(body: bytes, body_format: str, member: str) -> bytes:
    """Return a body in which the extension's entry is correct.

    That is the identical object if it was correct before. Otherwise the body
    is written anew with all that the application said; in XML it may have
    other prefixes.

    :param member: "extensions" for a list, which gets an entry if it has none;
        "extension" for the body of /extensions/OS-EXT-STS
    :raises ValueError: the body is another one
    :raises RecursionError: it is nested too deeply
    """
    correct = _corrected_json if body_format == "json" else _corrected_xml
    return correct(body, member)


def _corrected_json(body: bytes, member: str) -> bytes:
    document = json.loads(body.decode())
    value = document.get(member) if isinstance(document, dict) else None
    entries = value if member == "extensions" else [value]
    if not isinstance(entries, list):
        raise ValueError(f"no list of {member}")
    pairs = [(entry, entry) for entry in entries if isinstance(entry, dict)]
    if not _correct(entries, pairs, member, ENTRY):
        return body
    # NaN and Infinity are no JSON.
    return json.dumps(document, allow_nan=False).encode()


def _corrected_xml(body: bytes, member: str) -> bytes:
    if b"<!DOCTYPE" in body:
        raise ValueError("a DOCTYPE")
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - no DOCTYPE
    except (ElementTree.ParseError, LookupError) as error:
        raise ValueError(str(error)) from error
    if root.tag != f"{{{_COMMON}}}{member}":
        raise ValueError(f"the root is no {member}")
    elements: Any = root if member == "extensions" else [root]
    pairs = [
        (element, element.attrib)
        for element in elements
        if element.tag == f"{{{_COMMON}}}extension"
    ]
    entry = ElementTree.fromstring(DOCUMENTS["xml"])  # noqa: S314
    if not _correct(elements, pairs, member, entry):
        return body
    written: bytes = ElementTree.tostring(root, "utf-8", xml_declaration=True)
    return written


def _correct(
    entries: Any,
    pairs: list[tuple[Any, dict[str, Any]]],
    member: str,
    new: Any,
) -> bool:
    """Leave one correct entry, and return whether that changed anything.

    :param pairs: the entries with their members or attributes
    :param new: the entry that a list gets if it has none
    """
    own = [pair for pair in pairs if pair[1].get("alias") == ALIAS]
    if not own:
        if member == "extension":
            raise ValueError(f"no entry of {ALIAS}")
        entries.append(new)
        return True
    (_, first), *others = own
    if not others and CORRECTED.items() <= first.items():
        return False
    first.update(CORRECTED)
    surplus = [id(entry) for entry, _ in others]
    entries[:] = [each for each in entries if id(each) not in surplus]
    return True
