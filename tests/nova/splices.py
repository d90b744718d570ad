"""Finds the states in a response body, and takes them out of it.

It shares no code and no library but json with the filter that it checks.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    States = tuple[str | None, str | None, int | None]

STATES = (
    "OS-EXT-STS:vm_state",
    "OS-EXT-STS:task_state",
    "OS-EXT-STS:power_state",
)


def states(server: dict[str, Any]) -> States | None:
    """Return a server's three states, None if it has none of them.

    :raises AssertionError: it has some and not all
    """
    present = [name for name in STATES if name in server]
    assert present in ([], [*STATES]), server
    if not present:
        return None
    return server[STATES[0]], server[STATES[1]], server[STATES[2]]


def without_states(body: bytes) -> bytes:
    """Return what Nova would have written if it had no states."""
    document = json.loads(body)
    # Dumping less of a document changes no other byte, if dumping it whole
    # gives the same bytes.
    assert json.dumps(document).encode() == body
    for server in _servers(document):
        # The stand-in for a server in a cell that is down has a power state
        # and no more, and stays as it is.
        if all(name in server for name in STATES):
            for name in STATES:
                del server[name]
    return json.dumps(document).encode()


def unspliced(body: bytes, records: Mapping[str, States]) -> bytes:
    """Return a body without the bytes that the filter adds for records.

    :raises ValueError: they are not there
    """
    kept = b""
    for server in _servers(json.loads(body)):
        if server["id"] in records:
            added = dict(zip(STATES, records[server["id"]], strict=True))
            before, found, body = body.partition(
                b", " + json.dumps(added)[1:-1].encode()
            )
            if not found:
                raise ValueError(f"{server['id']} has no states")
            kept += before
    return kept + body


def _servers(document: Any) -> list[dict[str, Any]]:
    if not isinstance(document, dict):
        return []
    servers = document.get("servers", [document.get("server")])
    return [server for server in servers if isinstance(server, dict)]
