"""Bodies as a Compute API writes them, from which hostile ones are made."""

from __future__ import annotations

import json
from typing import Any
from xml.sax.saxutils import quoteattr

from tests.hostile.filtering import FIRST, SECOND

COMPUTE = "http://docs.openstack.org/compute/api/v1.1"
_BASE = "http://127.0.0.1:8774/v2.1/servers"


def _server(server_id: str, **members: Any) -> dict[str, Any]:
    """Return a server as Nova 34 shows it, with what tenants control in it."""
    return {
        "id": server_id,
        "name": 'web "1" é\u2603',
        "status": "ACTIVE",
        "tenant_id": "6f70656e737461636b206578742d7374",
        "user_id": "fake",
        "metadata": {"servers": "[{}]", "OS-EXT-STS:vm_state": "mine"},
        "image": {"id": SECOND, "links": [{"rel": "self", "href": _BASE}]},
        "flavor": {"vcpus": 1, "extra_specs": {"hw:mem_page_size": "large"}},
        "created": "2026-01-01T00:00:00Z",
        "addresses": {"private": [{"version": 4, "addr": "10.0.0.1"}]},
        "links": [{"rel": "self", "href": f"{_BASE}/{server_id}"}],
        "progress": 0,
        "key_name": None,
        "security_groups": [{"name": "default"}],
        **members,
    }


_STATES = {
    "OS-EXT-STS:task_state": None,
    "OS-EXT-STS:vm_state": "error",
    "OS-EXT-STS:power_state": 0,
}
_BRIEF = [{"id": each, "name": "x", "links": []} for each in (FIRST, SECOND)]
_NEXT = [{"rel": "next", "href": f"{_BASE}?marker={SECOND}"}]
_DETAIL = [
    _server(FIRST),
    {"id": SECOND, "status": "UNKNOWN", "tenant_id": "x"},
    _server("a", **_STATES),
    _server("gone"),
]

#: (call, body)
JSON = [
    ("list", json.dumps({"servers": _BRIEF, "servers_links": _NEXT}).encode()),
    ("detail", json.dumps({"servers": _DETAIL}).encode()),
    ("show", json.dumps({"server": _server(FIRST)}).encode()),
    (
        "show",
        json.dumps(
            {"server": _server("b", **_STATES)},
            ensure_ascii=False,
            separators=(",", ":"),
        ).encode(),
    ),
]


def _in_xml(server_id: str, namespace: str = "") -> str:
    """Return a server as API v2 wrote it."""
    server = _server(server_id)
    names = ("status", "tenant_id", "created", "name", "progress", "id")
    attributes = "".join(
        f" {name}={quoteattr(str(server[name]))}" for name in names
    )
    return (
        f"<server{namespace}{attributes}>"
        f'<image id="{SECOND}"><atom:link href="{_BASE}" rel="self"/></image>'
        '<metadata><meta key="servers">[{}] &lt;server/&gt;</meta></metadata>'
        '<addresses><network id="private"><ip version="4" addr="10.0.0.1"/>'
        "</network></addresses></server>"
    )


_SERVERS = "".join(map(_in_xml, (FIRST, SECOND, "gone")))
_ROOT = f' xmlns:atom="http://www.w3.org/2005/Atom" xmlns="{COMPUTE}"'
_HEAD = "<?xml version='1.0' encoding='UTF-8'?>\n"
XML = [
    (
        "list",
        f'{_HEAD}<servers{_ROOT}><server id="{FIRST}" name="x"/>\n'
        f'<server id="{SECOND}" name="x"/><atom:link rel="next"/></servers>'
        "\n".encode(),
    ),
    ("detail", f"{_HEAD}<servers{_ROOT}>{_SERVERS}</servers>".encode()),
    ("show", f"{_HEAD}{_in_xml(SECOND, _ROOT)}".encode()),
]
