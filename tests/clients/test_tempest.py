"""Tempest's client takes the responses: its schemas allow no member more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tempest.lib import exceptions
from tempest.lib.services.compute import base_compute_client
from tempest.lib.services.compute.servers_client import ServersClient

from nova_ext_sts import extension
from tests.clients.backends import TOKEN
from tests.clients.tally import version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from tests.clients.backends import Backend, States
    from tests.clients.tally import Tally

CLIENT = version("tempest")

#: Both ends of each range of microversions that has schemas of its own; the
#: last has no end.
MICROVERSIONS = sorted(
    {
        str(found)
        for versions in ServersClient.schema_versions_info
        for found in (versions["min"] or "2.1", versions["max"])
        if found
    },
    key=lambda text: int(text.partition(".")[2]),
)

#: What Tempest has schemas for: any server whose power state is known, in a
#: cell that answers. Where there is a filter, Nova leaves out all others.
QUERY = {"name": "^(?!power unknown$)"}


class Authentication:
    """As much of Tempest's own as its client asks for."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def base_url(self, filters: Any) -> str:
        return self._endpoint

    def auth_request(
        self, method: str, url: str, headers: Any, body: Any, filters: Any
    ) -> tuple[str, dict[str, str], Any]:
        return (
            f"{self._endpoint}/{url}",
            {**headers, "X-Auth-Token": TOKEN},
            body,
        )


def connected(endpoint: str) -> Any:
    return ServersClient(Authentication(endpoint), "compute", "region")


@pytest.fixture(params=MICROVERSIONS)
def microversion(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Have Tempest use each microversion in turn."""
    chosen: str = request.param
    monkeypatch.setattr(base_compute_client, "COMPUTE_MICROVERSION", chosen)
    return chosen


def states_of(servers: Iterable[Mapping[str, Any]]) -> Mapping[str, States]:
    found: dict[str, States] = {}
    for server in servers:
        vm_state, task_state, power_state = (
            server[name] for name in extension.ATTRIBUTES
        )
        found[server["id"]] = vm_state, task_state, power_state
    return found


def test_every_range_of_microversions_has_its_turn() -> None:
    assert len(ServersClient.schema_versions_info) > 25
    assert MICROVERSIONS[0] == "2.1"
    assert MICROVERSIONS[-1] == ServersClient.schema_versions_info[-1]["min"]


@pytest.mark.usefixtures("microversion")
def test_responses_are_valid_where_the_list_is_left_bare(
    nova_behind_shim_for_tempest: Backend, tally: Tally
) -> None:
    backend = nova_behind_shim_for_tempest
    records = {
        server_id: states
        for server_id, states in backend.records.items()
        if states[2] is not None
    }
    client = connected(backend.extended)
    listed = client.list_servers(**QUERY)["servers"]
    assert {server["id"] for server in listed} == records.keys()
    assert not any(
        name in server for server in listed for name in extension.ATTRIBUTES
    )

    detailed = client.list_servers(detail=True, **QUERY)["servers"]
    assert states_of(detailed) == records

    chosen = list(records)[::9]
    shown = [client.show_server(id_)["server"] for id_ in chosen]
    assert states_of(shown) == {id_: records[id_] for id_ in chosen}
    tally.count(
        CLIENT,
        backend.name,
        calls=2 + len(shown),
        servers=len(listed) + len(detailed) + len(shown),
    )


@pytest.mark.usefixtures("microversion")
def test_list_with_states_is_what_tempest_refuses(
    nova_as_it_is: Backend,
) -> None:
    """Why a site that Tempest tests sets ``calls``."""
    assert connected(nova_as_it_is.bare).list_servers(limit=1)["servers"]
    with pytest.raises(
        exceptions.InvalidHTTPResponseBody, match=extension.ATTRIBUTES[0]
    ):
        connected(nova_as_it_is.extended).list_servers(limit=1)
