"""What is right about the filter's result for an XML body.

Written without the filter's means: ElementTree reads both bodies and finds
the servers that need states and any other change. Removing what looks like an
insertion shows whether bytes were lost.
"""

from __future__ import annotations

import contextlib
import io
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from nova_ext_sts.extension import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nova_ext_sts.states import States

_SERVER = "{http://docs.openstack.org/compute/api/v1.1}server"
_STATES = [
    f"{{{NAMESPACE}}}{name}"
    for name in ("vm_state", "task_state", "power_state")
]
_INSERTED = re.compile(
    rb' OS-EXT-STS2*:(?:vm|task|power)_state="[^"<]*"'
    rb'| xmlns:OS-EXT-STS2*="' + NAMESPACE.encode() + b'"'
)
#: ElementTree takes minutes to write some larger bodies.
_LARGE = 100_000
#: XML 1.0, section 2.2.
_NO_CHARACTER = re.compile(
    "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
_DECLARED = re.compile(
    rb"(?:\xef\xbb\xbf)?<\?xml[^>]*encoding\s*=\s*.([^'\"]*)"
)

#: A namespace that ElementTree cannot tell from a name in it.
_NO_NAMESPACE = re.compile(rb"xmlns[^=<>]*=\s*(?:\"[^\"]*\}|'[^']*\})")


def fault(
    body: bytes,
    result: bytes,
    call: str,
    records: Mapping[str, States],
    *,
    overwrite: bool,
) -> str:
    """Return what is wrong with the filter's result, or nothing."""
    if _NO_NAMESPACE.search(body):
        return ""
    before = _root(body)
    wanted = _wanted(before, call, records, overwrite=overwrite)
    if result == body:
        return "lacks its states" if wanted else ""
    if not wanted:
        return "is changed"
    # Own states, which look like insertions, are compared below.
    if not overwrite and _INSERTED.sub(b"", result) != _INSERTED.sub(
        b"", body
    ):
        return "has lost or changed bytes"
    after = _root(result)
    if after is None:
        return "cannot be read any more"
    if len(body) < _LARGE and _canonical(result) != _canonical(body):
        return "is changed in more than states"
    for number, server in enumerate(_servers(after, call)):
        given = [server.get(name) for name in _STATES]
        if given != wanted.get(number, given):
            return f"has {given} for {wanted[number]}"
    return ""


def _root(body: bytes) -> ElementTree.Element | None:
    """Return the root of a body that the filter can read."""
    declared = _DECLARED.match(body)
    if (
        b"\0" in body
        or b"<!DOCTYPE" in body
        or (declared and declared[1].lower() != b"utf-8")
    ):
        return None
    with contextlib.suppress(ElementTree.ParseError, ValueError, LookupError):
        body.decode()
        return ElementTree.fromstring(body)  # noqa: S314 - no DOCTYPE
    return None


def _servers(
    root: ElementTree.Element | None, call: str
) -> list[ElementTree.Element]:
    if root is None:
        return []
    if call == "show":
        return [root] if root.tag == _SERVER else []
    nested = root.find(f"{_SERVER}//{_SERVER}")
    if root.tag != f"{_SERVER}s" or nested is not None:
        return []  # Servers inside servers are no response that is known.
    return root.findall(_SERVER)


def _wanted(
    root: ElementTree.Element | None,
    call: str,
    records: Mapping[str, States],
    *,
    overwrite: bool,
) -> dict[int, list[str]]:
    """Return the states of those servers that must be changed."""
    wanted = {}
    for number, server in enumerate(_servers(root, call)):
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
        from_file=io.BytesIO(body),
        with_comments=True,
        # Of two prefixes of a namespace it would choose one.
        rewrite_prefixes=True,
        exclude_attrs=_STATES,
    )
