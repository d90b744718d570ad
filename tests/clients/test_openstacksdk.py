"""openstacksdk shows the states of the records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import openstack
import pytest

from tests.clients.tally import version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from tests.clients.backends import Backend, States
    from tests.clients.tally import Tally

CLIENT = version("openstacksdk")


def connected(endpoint: str) -> Any:
    return openstack.connect(auth_type="none", endpoint=endpoint)


def states(servers: Iterable[Any]) -> Mapping[str, States]:
    return {
        server.id: (server.vm_state, server.task_state, server.power_state)
        for server in servers
    }


@pytest.mark.parametrize(
    ("call", "details"), [("list", False), ("detail", True)]
)
def test_servers_have_the_states_of_the_records(
    call: str, details: bool, backend: Backend, tally: Tally
) -> None:
    compute = connected(backend.extended).compute
    servers = list(compute.servers(details=details))

    assert len({server.id for server in servers}) == len(servers) > 35
    assert backend.reachable(states(servers)) == backend.records
    tally.count(CLIENT, backend.name, calls=1, servers=len(servers))


@pytest.mark.parametrize(
    ("call", "details"), [("list", False), ("detail", True)]
)
def test_servers_are_told_nothing_without_the_filter(
    call: str, details: bool, backend: Backend
) -> None:
    compute = connected(backend.bare).compute
    told = states(compute.servers(details=details))

    assert backend.reachable(told) == backend.without_filter(call)


@pytest.mark.parametrize("details", [False, True])
def test_pages_end_with_the_last_server(
    details: bool, backend: Backend, tally: Tally
) -> None:
    compute = connected(backend.extended).compute
    servers = list(compute.servers(details=details, limit=7))

    assert len(servers) == len(backend.records)
    assert states(servers) == backend.records
    tally.count(
        CLIENT, backend.name, calls=len(servers) // 7 + 1, servers=len(servers)
    )


def test_get_server_has_the_states_of_its_record(
    backend: Backend, tally: Tally
) -> None:
    compute = connected(backend.extended).compute
    for server_id in backend.records:
        shown = compute.get_server(server_id)

        assert states([shown]) == {server_id: backend.records[server_id]}
        tally.count(CLIENT, backend.name, calls=1, servers=1)


def test_get_server_is_told_nothing_without_the_filter(
    backend: Backend,
) -> None:
    compute = connected(backend.bare).compute
    shown = [compute.get_server(server_id) for server_id in backend.records]

    assert states(shown) == backend.without_filter("show")


def test_find_server_by_name_has_the_states_of_its_record(
    backend: Backend, tally: Tally
) -> None:
    compute = connected(backend.extended).compute
    server = next(compute.servers(limit=1))
    found = compute.find_server(server.name)

    assert states([found]) == {server.id: backend.records[server.id]}
    tally.count(CLIENT, backend.name, calls=1, servers=1)
