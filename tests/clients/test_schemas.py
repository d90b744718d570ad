"""Nova's and Tempest's schemas allow the states in detail and show."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tempest.lib import exceptions
from tempest.lib.services.compute import base_compute_client
from tempest.lib.services.compute.servers_client import ServersClient

from nova_ext_sts import extension
from tests.clients.backends import TOKEN
from tests.clients.test_responses import get


def states_of(servers):
    """Return the states of the servers that have all three."""
    vm_state, task_state, power_state = extension.ATTRIBUTES
    return {
        server["id"]: (
            server[vm_state],
            server[task_state],
            server[power_state],
        )
        for server in servers
        if vm_state in server
    }


def minor(microversion):
    return int(microversion.partition(".")[2])


# Nova's.


class Schemas:
    """The schemas of one call, which Nova's own controller holds.

    :param newest: Nova's latest microversion
    """

    def __init__(self, method, newest):
        from nova.api.openstack.compute import servers

        controller = getattr(servers.ServersController, method)
        self._versions: Any = controller.response_body_schemas._schemas
        self.microversions = sorted(
            {
                f"2.{end}"
                for _, first, last in self._versions
                for end in (
                    max(first.ver_minor, 1),
                    last.ver_minor or minor(newest),
                )
            },
            key=minor,
        )

    def validate(self, document, microversion):
        """Validate a document as Nova does.

        :raises nova.exception.ValidationError: it is not valid
        """
        from nova.api.openstack import api_version_request
        from nova.api.validation import validators

        asked = api_version_request.APIVersionRequest(microversion)
        (schema,) = (
            schema
            for schema, first, last in self._versions
            if asked.matches(first, last)
        )
        validators._SchemaValidator(schema, is_body=True).validate(document)


@pytest.fixture(scope="module")
def newest(nova):
    document = json.loads(get(nova.bare, "/").body)
    version: str = document["version"]["version"]
    return version


def answer(endpoint, path, microversion):
    version = {"OpenStack-API-Version": f"compute {microversion}"}
    response = get(endpoint, path, **version)
    assert response.status == 200
    return response


@pytest.mark.parametrize("call", ["detail", "show"])
def test_states_are_valid_at_every_microversion(
    call, newest, nova_behind_shim
):
    backend = nova_behind_shim
    schemas = Schemas(call, newest)
    assert len(schemas.microversions) > 20
    for microversion in schemas.microversions:
        if call == "detail":
            body = answer(backend.extended, "/servers/detail", microversion)
            document = json.loads(body.body)
            schemas.validate(document, microversion)
            assert states_of(document["servers"]) == backend.records
            continue
        for server_id in list(backend.records)[::7]:
            body = answer(
                backend.extended, f"/servers/{server_id}", microversion
            )
            document = json.loads(body.body)
            schemas.validate(document, microversion)
            found = states_of([document["server"]])
            assert found == {server_id: backend.records[server_id]}


@pytest.mark.parametrize("microversion", ["2.1", "2.69"])
def test_schemas_require_the_states(microversion, newest, nova_behind_shim):
    """Without the filter the test above would fail."""
    from nova import exception

    server_id = next(iter(nova_behind_shim.records))
    for method, path in (("detail", "/detail"), ("show", f"/{server_id}")):
        bare = answer(nova_behind_shim.bare, f"/servers{path}", microversion)
        with pytest.raises(exception.ValidationError):
            Schemas(method, newest).validate(
                json.loads(bare.body), microversion
            )


@pytest.mark.parametrize("method", ["index", "detail", "show"])
def test_servers_of_a_down_cell_are_novas_own_and_valid(
    method, newest, nova, nova_behind_shim
):
    (server_id,) = nova.down
    path = {"index": "", "detail": "/detail", "show": f"/{server_id}"}[method]
    schemas = Schemas(method, newest)
    microversions = [
        found for found in schemas.microversions if minor(found) >= 69
    ]
    assert microversions
    for microversion in microversions:
        own, passed = (
            answer(endpoint, f"/servers{path}", microversion).body
            for endpoint in (nova.bare, nova_behind_shim.extended)
        )
        document = json.loads(passed)
        (stand_in,) = (
            server
            for server in document.get("servers", [document.get("server")])
            if server["id"] == server_id
        )
        assert stand_in["status"] == "UNKNOWN"
        assert not states_of([stand_in])
        written = json.dumps(stand_in).encode("ascii")
        assert written in passed
        assert written in own
        document = {"servers": [stand_in]}
        if method == "show":
            document = {"server": stand_in}
            assert passed == own
        schemas.validate(document, microversion)


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
TEMPEST_MICROVERSIONS = sorted(
    {
        str(end)
        for versions in ServersClient.schema_versions_info
        for end in (versions["min"] or "2.1", versions["max"])
        if end
    },
    key=minor,
)


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
        if states[2] is not None
    }
    client = tempest(nova_for_tempest.extended)
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
    assert tempest(nova.bare).list_servers(limit=1)["servers"]
    with pytest.raises(
        exceptions.InvalidHTTPResponseBody, match=extension.ATTRIBUTES[0]
    ):
        tempest(nova.extended).list_servers(limit=1)
