"""What the filter adds to a real Nova's responses is what Nova had said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.nova.comparison import assert_extended, assert_restored, assert_same
from tests.nova.installation import ADMIN, DOWN_CELL
from tests.nova.splices import states

if TYPE_CHECKING:
    from tests.nova.client import Answer, Api, Client
    from tests.nova.conftest import Tally
    from tests.nova.fleet import Server

#: Shows every server there is, except in a cell that is down.
ALL = "?changes-since=1970-01-01T00:00:00Z&all_tenants=1"

QUERIES = (
    "",
    "?deleted=true",
    "?status=ACTIVE&sort_key=display_name&sort_dir=asc",
    ALL,
)


#: Somebody without any privilege in the project. Nova hands an ordinary
#: user's token on to Neutron.
MEMBER = ADMIN | {"X-Roles": "member,reader", "X-Auth-Token": "token"}


@pytest.mark.parametrize("query", QUERIES)
def test_detail_gets_the_states_that_nova_had_given(
    api: Api, query: str, nova_alone: Client, restored: Client, tally: Tally
) -> None:
    said = nova_alone.get(api, f"/servers/detail{query}")
    extended = restored.get(api, f"/servers/detail{query}")

    assert_restored(extended, said)
    # The shim took away what was there, so this was no empty exercise.
    assert extended.memory.states == {
        server["id"]: found
        for server in said.servers
        if (found := states(server))
    }
    assert extended.memory.states
    tally.count(api, extended)


@pytest.mark.parametrize("query", QUERIES)
def test_list_gets_the_states_of_the_records(
    api: Api, query: str, nova_alone: Client, with_filter: Client, tally: Tally
) -> None:
    said = nova_alone.get(api, f"/servers/detail{query}")
    bare = nova_alone.get(api, f"/servers{query}")
    extended = with_filter.get(api, f"/servers{query}")

    assert_extended(extended, bare, said)
    tally.count(api, extended)


def test_pages_of_detail_get_the_states_that_nova_had_given(
    api: Api, nova_alone: Client, restored: Client, tally: Tally
) -> None:
    page: str | None = f"{api.endpoint}/servers/detail?limit=15&all_tenants=1"
    seen = []
    while page:
        said = nova_alone.request(api, page)
        extended = restored.request(api, page)
        assert_restored(extended, said)
        tally.count(api, extended)
        seen += [server["id"] for server in extended.servers]
        page = extended.next_page
    assert len(seen) == len(set(seen)) > 60


def test_pages_of_a_list_get_the_states_of_the_records(
    api: Api, nova_alone: Client, with_filter: Client, tally: Tally
) -> None:
    page: str | None = f"{api.endpoint}/servers?limit=15&all_tenants=1"
    seen = []
    while page:
        said = nova_alone.request(
            api, page.replace("/servers?", "/servers/detail?")
        )
        bare = nova_alone.request(api, page)
        extended = with_filter.request(api, page)
        assert_extended(extended, bare, said)
        tally.count(api, extended)
        seen += [server["id"] for server in extended.servers]
        page = extended.next_page
    assert len(seen) == len(set(seen)) > 60


def test_show_of_every_server_gets_the_states_that_nova_had_given(
    api: Api,
    shown_by_nova: dict[str, Answer],
    restored: Client,
    servers: list[Server],
    tally: Tally,
) -> None:
    shown = [
        server
        for server in servers
        if not server.deleted and server.cell != DOWN_CELL
    ]
    assert len(shown) > 60
    for server in shown:
        extended = restored.get(api, f"/servers/{server.id}")

        assert_restored(extended, shown_by_nova[server.id])
        assert extended.memory.states == {
            server.id: (
                server.vm_state,
                server.task_state,
                server.power_state,
            )
        }
        tally.count(api, extended)


def test_show_of_a_deleted_server_stays_a_404(
    api: Api,
    shown_by_nova: dict[str, Answer],
    restored: Client,
    servers: list[Server],
    tally: Tally,
) -> None:
    deleted = [server for server in servers if server.deleted]
    assert deleted
    for server in deleted:
        said = shown_by_nova[server.id]
        passed = restored.get(api, f"/servers/{server.id}")

        assert said.status == "404 Not Found"
        assert_same(passed, said)
        tally.count(api, passed)


def test_server_in_a_cell_that_is_down_stays_as_nova_shows_it(
    api: Api,
    shown_by_nova: dict[str, Answer],
    restored: Client,
    with_filter: Client,
    servers: list[Server],
    tally: Tally,
) -> None:
    (down,) = [server for server in servers if server.cell == DOWN_CELL]
    said = shown_by_nova[down.id]
    for client in (restored, with_filter):
        passed = client.get(api, f"/servers/{down.id}")
        assert_same(passed, said)
        tally.count(api, passed)
    if not api.shows_down_cells:
        assert said.status == "500 Internal Server Error"
        return
    assert said.status == "200 OK"
    assert said.servers[0]["status"] == "UNKNOWN"
    for path in ("/servers", "/servers/detail"):
        stand_in = {
            "id": down.id,
            "status": "UNKNOWN",
            "links": said.servers[0]["links"],
        }
        if path == "/servers/detail":
            stand_in["tenant_id"] = down.project
            stand_in["created"] = said.servers[0]["created"]
        for client in (restored, with_filter):
            listed = client.get(api, path)
            assert [
                server for server in listed.servers if server["id"] == down.id
            ] == [stand_in]
            # And it is the only one that is left without.
            assert [
                server["id"] for server in listed.servers if not states(server)
            ] == [down.id]


def test_servers_of_an_ordinary_user_get_the_states_that_nova_had_given(
    api: Api, nova_alone: Client, restored: Client, tally: Tally
) -> None:
    path = f"{api.endpoint}/servers/detail"
    said = nova_alone.request(api, path, identity=MEMBER)
    extended = restored.request(api, path, identity=MEMBER)

    assert "OS-EXT-SRV-ATTR:host" not in said.servers[0]
    assert_restored(extended, said)
    tally.count(api, extended)


def test_servers_behind_a_project_id_get_the_states_that_nova_had_given(
    api: Api,
    nova_alone: Client,
    restored: Client,
    with_filter: Client,
    servers: list[Server],
    tally: Tally,
) -> None:
    root = f"/{ADMIN['X-Project-Id']}/servers"
    said = nova_alone.get(api, f"{root}/detail")
    bare = nova_alone.get(api, root)
    extended = with_filter.get(api, root)
    assert_extended(extended, bare, said)
    tally.count(api, extended)
    for path in (f"{root}/detail", f"{root}/{servers[0].id}"):
        said = nova_alone.get(api, path)
        extended = restored.get(api, path)
        assert_restored(extended, said)
        assert extended.memory.states
        tally.count(api, extended)


def test_fleet_shows_all_of_novas_vocabulary(
    api: Api, nova_alone: Client
) -> None:
    from nova.objects import fields

    shown = [
        found
        for server in nova_alone.get(api, f"/servers/detail{ALL}").servers
        if (found := states(server))
    ]
    vm_states, task_states, power_states = map(set, zip(*shown, strict=True))
    assert vm_states == set(fields.InstanceState.ALL)
    assert task_states == {None, *fields.InstanceTaskState.ALL}
    assert power_states == {None, 0, 1, 3, 4, 6, 7}
