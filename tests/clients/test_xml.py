"""What a client of API v2 reads in XML are the states of the records."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from nova_ext_sts import extension
from tests.clients.tally import version

if TYPE_CHECKING:
    from typing import Any

    from tests.clients.backends import Backend, States
    from tests.clients.tally import Tally

CLIENT = version("lxml")
NAMES = tuple(
    f"{{{extension.NAMESPACE}}}{name}"
    for name in ("vm_state", "task_state", "power_state")
)
SERVER = "{http://docs.openstack.org/compute/api/v1.1}server"


def parsed(url: str, accept: str = "application/xml") -> Any:
    """Return the root of a response, as a parser has it that mends nothing."""
    request = urllib.request.Request(  # noqa: S310
        url, headers={"Accept": accept}
    )
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
        assert response.headers["Content-Type"] == "application/xml"
        body = response.read()
    parser = etree.XMLParser(
        recover=False, resolve_entities=False, load_dtd=False
    )
    root = etree.fromstring(body, parser)
    # Where a breach of the rules of namespaces would stand, too.
    assert list(parser.error_log) == []
    return root


def written(states: States) -> dict[str, str]:
    """Return the attributes of a server with these states."""
    return dict(zip(NAMES, map(str, states), strict=True))


def attributes(root: Any) -> dict[str, dict[str, str]]:
    """Return each server's attributes in the extension's namespace."""
    return {
        server.get("id"): {
            name: value
            for name, value in server.attrib.items()
            if name.startswith(f"{{{extension.NAMESPACE}}}")
        }
        for server in root.iter(SERVER)
    }


def paths(demo: Backend) -> dict[str, list[str]]:
    """Return the paths of each call that together give all servers."""
    return {
        "list": ["/servers.xml"],
        "detail": ["/servers/detail.xml"],
        "show": [f"/servers/{server_id}.xml" for server_id in demo.records],
    }


@pytest.mark.parametrize("call", ["list", "detail", "show"])
def test_servers_have_the_states_of_the_records(
    call: str, demo: Backend, tally: Tally
) -> None:
    found: dict[str, dict[str, str]] = {}
    for path in paths(demo)[call]:
        root = parsed(demo.extended + path)
        # Declared once, where Nova declared it.
        assert root.nsmap[extension.ALIAS] == extension.NAMESPACE
        assert all(
            element.nsmap == root.nsmap for element in root.iter(SERVER)
        )
        servers = attributes(root)
        found |= servers
        tally.count(CLIENT, demo.name, calls=1, servers=len(servers))

    assert found == {
        server_id: written(states)
        for server_id, states in demo.records.items()
    }


@pytest.mark.parametrize("call", ["list", "detail", "show"])
def test_all_else_is_as_without_the_filter(call: str, demo: Backend) -> None:
    for path in paths(demo)[call]:
        bare = parsed(demo.bare + path)
        root = parsed(demo.extended + path)
        assert set(map(len, attributes(bare).values())) == {0}
        for server in root.iter(SERVER):
            for name in NAMES:
                del server.attrib[name]
        etree.cleanup_namespaces(root)
        for element in (*bare.iter("{*}link"), *root.iter("{*}link")):
            # Each endpoint has a port of its own.
            element.attrib.pop("href")

        assert etree.tostring(root, method="c14n") == etree.tostring(
            bare, method="c14n"
        )


def test_header_does_as_well_as_an_ending(demo: Backend) -> None:
    for path in ("/servers", "/servers/detail"):
        assert attributes(parsed(demo.extended + path)) == attributes(
            parsed(f"{demo.extended}{path}.xml", accept="*/*")
        )


def test_pages_end_with_the_last_server(demo: Backend, tally: Tally) -> None:
    found: dict[str, dict[str, str]] = {}
    url: str | None = f"{demo.extended}/servers/detail.xml?limit=7"
    while url:
        root = parsed(url)
        servers = attributes(root)
        assert not servers.keys() & found
        found |= servers
        url = next(
            (
                link.get("href")
                for link in root.iterchildren("{*}link")
                if link.get("rel") == "next"
            ),
            None,
        )
        tally.count(CLIENT, demo.name, calls=1, servers=len(servers))

    assert found == {
        server_id: written(states)
        for server_id, states in demo.records.items()
    }
