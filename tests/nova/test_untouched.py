"""Where there is nothing to add, Nova's own bytes go out."""

import pytest

from tests.nova.client import Api
from tests.nova.comparison import assert_same, states
from tests.nova.installation import ADMIN

UNKNOWN = "11111111-2222-3333-4444-555555555555"


def test_blind_filter_fails_where_it_has_to_look_up(api, novas):
    """Show that other responses of this filter needed no lookup."""
    response = novas.blind.request(api, "/servers?limit=1")
    assert response.status == "503 Service Unavailable"
    assert response.json["serviceUnavailable"]["code"] == 503


@pytest.mark.parametrize(
    ("method", "path", "document"),
    [
        *(
            ("GET", path, None)
            for path in (
                "/",
                "/flavors/detail",
                "/limits",
                "/os-hypervisors/compute-1/servers",
                "/os-simple-tenant-usage?detailed=1",
                "/servers/{id}/ips",
                "/servers/{id}/metadata",
                "/servers/{id}/os-interface",
                "/servers/{id}/tags",
                # Faults.
                "/servers/",
                "/servers/detail.json",
                "/servers/{id}/",
                "/servers/detail?limit=many",
                "/servers?marker=nothing",
                f"/servers/{UNKNOWN}",
                "/servers/%C3%BC",
            )
        ),
        ("HEAD", "/servers", None),
        ("HEAD", "/servers/{id}", None),
        ("OPTIONS", "/servers", None),
        ("POST", "/servers", {"server": {"name": ""}}),
        ("POST", "/servers/{id}/action", {"dance": None}),
        ("PUT", "/servers/{id}", {"server": {"name": 1}}),
        ("DELETE", f"/servers/{UNKNOWN}", None),
    ],
)
def test_other_responses_stay(method, path, document, api, novas, servers):
    path = path.format(id=servers[0].id)
    request = {"method": method, "document": document}
    said = novas.alone.request(api, path, **request)
    for client in (novas.extended, novas.blind):
        assert_same(client.request(api, path, **request), said)


def test_update_is_answered_as_nova_answers_it(api, novas, servers):
    """From 2.75 the response is a server; the shim takes its states."""
    response = novas.restored.request(
        api,
        f"/servers/{servers[0].id}",
        method="PUT",
        document={"server": {"name": servers[0].name}},
    )
    assert response.status == "200 OK"
    assert not states(response.json["server"])


@pytest.mark.parametrize(
    ("microversion", "identity", "status"),
    [
        ("2.1", {}, "401 Unauthorized"),
        ("2.1", ADMIN | {"X-Roles": ""}, "403 Forbidden"),
        ("2.9999", ADMIN, "406 Not Acceptable"),
        ("two", ADMIN, "400 Bad Request"),
    ],
)
def test_refusals_stay(microversion, identity, status, novas):
    said, extended = (
        client.request(
            Api("/v2.1", microversion),
            "/servers/detail?all_tenants=1",
            identity=identity,
        )
        for client in (novas.alone, novas.extended)
    )
    assert said.status == status
    assert_same(extended, said)
