"""python-novaclient's servers have the attributes OS-EXT-STS:*."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from keystoneauth1 import noauth, session
from novaclient import client

from nova_ext_sts import extension
from tests.clients.backends import UNTOLD
from tests.clients.tally import version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from tests.clients.backends import Backend, States
    from tests.clients.tally import Tally

CLIENT = version("python-novaclient")
PAGE = 7


def servers_of(endpoint: str, microversion: str = "2.1") -> Any:
    return client.Client(
        microversion,
        session=session.Session(auth=noauth.NoAuth(endpoint=endpoint)),
    ).servers


def states(servers: Iterable[Any]) -> Mapping[str, States]:
    """Return the states of servers that have all of them, or none."""
    found: dict[str, States] = {}
    for server in servers:
        document = server.to_dict()
        present = [name in document for name in extension.ATTRIBUTES]
        assert all(present) or not any(present)
        found[server.id] = UNTOLD
        if all(present):
            vm_state, task_state, power_state = (
                getattr(server, name) for name in extension.ATTRIBUTES
            )
            found[server.id] = vm_state, task_state, power_state
    return found


@pytest.mark.parametrize("microversion", ["2.1", "2.96"])
@pytest.mark.parametrize(
    ("call", "detailed"), [("list", False), ("detail", True)]
)
def test_servers_have_the_states_of_the_records(
    call: str,
    detailed: bool,
    microversion: str,
    backend: Backend,
    tally: Tally,
) -> None:
    servers = servers_of(backend.extended, microversion).list(
        detailed=detailed
    )

    assert len({server.id for server in servers}) == len(servers) > 35
    assert backend.reachable(states(servers)) == backend.records
    tally.count(CLIENT, backend.name, calls=1, servers=len(servers))


@pytest.mark.parametrize(
    ("call", "detailed"), [("list", False), ("detail", True)]
)
def test_servers_lack_the_attributes_without_the_filter(
    call: str, detailed: bool, backend: Backend
) -> None:
    servers = servers_of(backend.bare).list(detailed=detailed)

    assert states(servers) == backend.without_filter(call)


@pytest.mark.parametrize("detailed", [False, True])
def test_pages_end_with_the_last_server(
    detailed: bool, backend: Backend, tally: Tally
) -> None:
    servers = servers_of(backend.extended)
    whole = [server.id for server in servers.list(detailed=detailed)]
    paged: list[Any] = []
    while page := servers.list(
        detailed=detailed,
        limit=PAGE,
        marker=paged[-1].id if paged else None,
    ):
        assert len(page) == min(PAGE, len(whole) - len(paged))
        paged += page
        tally.count(CLIENT, backend.name, calls=1, servers=len(page))

    assert [server.id for server in paged] == whole
    assert states(paged) == backend.records


def test_client_that_pages_by_itself_comes_to_the_end(
    backend: Backend, tally: Tally
) -> None:
    servers = servers_of(backend.extended).list(limit=-1)

    assert len(servers) == len(backend.records)
    assert states(servers) == backend.records
    tally.count(CLIENT, backend.name, calls=2, servers=len(servers))


def test_get_has_the_states_of_its_record(
    backend: Backend, tally: Tally
) -> None:
    servers = servers_of(backend.extended)
    for server_id in backend.records:
        shown = servers.get(server_id)

        assert states([shown]) == {server_id: backend.records[server_id]}
        tally.count(CLIENT, backend.name, calls=1, servers=1)


def test_get_lacks_the_attributes_without_the_filter(
    backend: Backend,
) -> None:
    servers = servers_of(backend.bare)
    shown = [servers.get(server_id) for server_id in backend.records]

    assert states(shown) == backend.without_filter("show")
