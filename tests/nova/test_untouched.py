"""Where there is nothing to add, Nova's own bytes go out."""

import pytest

from tests.nova.client import Api
from tests.nova.comparison import assert_length, assert_same
from tests.nova.fleet import OTHER_PROJECT, Server, create
from tests.nova.installation import ADMIN
from tests.nova.splices import states

UNKNOWN = "11111111-2222-3333-4444-555555555555"


def test_blind_filter_fails_where_it_has_to_look_up(api, novas):
    """Show that other responses of this filter needed no lookup."""
    answer = novas.blind.get(api, "/servers?limit=1")

    assert answer.status.startswith("503 ")
    assert answer.document["serviceUnavailable"]["code"] == 503
    assert "Retry-After" in dict(answer.headers)
    assert_length(answer)


@pytest.mark.parametrize(
    ("method", "path", "document"),
    [
        *(
            ("GET", path, None)
            for path in (
                "/",
                "/flavors/detail",
                "/flavors/1",
                "/limits",
                "/os-availability-zone/detail",
                "/os-hypervisors/compute-1/servers",
                "/os-server-groups",
                "/os-services",
                "/os-simple-tenant-usage?detailed=1",
                "/servers/{id}/ips",
                "/servers/{id}/metadata",
                "/servers/{id}/migrations",
                "/servers/{id}/os-instance-actions",
                "/servers/{id}/os-interface",
                "/servers/{id}/os-security-groups",
                "/servers/{id}/os-volume_attachments",
                "/servers/{id}/tags",
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
                "/servers/%C3%BC",
            )
        ),
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
def test_other_responses_stay(method, path, document, api, novas, servers):
    path = api.endpoint + path.format(id=servers[0].id)
    request = {"method": method, "document": document}
    said = novas.alone.request(api, path, **request)
    for client in (novas.extended, novas.blind):
        assert_same(client.request(api, path, **request), said)


@pytest.fixture(scope="session")
def updated(nova):
    """A server whose date of update no other test compares."""
    server = Server(
        number=1000, name="updated", cell="cell1", project=OTHER_PROJECT
    )
    create([server])
    return server


def test_update_is_answered_as_nova_answers_it(api, novas, updated):
    """From 2.75 the response is a server; the shim takes its states."""
    answer = novas.restored.request(
        api,
        f"{api.endpoint}/servers/{updated.id}",
        method="PUT",
        document={"server": {"name": updated.name}},
    )

    assert answer.status == "200 OK"
    assert states(answer.servers[0]) is None
    assert_length(answer)


@pytest.mark.parametrize(
    ("identity", "status"),
    [
        ({}, "401 Unauthorized"),
        (ADMIN | {"X-Roles": ""}, "403 Forbidden"),
    ],
)
def test_refusal_of_a_user_stays(identity, status, api, novas):
    path = f"{api.endpoint}/servers/detail?all_tenants=1"
    said = novas.alone.request(api, path, identity=identity)
    assert said.status == status
    assert_same(novas.extended.request(api, path, identity=identity), said)


@pytest.mark.parametrize(
    ("microversion", "status"),
    [("2.9999", "406 Not Acceptable"), ("two", "400 Bad Request")],
)
def test_refusal_of_a_microversion_stays(microversion, status, novas):
    api = Api(microversion, "/v2.1", microversion)
    said = novas.alone.get(api, "/servers")
    assert said.status == status
    assert_same(novas.extended.get(api, "/servers"), said)
