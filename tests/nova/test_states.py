"""What the filter adds to a real Nova's responses is what Nova had said."""

from __future__ import annotations

import pytest

from tests.nova.comparison import (
    assert_extended,
    assert_restored,
    assert_same,
    recorded,
)
from tests.nova.installation import ADMIN, DOWN_CELL
from tests.nova.splices import states

#: Shows every server there is, except in a cell that is down.
ALL = "?changes-since=1970-01-01T00:00:00Z&all_tenants=1"

#: Without any privilege in the project. Nova hands an ordinary user's token on
#: to Neutron.
MEMBER = ADMIN | {"X-Roles": "member,reader", "X-Auth-Token": "token"}


@pytest.mark.parametrize(
    ("root", "query"),
    [
        ("", ""),
        ("", "?deleted=true"),
        ("", "?status=ACTIVE&sort_key=display_name&sort_dir=asc"),
        ("", ALL),
        (f"/{ADMIN['X-Project-Id']}", ""),
    ],
)
def test_lists_get_the_states_that_nova_has(api, root, query, novas):
    bare, detail = f"{root}/servers{query}", f"{root}/servers/detail{query}"
    said = novas.alone.get(api, detail)

    assert_restored(novas.restored.get(api, detail), said)
    assert_extended(
        novas.extended.get(api, bare), novas.alone.get(api, bare), said
    )
    # Nova's own states need no lookup.
    assert_same(novas.blind.get(api, detail), said)


def test_pages_get_the_states_that_nova_has(api, novas):
    page: str | None = f"{api.endpoint}/servers?limit=15&all_tenants=1"
    seen = []
    while page:
        detail = page.replace("/servers?", "/servers/detail?")
        said = novas.alone.request(api, detail)
        assert_restored(novas.restored.request(api, detail), said)
        extended = novas.extended.request(api, page)
        assert_extended(extended, novas.alone.request(api, page), said)
        seen += [server["id"] for server in extended.servers]
        page = extended.next_page
    assert len(seen) == len(set(seen)) > 60


def test_show_gets_the_states_of_the_record(api, novas, newest, servers):
    # Each takes Nova a tenth of a second.
    for server in servers[:: 1 if api.name == newest else 7]:
        path = f"/servers/{server.id}"
        said = novas.alone.get(api, path)
        shown = novas.restored.get(api, path)
        assert_same(novas.blind.get(api, path), said)
        if server.deleted:
            assert said.status == "404 Not Found"
            assert_same(shown, said)
        elif server.cell != DOWN_CELL:
            assert_restored(shown, said)
            assert states(shown.servers[0]) == (
                server.vm_state,
                server.task_state,
                server.power_state,
            )


def test_server_in_a_cell_that_is_down_stays_as_nova_shows_it(
    api, novas, servers
):
    (down,) = [server for server in servers if server.cell == DOWN_CELL]
    said = novas.alone.get(api, f"/servers/{down.id}")
    for client in (novas.restored, novas.extended):
        assert_same(client.get(api, f"/servers/{down.id}"), said)
    if api.minor < 69:
        assert said.status == "500 Internal Server Error"
        return
    assert said.servers[0]["status"] == "UNKNOWN"
    # Lists were compared above; in them it is the only one without states.
    for path in ("/servers", "/servers/detail"):
        shown = novas.restored.get(api, path).servers
        without = [each["id"] for each in shown if not states(each)]
        assert without == [down.id]


def test_servers_of_an_ordinary_user_get_the_states_that_nova_has(api, novas):
    path = f"{api.endpoint}/servers/detail"
    said = novas.alone.request(api, path, identity=MEMBER)
    assert "OS-EXT-SRV-ATTR:host" not in said.servers[0]
    assert_restored(novas.restored.request(api, path, identity=MEMBER), said)


def test_fleet_shows_all_of_novas_vocabulary(api, novas):
    from nova.objects import fields

    said = novas.alone.get(api, f"/servers/detail{ALL}")
    vm_states, task_states, power_states = map(
        set, zip(*recorded(said).values(), strict=True)
    )
    assert vm_states == set(fields.InstanceState.ALL)
    assert task_states == {None, *fields.InstanceTaskState.ALL}
    assert power_states == {None, 0, 1, 3, 4, 6, 7}
