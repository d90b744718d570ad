"""Clients show the states of the records."""

import re

import pytest

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


def seen(client, call, endpoint, ids):
    """Return what a client shows: all servers, or one by one some of them."""
    adapter = client(endpoint)
    if call == "show":
        return {server_id: adapter.show(server_id) for server_id in ids}
    return unique(adapter.servers(call))


def unique(servers):
    found = dict(servers)
    assert len(found) == len(servers)
    return found


def assert_shown(found, records, down=()):
    """Assert that the states are those of records.

    From microversion 2.69 lists have servers in cells that are down, without
    states.
    """
    for server_id in down:
        assert not any(found.get(server_id, ()))
    reachable = {
        server_id: found[server_id]
        for server_id in found
        if server_id not in {*down}
    }
    assert reachable == {
        server_id: records[server_id][-len(shown) :]
        for server_id, shown in reachable.items()
    }
    assert all(len(shown) >= 2 for shown in reachable.values())


@pytest.mark.parametrize(("client", "call"), CALLS)
def test_states_are_those_of_the_records(client, call, backend):
    ids = list(backend.records)[::7]
    found = seen(client, call, backend.extended, ids)
    assert_shown(found, backend.records, backend.down)
    expected = ids if call == "show" else backend.records
    assert set(expected) == found.keys() - backend.down


@pytest.mark.parametrize("call", ["list", "detail"])
@pytest.mark.parametrize("client", [OpenStackSDK, NovaClient])
def test_pages_end_with_the_last_server(client, call, backend):
    adapter = client(backend.extended)
    whole = [
        server_id
        for server_id, _ in adapter.servers(call)
        if server_id not in backend.down
    ]
    paged = adapter.servers(call, limit=PAGE)
    assert len(whole) > 3 * PAGE
    assert [
        server_id for server_id, _ in paged if server_id not in backend.down
    ] == whole
    assert_shown(unique(paged), backend.records, backend.down)


@pytest.mark.parametrize("client", [OpenStackSDK, OpenStackClient])
def test_server_is_found_by_its_name(client, demo):
    for name, server_id in (("vm-04", 3), ("vm-40", 39)):
        shown = client(demo.extended).show(name)
        assert shown == list(demo.records.values())[server_id]


def test_openstackclient_has_a_word_for_each_power_state(demo):
    output = OpenStackClient(demo.extended).run(
        *("list", "--long", "-c", "ID", "-c", "Power State")
    )
    assert dict(re.findall(r"^\| (\S{36}) \| (\w+)", output, re.M)) == {
        server_id: POWER_STATES[power_state or 0]
        for server_id, (_, _, power_state) in demo.records.items()
    }
