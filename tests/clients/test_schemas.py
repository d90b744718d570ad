"""Nova's and Tempest's schemas allow the states in detail and show."""

from __future__ import annotations

import pytest
import requests
from tempest.lib import exceptions
from tempest.lib.services.compute import base_compute_client
from tempest.lib.services.compute.servers_client import ServersClient

from nova_ext_sts import extension
from tests.clients.adapters import TOKEN


def states_of(servers):
    """Return the states of the servers that have all three."""
    return {
        server["id"]: tuple(server[name] for name in extension.ATTRIBUTES)
        for server in servers
        if extension.ATTRIBUTES[0] in server
    }


# Nova's.


@pytest.mark.parametrize("call", ["detail", "show"])
def test_states_are_valid_at_every_microversion(call, nova_behind_shim):
    # The backend has configured Nova, which may be imported now.
    from nova.api.openstack import api_version_request
    from nova.api.openstack.compute.servers import ServersController
    from nova.api.validation import validators

    newest = api_version_request.max_api_version().ver_minor
    records = nova_behind_shim.records
    wanted = (
        {"detail": records}
        if call == "detail"
        else {
            server_id: {server_id: records[server_id]}
            for server_id in [*records][::7]
        }
    )
    seen = set()
    for schema, first, last in getattr(
        ServersController, call
    ).response_body_schemas._schemas:
        validator = validators._SchemaValidator(schema, is_body=True)
        for minor in {max(first.ver_minor, 1), last.ver_minor or newest}:
            for path, expected in wanted.items():
                response = requests.get(
                    f"{nova_behind_shim.endpoint}/servers/{path}",
                    headers={
                        "X-Auth-Token": TOKEN,
                        "OpenStack-API-Version": f"compute 2.{minor}",
                    },
                    timeout=60,
                )
                document = response.json()
                validator.validate(document)
                found = document.get("servers", [document.get("server")])
                assert states_of(found) == expected
            seen.add(minor)
    assert {1, newest} <= seen


# Tempest's.


class Authentication:
    """What Tempest's client uses of its authentication providers."""

    def __init__(self, endpoint):
        self._endpoint = endpoint

    def base_url(self, filters):
        return self._endpoint

    def auth_request(self, method, url, headers, body, filters):
        sent = {**headers, "X-Auth-Token": TOKEN}
        return f"{self._endpoint}/{url}", sent, body


def tempest(endpoint):
    return ServersClient(Authentication(endpoint), "compute", "region")


#: Both ends of each range that has schemas; the last has no end.
TEMPEST_MICROVERSIONS = {
    str(end): None
    for versions in ServersClient.schema_versions_info
    for end in (versions["min"] or "2.1", versions["max"])
    if end
}


@pytest.mark.parametrize("microversion", TEMPEST_MICROVERSIONS)
def test_tempest_accepts_states_in_detail_and_show(
    microversion, nova_for_tempest, monkeypatch
):
    monkeypatch.setattr(
        base_compute_client, "COMPUTE_MICROVERSION", microversion
    )
    # Tempest's schemas allow no power state that is null.
    records = {
        server_id: states
        for server_id, states in nova_for_tempest.records.items()
        if states.power_state is not None
    }
    client = tempest(nova_for_tempest.endpoint)
    query = {"name": "^(?!power unknown$)"}
    listed = client.list_servers(**query)["servers"]
    assert {server["id"] for server in listed} == records.keys()
    assert not states_of(listed)
    detailed = client.list_servers(detail=True, **query)["servers"]
    assert states_of(detailed) == records
    server_id = next(iter(records))
    shown = client.show_server(server_id)["server"]
    assert states_of([shown]) == {server_id: records[server_id]}


def test_tempest_refuses_states_in_the_list(nova, monkeypatch):
    """Why sites that Tempest tests set ``calls``."""
    monkeypatch.setattr(base_compute_client, "COMPUTE_MICROVERSION", "2.1")
    with pytest.raises(
        exceptions.InvalidHTTPResponseBody, match=extension.ATTRIBUTES[0]
    ):
        tempest(nova.endpoint).list_servers(limit=1)
