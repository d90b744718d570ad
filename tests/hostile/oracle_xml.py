"""What the filter has to make of an XML body, by another way than its own.

ElementTree reads both bodies, and says which servers had to get states, and
whether anything else has changed. That no byte was lost is told by taking out
again what looks like an insertion.
"""

from __future__ import annotations

import contextlib
import io
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree
from xml.parsers import expat

from nova_ext_sts.extension import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nova_ext_sts.states import States

_COMPUTE = "{http://docs.openstack.org/compute/api/v1.1}"
_STATES = [
    f"{{{NAMESPACE}}}{name}"
    for name in ("vm_state", "task_state", "power_state")
]
_INSERTED = re.compile(
    rb' [^\s="<>/]+:(?:vm|task|power)_state="[^"<]*"'
    rb'| xmlns:OS-EXT-STS\d*="' + NAMESPACE.encode() + b'"'
)
#: From this size on ElementTree takes minutes to write some bodies out anew.
_LARGE = 100_000
#: XML 1.0, section 2.2.
_NO_CHARACTER = re.compile(
    "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)


def faults(
    body: bytes,
    result: bytes,
    call: str,
    records: Mapping[str, States],
    *,
    overwrite: bool,
) -> str:
    """Return what is wrong with what came out, or nothing."""
    before = _root(body)
    if result == body:
        if before is None or not _wanted(
            before, call, records, overwrite=overwrite
        ):
            return ""
        return "lacks its states"
    if _has_doctype(body):
        return "has a DOCTYPE, and is changed"
    if not overwrite and not is_with_insertions(result, body):
        return "has lost or changed bytes"
    if before is None:
        # Prefixes that are not bound are no matter to XML 1.0 itself.
        return "" if _is_well_formed(result) else "is no longer well-formed"
    after = _root(result)
    if after is None:
        return "cannot be read any more"
    if len(body) < _LARGE and _canonical(result) != _canonical(body):
        return "is changed in more than states"
    wanted = _wanted(before, call, records, overwrite=overwrite)
    servers = _servers(after, call)
    for element in after.iter():
        original = servers.get(element)
        given = [element.get(name) for name in _STATES]
        due = None if original is None else wanted.get(original)
        if due is not None and given != due:
            return f"has {given} for {due}"
    return "" if wanted else "is changed without need"


def _root(body: bytes) -> ElementTree.Element | None:
    with contextlib.suppress(ElementTree.ParseError, ValueError, LookupError):
        if b"<!DOCTYPE" not in body.replace(b"\0", b""):
            return ElementTree.fromstring(body)  # noqa: S314 - no DOCTYPE
    return None


def _servers(
    root: ElementTree.Element, call: str
) -> dict[ElementTree.Element, int]:
    """Return the servers that count, by their place."""
    if call == "show":
        found = [root] if root.tag == f"{_COMPUTE}server" else []
    elif root.tag == f"{_COMPUTE}servers":
        found = [each for each in root if each.tag == f"{_COMPUTE}server"]
    else:
        found = []
    return {server: number for number, server in enumerate(found)}


def _wanted(
    root: ElementTree.Element,
    call: str,
    records: Mapping[str, States],
    *,
    overwrite: bool,
) -> dict[int, list[str]]:
    """Return the states of those servers that must be changed."""
    wanted = {}
    for server, number in _servers(root, call).items():
        if server.get("status") == "UNKNOWN" and server.get("name") is None:
            continue
        states = records.get(server.get("id", ""))
        if states is None:
            continue
        given = [server.get(name) for name in _STATES]
        due = [_NO_CHARACTER.sub("\ufffd", str(state)) for state in states]
        if not overwrite:
            due = [
                mine if own is None else own
                for own, mine in zip(given, due, strict=True)
            ]
        if due != given:
            wanted[number] = due
    return wanted


def _canonical(body: bytes) -> str:
    return ElementTree.canonicalize(
        from_file=io.BytesIO(body), with_comments=True, exclude_attrs=_STATES
    )


def _has_doctype(body: bytes) -> bool:
    seen: list[object] = []
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = lambda *parts: seen.append(parts)
    with contextlib.suppress(expat.ExpatError, LookupError, ValueError):
        parser.Parse(body, True)
    return bool(seen)


def _is_well_formed(body: bytes) -> bool:
    try:
        expat.ParserCreate().Parse(body, True)
    except (expat.ExpatError, LookupError, ValueError):
        return False
    return True


def is_with_insertions(result: bytes, body: bytes) -> bool:
    """Say whether a result is a body with nothing but insertions."""
    if b"\0" in body[:4] or body.startswith((b"\xff\xfe", b"\xfe\xff")):
        # In UTF-16 the characters in ASCII tell as much.
        result, body = (text.replace(b"\0", b"") for text in (result, body))
    if _INSERTED.sub(b"", result) == body:
        return True
    # The body has what looks like an insertion: every reading is tried.
    ends = {0}
    for place in range(len(body) + 1):
        reached = {place + length for length in ends}
        for _ in range(4):
            matches = (_INSERTED.match(result, end) for end in reached)
            reached |= {match.end() for match in matches if match}
        if place == len(body):
            return len(result) in reached
        ends = {
            end - place
            for end in reached
            if result[end : end + 1] == body[place : place + 1]
        }
    return False
