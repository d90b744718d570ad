"""apache-libcloud's nodes have the states in their ``extra``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from libcloud.compute.providers import get_driver
from libcloud.compute.types import Provider

from tests.clients.backends import TOKEN
from tests.clients.tally import version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from tests.clients.backends import Backend, States
    from tests.clients.tally import Tally

CLIENT = version("apache-libcloud")


def driver(endpoint: str) -> Any:
    return get_driver(Provider.OPENSTACK)(
        "user",
        "password",
        api_version="2.1",
        ex_force_auth_token=TOKEN,
        ex_force_auth_url=endpoint,
        ex_force_auth_version="3.x_password",
        ex_force_base_url=endpoint,
        ex_tenant_name="project",
    )


def states(nodes: Iterable[Any]) -> Mapping[str, States]:
    return {
        node.id: (
            node.extra["vm_state"],
            node.extra["task_state"],
            node.extra["power_state"],
        )
        for node in nodes
    }


def test_nodes_have_the_states_of_the_records(
    backend: Backend, tally: Tally
) -> None:
    nodes = driver(backend.extended).list_nodes()

    assert len(nodes) == len(backend.records) > 35
    assert states(nodes) == backend.records
    tally.count(CLIENT, backend.name, calls=1, servers=len(nodes))


def test_nodes_are_told_nothing_without_the_filter(backend: Backend) -> None:
    nodes = driver(backend.bare).list_nodes()

    assert states(nodes) == backend.without_filter("detail")


def test_node_has_the_states_of_its_record(
    backend: Backend, tally: Tally
) -> None:
    connection = driver(backend.extended)
    for server_id in backend.records:
        node = connection.ex_get_node_details(server_id)

        assert states([node]) == {server_id: backend.records[server_id]}
        tally.count(CLIENT, backend.name, calls=1, servers=1)


def test_node_is_told_nothing_without_the_filter(backend: Backend) -> None:
    connection = driver(backend.bare)
    nodes = [
        connection.ex_get_node_details(server_id)
        for server_id in backend.records
    ]

    assert states(nodes) == backend.without_filter("show")
