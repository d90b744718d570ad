"""Bodies as Nova 34 writes them, of any length.

``nova-34-detail.json`` is what Nova 34.0.0 answered to GET of
/servers/detail?limit=2 at microversion 2.104, with three servers of
``tests.nova.fleet``.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

from nova_ext_sts import extension
from nova_ext_sts.demo import xml
from nova_ext_sts.states import States

_SERVER: dict[str, Any] = json.loads(
    Path(__file__).with_name("nova-34-detail.json").read_text()
)["servers"][0]

ACTIVE = States("active", None, 1)


def server_id(number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))


def with_states(count: int) -> bytes:
    """Return a detail list with the states that Nova gives itself."""
    return _written([_server(number) for number in range(count)])


def without_states(count: int) -> bytes:
    """Return a detail list from before Nova had them."""
    return _written([_without_states(number) for number in range(count)])


def listed(count: int) -> bytes:
    """Return a plain list."""
    return _written(
        [
            {name: _server(number)[name] for name in ("id", "name", "links")}
            for number in range(count)
        ]
    )


def in_xml(count: int) -> bytes:
    """Return a detail list in the XML of API v2.

    Only with the simple members that it had: a colon is a namespace there.
    """
    addresses = {"private": [{"version": 4, "addr": "10.0.0.4"}]}
    servers = [
        {
            name: value
            for name, value in _without_states(number).items()
            if ":" not in name
        }
        | {"addresses": addresses}
        for number in range(count)
    ]
    written: bytes = xml.written({"servers": servers})
    return written


def records(count: int) -> dict[str, States]:
    """Return the states of the servers in those bodies."""
    return {server_id(number): ACTIVE for number in range(count)}


def _server(number: int) -> dict[str, Any]:
    text = json.dumps(_SERVER).replace(_SERVER["id"], server_id(number))
    server: dict[str, Any] = json.loads(text)
    return server | {"name": f"server-{number}"}


def _without_states(number: int) -> dict[str, Any]:
    return {
        name: value
        for name, value in _server(number).items()
        if name not in extension.ATTRIBUTES
    }


def _written(servers: list[dict[str, Any]]) -> bytes:
    return json.dumps({"servers": servers}).encode()
