"""What the filter adds to a real Nova's responses is what Nova had said."""

import pytest

from tests.nova.comparison import (
    STATES,
    assert_extended,
    assert_restored,
    assert_same,
    servers_in,
    states,
)
from tests.nova.installation import ADMIN, DOWN_CELL

#: Shows every server there is, except in a cell that is down.
ALL = "?changes-since=1970-01-01T00:00:00Z&all_tenants=1"

#: Without any privilege in the project. Nova hands an ordinary user's token on
#: to Neutron.
MEMBER = ADMIN | {"X-Roles": "member,reader", "X-Auth-Token": "token"}


@pytest.mark.parametrize(
    ("root", "query", "identity"),
    [
        ("", "", ADMIN),
        ("", "?deleted=true", ADMIN),
        ("", "?status=ACTIVE&sort_key=display_name&sort_dir=asc", ADMIN),
        ("", ALL, ADMIN),
        (f"/{ADMIN['X-Project-Id']}", "", MEMBER),
    ],
)
def test_lists_get_the_states_that_nova_has(api, root, query, identity, novas):
    bare, detail = f"{root}/servers{query}", f"{root}/servers/detail{query}"
    said, restored, blind = (
        client.request(api, detail, identity=identity)
        for client in (novas.alone, novas.restored, novas.blind)
    )
    assert (b'SRV-ATTR:host"' in said.body) is (identity is ADMIN)
    assert_restored(restored, said)
    # Nova's own states need no lookup.
    assert_same(blind, said)
    assert_extended(
        novas.extended.request(api, bare, identity=identity),
        novas.alone.request(api, bare, identity=identity),
        said,
    )


def test_pages_get_the_states_that_nova_has(api, novas):
    page = "/servers?limit=15&all_tenants=1"
    seen = []
    while page:
        detail = page.replace("/servers?", "/servers/detail?")
        said = novas.alone.request(api, detail)
        assert_restored(novas.restored.request(api, detail), said)
        extended = novas.extended.request(api, page)
        assert_extended(extended, novas.alone.request(api, page), said)
        seen += [server["id"] for server in servers_in(extended.json)]
        links = extended.json.get("servers_links")
        page = links and links[0]["href"].partition(api.endpoint)[2]
    assert len(seen) == len(set(seen)) > 55


def test_show_gets_the_states_of_the_record(api, novas, newest, servers):
    # Each takes Nova a tenth of a second.
    for server in servers[:: 1 if api.microversion == newest else 7]:
        path = f"/servers/{server.id}"
        said = novas.alone.request(api, path)
        shown = novas.restored.request(api, path)
        assert_same(novas.blind.request(api, path), said)
        if server.deleted:
            assert said.status == "404 Not Found"
            assert_same(shown, said)
        elif server.cell != DOWN_CELL:
            assert_restored(shown, said)
            assert tuple(states(shown.json["server"]).values()) == (
                server.vm_state,
                server.task_state,
                server.power_state,
            )


def test_server_in_a_cell_that_is_down_stays_as_nova_shows_it(
    api, novas, servers
):
    (down,) = [server for server in servers if server.cell == DOWN_CELL]
    said = novas.alone.request(api, f"/servers/{down.id}")
    for client in (novas.restored, novas.extended):
        assert_same(client.request(api, f"/servers/{down.id}"), said)
    if api.microversion in (None, "2.1"):
        assert said.status == "500 Internal Server Error"
        return
    assert said.json["server"]["status"] == "UNKNOWN"
    # Lists were compared above; in them it is the only one without states.
    for path in ("/servers", "/servers/detail"):
        shown = servers_in(novas.restored.request(api, path).json)
        assert [each["id"] for each in shown if not states(each)] == [down.id]


def test_fleet_shows_all_of_novas_vocabulary(api, novas):
    from nova.objects import fields

    said = novas.alone.request(api, f"/servers/detail{ALL}")
    vm_states, task_states, power_states = (
        {server[name] for server in servers_in(said.json)} for name in STATES
    )
    assert vm_states == set(fields.InstanceState.ALL)
    assert task_states == {None, *fields.InstanceTaskState.ALL}
    assert power_states == {None, 0, 1, 3, 4, 6, 7}
