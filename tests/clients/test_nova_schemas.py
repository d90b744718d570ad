"""Nova's own schemas allow what the filter makes of Nova's responses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.clients.backends import TOKEN
from tests.clients.tally import version
from tests.nova.client import Api, Client
from tests.nova.fleet import Server, fleet
from tests.nova.installation import DOWN_CELL
from tests.nova.splices import states

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.clients.tally import Tally
    from tests.nova.client import Answer
    from tests.nova.installation import Installation

CLIENT = f"{version('nova')}'s schemas"
IDENTITY = {"X-Auth-Token": TOKEN}


class Schemas:
    """The schemas of one call, as Nova's own controller has them."""

    def __init__(self, method: str) -> None:
        from nova.api.openstack.compute import servers

        controller = getattr(servers.ServersController, method)
        self._versions: Any = controller.response_body_schemas._schemas

    def microversions(self, newest: str) -> list[str]:
        """Return both ends of the range of each schema."""
        return sorted(
            {
                f"2.{minor}"
                for _, first, last in self._versions
                for minor in (
                    max(first.ver_minor, 1),
                    last.ver_minor or int(newest.partition(".")[2]),
                )
            },
            key=lambda text: int(text.partition(".")[2]),
        )

    def validate(self, document: Any, microversion: str) -> None:
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
def restored(nova: Installation) -> Client:
    """Nova, the shim that takes its states away, and the filter."""
    return Client(nova.application("behind_shim_and_filter"))


@pytest.fixture(scope="module")
def stripped(nova: Installation) -> Client:
    return Client(nova.application("behind_shim"))


@pytest.fixture(scope="module")
def nova_alone(nova: Installation) -> Client:
    return Client(nova.application("nova_alone"))


@pytest.fixture(scope="module")
def newest(nova_alone: Client) -> str:
    document = get(nova_alone, "2.1", "/").document
    found: str = document["version"]["version"]
    return found


def get(client: Client, microversion: str, path: str) -> Answer:
    api = Api(microversion, "/v2.1", microversion)
    return client.request(api, f"/v2.1{path}", identity=IDENTITY)


def reachable() -> Iterator[Server]:
    """Yield some of the servers that can be shown."""
    shown = [
        server
        for server in fleet()
        if not server.deleted and server.cell != DOWN_CELL
    ]
    yield from shown[::7]


def test_detail_is_valid_at_every_version(
    restored: Client, newest: str, tally: Tally
) -> None:
    schemas = Schemas("detail")
    microversions = schemas.microversions(newest)
    assert len(microversions) > 20
    for microversion in microversions:
        answer = get(restored, microversion, "/servers/detail")

        schemas.validate(answer.document, microversion)
        assert {
            server["id"]: found
            for server in answer.servers
            if (found := states(server))
        } == answer.memory.states
        assert len(answer.memory.states) > 35
        tally.count(
            CLIENT, "detail", calls=1, servers=len(answer.memory.states)
        )


def test_show_is_valid_at_every_version(
    restored: Client, newest: str, tally: Tally
) -> None:
    schemas = Schemas("show")
    microversions = schemas.microversions(newest)
    assert len(microversions) > 20
    for microversion in microversions:
        for server in reachable():
            answer = get(restored, microversion, f"/servers/{server.id}")

            schemas.validate(answer.document, microversion)
            assert states(answer.servers[0]) == (
                server.vm_state,
                server.task_state,
                server.power_state,
            )
            tally.count(CLIENT, "show", calls=1, servers=1)


@pytest.mark.parametrize("microversion", ["2.1", "2.69"])
def test_schemas_want_the_states_that_the_filter_gives(
    microversion: str, stripped: Client
) -> None:
    """What the tests above rest on: without the filter they would fail."""
    from nova import exception

    server = next(reachable())
    for method, path in (
        ("detail", "/servers/detail"),
        ("show", f"/servers/{server.id}"),
    ):
        answer = get(stripped, microversion, path)
        with pytest.raises(exception.ValidationError):
            Schemas(method).validate(answer.document, microversion)


def test_stand_ins_for_a_cell_that_is_down_stay_and_are_valid(
    restored: Client, nova_alone: Client, newest: str, tally: Tally
) -> None:
    (down,) = (server for server in fleet() if server.cell == DOWN_CELL)
    checked = 0
    for method, path in (
        ("index", "/servers"),
        ("detail", "/servers/detail"),
        ("show", f"/servers/{down.id}"),
    ):
        schemas = Schemas(method)
        for microversion in schemas.microversions(newest):
            if int(microversion.partition(".")[2]) < 69:
                continue
            said = get(nova_alone, microversion, path)
            answer = get(restored, microversion, path)

            stand_in = only(down.id, answer)
            assert stand_in == only(down.id, said)
            assert stand_in["status"] == "UNKNOWN"
            assert "name" not in stand_in
            # To the byte.
            written = json.dumps(stand_in).encode("ascii")
            assert written in answer.body
            assert written in said.body
            document: Any = {"servers": [stand_in]}
            if method == "show":
                document = {"server": stand_in}
                assert answer.body == said.body
            schemas.validate(document, microversion)
            checked += 1
            tally.count(CLIENT, "in a down cell", calls=1, servers=1)
    assert checked > 15


def only(server_id: str, answer: Answer) -> dict[str, Any]:
    (found,) = (
        server for server in answer.servers if server["id"] == server_id
    )
    return found
