"""Response bodies of any length, and the records of their servers.

``nova-34-server.json`` is a server as Nova 34.0.0 writes it in a detail list
at microversion 2.104; ``api-2-server.xml`` is one in the XML of API v2.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

from nova_ext_sts import extension
from nova_ext_sts.states import States

_DIRECTORY = Path(__file__).parent
_SERVER: dict[str, Any] = json.loads(
    (_DIRECTORY / "nova-34-server.json").read_text()
)
_XML_SERVER = (_DIRECTORY / "api-2-server.xml").read_text()
_XML = "http://docs.openstack.org/compute"
_ID: str = _SERVER["id"]

ACTIVE = States("active", None, 1)


def server_id(number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))


def records(count: int) -> dict[str, States]:
    """Return the records of the servers in a body."""
    return {server_id(number): ACTIVE for number in range(count)}


def with_states(count: int) -> bytes:
    """Return a detail list with Nova's own states."""
    return _list(_SERVER, count)


def without_states(count: int) -> bytes:
    """Return a detail list whose servers have no states."""
    server = {
        name: value
        for name, value in _SERVER.items()
        if name not in extension.ATTRIBUTES
    }
    return _list(server, count)


def plain(count: int) -> bytes:
    """Return a plain list."""
    return _list(
        {name: _SERVER[name] for name in ("id", "name", "links")}, count
    )


def xml(count: int) -> bytes:
    """Return a detail list in XML, without states."""
    servers = "".join(
        _XML_SERVER.replace(_ID, server_id(number)) for number in range(count)
    )
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        f'<servers xmlns="{_XML}/api/v1.1" '
        'xmlns:atom="http://www.w3.org/2005/Atom" '
        f'xmlns:OS-DCF="{_XML}/ext/disk_config/api/v1.1" '
        f'xmlns:OS-EXT-AZ="{_XML}/ext/extended_availability_zone/api/v2" '
        f'xmlns:OS-SRV-USG="{_XML}/ext/server_usage/api/v1.1">'
        f"{servers}</servers>"
    ).encode()


def _list(server: dict[str, Any], count: int) -> bytes:
    text = json.dumps(server)
    servers = [text.replace(_ID, server_id(number)) for number in range(count)]
    return f'{{"servers": [{", ".join(servers)}]}}'.encode()
