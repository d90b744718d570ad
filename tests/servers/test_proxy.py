"""The filter in front of a real HTTP server, by Paste's proxy."""

import openstack
import pytest
from webtest.http import StopableWSGIServer

from tests.servers.pipelines import API, EXTENDED, loaded, pipeline

#: So few servers that clients follow links to further pages.
PAGE = 3


@pytest.fixture
def endpoint(tmp_path):
    """The proxy's endpoint; the server behind compresses its responses.

    A compressed response passes without states, so states show that the
    filter asked for a plain one.
    """
    behind = StopableWSGIServer.create(loaded(tmp_path, pipeline("gzip", API)))
    proxy = (
        "[app:proxy]\n"
        "use = egg:Paste#transparent_proxy\n"
        f"force_host = {behind.effective_host}:{behind.effective_port}\n"
    )
    front = StopableWSGIServer.create(
        loaded(tmp_path, pipeline(EXTENDED, "proxy"), proxy)
    )
    yield f"{front.application_url}v2.1"
    front.shutdown()
    behind.shutdown()


@pytest.mark.parametrize("details", [True, False])
def test_openstacksdk_pages_through_the_proxy(endpoint, details):
    # Links that led past the proxy would lead to pages without states.
    compute = openstack.connect(auth_type="none", endpoint=endpoint).compute
    servers = list(compute.servers(details=details, limit=PAGE))

    assert len({server.id for server in servers}) > 2 * PAGE
    assert all(server.vm_state for server in servers)
    assert all(isinstance(server.power_state, int) for server in servers)
    shown = compute.get_server(servers[0].id)
    assert shown.vm_state == servers[0].vm_state
