"""Clients show the states of the records."""

import re

import pytest

from nova_ext_sts.demo.servers import ALL_STATES
from nova_ext_sts.states import POWER_STATES
from tests.clients.adapters import (
    ADAPTERS,
    NovaClient,
    OpenStackClient,
    OpenStackSDK,
)

PAGE = 7

#: Each call that each client makes.
CALLS = [
    pytest.param(client, call, id=f"{client.__name__} {call}")
    for client in ADAPTERS
    for call in client.calls
]


def assert_shown(found, ids, backend):
    """Assert that servers are shown once, with the states of their records.

    From microversion 2.69 lists have servers in cells that are down, without
    states.
    """
    for server_id, shown in found:
        if server_id in backend.down:
            assert not any(shown)
        else:
            # openstack server list has no column for the VM state.
            assert len(shown) >= 2
            assert shown == backend.records[server_id][-len(shown) :]
    reachable = [each for each, _ in found if each not in backend.down]
    assert sorted(reachable) == sorted(ids)


@pytest.mark.parametrize(("client", "call"), CALLS)
def test_states_are_those_of_the_records(client, call, backend):
    adapter = client(backend.endpoint)
    if call == "show":
        # Each takes Nova a tenth of a second.
        ids = list(backend.records)[::7]
        shown = [(server_id, adapter.show(server_id)) for server_id in ids]
        assert_shown(shown, ids, backend)
    else:
        assert_shown(adapter.servers(call), backend.records, backend)


@pytest.mark.parametrize("call", ["list", "detail"])
@pytest.mark.parametrize("client", [OpenStackSDK, NovaClient])
def test_pages_end_with_the_last_server(client, call, backend):
    assert len(backend.records) > 3 * PAGE
    paged = client(backend.endpoint).servers(call, limit=PAGE)
    assert_shown(paged, backend.records, backend)


@pytest.mark.parametrize("client", [OpenStackSDK, OpenStackClient])
def test_server_is_found_by_its_name(client, demo):
    for name in ("vm-04", "vm-40"):
        assert client(demo.endpoint).show(name) == ALL_STATES[name]


def test_openstackclient_has_a_word_for_each_power_state(demo):
    output = OpenStackClient(demo.endpoint).run(
        *("list", "--long", "-c", "ID", "-c", "Power State")
    )
    assert dict(re.findall(r"^\| (\S{36}) \| (\w+)", output, re.M)) == {
        server_id: POWER_STATES[power_state or 0]
        for server_id, (_, _, power_state) in demo.records.items()
    }
