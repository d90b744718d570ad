"""A client of API v2 reads the states in XML."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
import webob
from lxml import etree

from nova_ext_sts import extension, filter_factory
from nova_ext_sts.demo import api, servers
from tests.clients.backends import served
from tests.support import api_v2

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PREFIX = f"{{{extension.NAMESPACE}}}"


@pytest.fixture
def endpoints(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """An API in XML, with the filter and without."""
    connection = f"sqlite:///{tmp_path}/x"
    servers.make(tmp_path / "x", servers.ALL_STATES)
    in_json = api.app_factory({}, connection=connection)

    def in_xml(
        environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        document = webob.Request(environ).get_response(in_json).json
        answer: Iterable[bytes] = webob.Response(
            api_v2.written(document), content_type="application/xml"
        )(environ, start_response)
        return answer

    extended = filter_factory({}, connection=connection)(in_xml)
    with served(extended) as with_filter, served(in_xml) as without:
        yield f"{with_filter}/v2.1", f"{without}/v2.1"


def parsed(url: str) -> Any:
    """Return the root of a response, from a parser that mends nothing."""
    with urllib.request.urlopen(url, timeout=30) as response:  # noqa: S310
        body = response.read()
    parser = etree.XMLParser(recover=False, resolve_entities=False)
    root = etree.fromstring(body, parser)
    # Breaches of the rules of namespaces are errors, too.
    assert list(parser.error_log) == []
    return root


@pytest.mark.parametrize(
    "path", ["", "/detail", f"/{servers.server_id('vm-04')}"]
)
def test_states_are_attributes_and_all_else_is_as_before(
    path: str, endpoints: tuple[str, str]
) -> None:
    root, bare = (
        parsed(f"{endpoint}/servers{path}") for endpoint in endpoints
    )
    assert root.nsmap[extension.ALIAS] == extension.NAMESPACE
    found = {}
    for server in root.iter(f"{{{api_v2.COMPUTE}}}server"):
        assert server.nsmap == root.nsmap
        found[server.get("name")] = tuple(
            server.attrib.pop(f"{PREFIX}{name}")
            for name in ("vm_state", "task_state", "power_state")
        )
    assert found == {
        name: tuple(map(str, states))
        for name, states in servers.ALL_STATES.items()
        if name == "vm-04" or "-" not in path
    }
    etree.cleanup_namespaces(root)
    for element in (*root.iter("{*}link"), *bare.iter("{*}link")):
        # Each endpoint has a port of its own.
        del element.attrib["href"]
    assert etree.tostring(root, method="c14n") == etree.tostring(
        bare, method="c14n"
    )
