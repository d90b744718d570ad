"""Where there is nothing to add, Nova's own bytes go out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.nova.client import Api
from tests.nova.comparison import assert_length, assert_same
from tests.nova.fleet import HOST, OTHER_PROJECT, Server, create
from tests.nova.installation import ADMIN, DOWN_CELL
from tests.nova.splices import states

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.nova.client import Answer, Client
    from tests.nova.conftest import Tally

UNKNOWN = "11111111-2222-3333-4444-555555555555"


def test_blind_filter_fails_where_it_has_to_look_up(
    api: Api, with_blind_filter: Client
) -> None:
    """What the tests below rest on: no answer of this filter's had a lookup.

    Nova's list has no states, so each of its servers would be looked up.
    """
    answer = with_blind_filter.get(api, "/servers?limit=1")

    assert answer.status.startswith("503 ")
    assert set(answer.document) == {"serviceUnavailable"}
    assert answer.document["serviceUnavailable"]["code"] == 503
    assert "Retry-After" in dict(answer.headers)
    assert_length(answer)


@pytest.mark.parametrize(
    "path",
    [
        "/servers/detail",
        "/servers/detail?deleted=true",
        "/servers/detail?limit=9",
        f"/{ADMIN['X-Project-Id']}/servers/detail?all_tenants=1&limit=1000",
    ],
)
def test_detail_with_novas_own_states_stays_without_a_lookup(
    path: str,
    api: Api,
    nova_alone: Client,
    with_filter: Client,
    with_blind_filter: Client,
    tally: Tally,
) -> None:
    said = nova_alone.get(api, path)
    assert said.status == "200 OK"
    assert any(states(server) for server in said.servers)
    for client in (with_filter, with_blind_filter):
        passed = client.get(api, path)
        assert_same(passed, said)
        tally.count(api, passed)


def test_show_with_novas_own_states_stays_without_a_lookup(
    api: Api,
    shown_by_nova: dict[str, Answer],
    with_blind_filter: Client,
    tally: Tally,
) -> None:
    for server_id, said in shown_by_nova.items():
        passed = with_blind_filter.get(api, f"/servers/{server_id}")
        assert_same(passed, said)
        tally.count(api, passed)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/flavors",
        "/flavors/detail",
        "/flavors/1",
        "/limits",
        "/os-availability-zone/detail",
        "/os-hypervisors",
        "/os-hypervisors/detail",
        f"/os-hypervisors/{HOST}/servers",
        "/os-keypairs",
        "/os-server-groups",
        "/os-services",
        "/os-simple-tenant-usage?detailed=1",
        "/servers/{id}/ips",
        "/servers/{id}/ips/private",
        "/servers/{id}/metadata",
        "/servers/{id}/migrations",
        "/servers/{id}/os-instance-actions",
        "/servers/{id}/os-interface",
        "/servers/{id}/os-security-groups",
        "/servers/{id}/os-volume_attachments",
        "/servers/{id}/tags",
        "/servers/{id}/topology",
        # Faults.
        "/servers/",
        "/servers.json",
        "/servers/detail.json",
        "/servers/{id}.json",
        "/servers/{id}/",
        "/servers/{id}/nothing",
        "/servers/detail?limit=many",
        "/servers?marker=nothing",
        "/servers?changes-since=yesterday",
        f"/servers/{UNKNOWN}",
        f"/servers/{UNKNOWN}/ips",
        "/servers/%C3%BC",
    ],
)
def test_other_responses_stay(
    path: str,
    api: Api,
    nova_alone: Client,
    with_filter: Client,
    with_blind_filter: Client,
    servers: list[Server],
    tally: Tally,
) -> None:
    path = path.format(id=servers[0].id)
    said = nova_alone.get(api, path)
    for client in (with_filter, with_blind_filter):
        passed = client.get(api, path)
        assert_same(passed, said)
        tally.count(api, passed)


@pytest.mark.parametrize(
    ("method", "path", "document"),
    [
        ("HEAD", "/servers", None),
        ("HEAD", "/servers/detail", None),
        ("HEAD", "/servers/{id}", None),
        ("OPTIONS", "/servers", None),
        ("POST", "/servers", {"server": {"name": ""}}),
        ("POST", "/servers", ["no", "server"]),
        ("POST", "/servers/detail", {"server": {}}),
        ("POST", "/servers/{id}/action", {"dance": None}),
        ("PUT", "/servers/{id}", {"server": {"name": 1}}),
        ("PUT", "/servers", {}),
        ("DELETE", f"/servers/{UNKNOWN}", None),
        ("DELETE", "/servers/{id}/metadata/nothing", None),
    ],
)
def test_other_methods_stay(
    method: str,
    path: str,
    document: Any,
    api: Api,
    nova_alone: Client,
    with_filter: Client,
    with_blind_filter: Client,
    servers: list[Server],
    tally: Tally,
) -> None:
    path = api.endpoint + path.format(id=servers[0].id)
    said = nova_alone.request(api, path, method=method, document=document)
    for client in (with_filter, with_blind_filter):
        passed = client.request(api, path, method=method, document=document)
        assert_same(passed, said)
        tally.count(api, passed)


@pytest.fixture(scope="session")
def unlisted(servers: list[Server]) -> Server:
    """A server of its own: a change shows in the date of its update."""
    server = Server(
        number=1000,
        name="unlisted",
        cell="cell1",
        vm_state="active",
        project=OTHER_PROJECT,
    )
    create([server])
    return server


def test_update_is_answered_as_nova_answers_it(
    api: Api, restored: Client, unlisted: Server, tally: Tally
) -> None:
    """From 2.75 the answer is a whole server; the shim takes its states."""
    answer = restored.request(
        api,
        f"{api.endpoint}/servers/{unlisted.id}",
        method="PUT",
        document={"server": {"name": unlisted.name}},
    )

    assert answer.status == "200 OK"
    assert answer.body == answer.memory.after
    assert states(answer.servers[0]) is None
    assert_length(answer)
    tally.count(api, answer)


@pytest.mark.parametrize(
    ("identity", "status"),
    [
        ({}, "401 Unauthorized"),
        (ADMIN | {"X-Roles": ""}, "403 Forbidden"),
    ],
)
def test_refusal_of_a_user_stays(
    identity: dict[str, str],
    status: str,
    api: Api,
    nova_alone: Client,
    with_filter: Client,
    tally: Tally,
) -> None:
    path = f"{api.endpoint}/servers/detail?all_tenants=1"
    said = nova_alone.request(api, path, identity=identity)
    passed = with_filter.request(api, path, identity=identity)

    assert said.status == status
    assert_same(passed, said)
    tally.count(api, passed)


@pytest.mark.parametrize(
    ("microversion", "status"),
    [("2.9999", "406 Not Acceptable"), ("two", "400 Bad Request")],
)
def test_refusal_of_a_microversion_stays(
    microversion: str,
    status: str,
    nova_alone: Client,
    with_filter: Client,
    tally: Tally,
) -> None:
    api = Api(microversion, "/v2.1", microversion)
    said = nova_alone.get(api, "/servers")
    passed = with_filter.get(api, "/servers")

    assert said.status == status
    assert_same(passed, said)
    tally.count(api, passed)


@pytest.fixture
def all_cells_answer(servers: list[Server]) -> Iterator[None]:
    """Have the down cell's mapping lead to a database without any host.

    Nova answers calls for hypervisors only while all cells do.
    """
    from nova import context, objects
    from nova.compute import api as compute_api

    admin = context.get_admin_context()
    cells = {
        cell.name: cell for cell in objects.CellMappingList.get_all(admin)
    }
    down = cells[DOWN_CELL]
    url = down.database_connection

    def restart_with(connection: str) -> None:
        down.database_connection = connection
        down.save()
        # Read anew by the next request, as after a restart.
        context.reset_globals()
        compute_api.CELLS = []

    restart_with(cells["cell0"].database_connection)
    yield
    restart_with(url)


@pytest.mark.usefixtures("all_cells_answer")
@pytest.mark.parametrize(
    ("path", "since"),
    [
        ("/os-hypervisors", 1),
        ("/os-hypervisors/detail", 1),
        (f"/os-hypervisors/{HOST}/servers", 1),
        ("/os-hypervisors?with_servers=true", 53),
        ("/os-hypervisors/detail?with_servers=true", 53),
    ],
)
def test_servers_of_hypervisors_stay(
    path: str,
    since: int,
    api: Api,
    nova_alone: Client,
    with_filter: Client,
    with_blind_filter: Client,
    tally: Tally,
) -> None:
    minor = int((api.microversion or "2.1").partition(".")[2])
    said = nova_alone.get(api, path)
    if path.endswith("/servers") and minor >= 53:
        assert said.status == "404 Not Found"
    elif minor >= since:
        assert said.status == "200 OK"
        servers = said.document["hypervisors"][0].get("servers", ())
        assert bool(servers) == ("servers" in path)
    for client in (with_filter, with_blind_filter):
        passed = client.get(api, path)
        assert_same(passed, said)
        tally.count(api, passed)
