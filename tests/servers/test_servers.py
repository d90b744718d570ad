"""The same requests get the same responses from every WSGI server."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nova_ext_sts import extension
from nova_ext_sts.demo import fleet
from tests.servers.apache import MOD_WSGI
from tests.servers.serving import REFERENCE, SERVERS, started
from tests.servers.traffic import IDS, Request, Response, answered, requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.clients.tally import Tally
    from tests.servers.serving import Server

REQUESTS = requests()


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory with a short path, which a user of the server's may enter.

    pytest's own are for nobody else, and too long for the path of a socket.
    """
    path = Path(tempfile.mkdtemp(prefix="ext-sts-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def expected(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[Request, Response]:
    """What wsgiref, the plainest of servers, answers."""
    directory = tmp_path_factory.mktemp("wsgiref")
    with started(REFERENCE, directory) as port:
        return {request: answered(port, request) for request in REQUESTS}


def test_two_hundred_requests_are_all_different() -> None:
    assert len(set(REQUESTS)) == len(REQUESTS) == 200


def test_reference_has_the_states_of_the_records(
    expected: dict[Request, Response], tmp_path: Path, tally: Tally
) -> None:
    file = tmp_path / "demo.sqlite"
    fleet.make(file)
    with closing(sqlite3.connect(file)) as database:
        records = {
            uuid: states
            for uuid, *states in database.execute(
                "SELECT uuid, vm_state, task_state, power_state FROM instances"
            )
        }
    for server_id in IDS:
        response = expected[Request(f"/v2.1/servers/{server_id}")]
        assert response.status == 200
        server = json.loads(response.body)["server"]
        assert [server[name] for name in extension.ATTRIBUTES] == records[
            server_id
        ]
        in_xml = expected[Request(f"/v2.1/servers/{server_id}.xml")]
        assert in_xml.status == 200
        for name, state in zip(
            extension.ATTRIBUTES, records[server_id], strict=True
        ):
            assert f'{name}="{state}"'.encode() in in_xml.body
    assert {response.status for response in expected.values()} == {
        200,
        400,
        404,
        405,
    }
    tally.count(REFERENCE.name, REFERENCE.version(), requests=len(expected))


@pytest.mark.parametrize(
    "server", [*SERVERS, MOD_WSGI], ids=lambda server: server.name
)
def test_responses_are_those_of_wsgiref(
    server: Server,
    expected: dict[Request, Response],
    directory: Path,
    tally: Tally,
) -> None:
    with started(server, directory) as port:
        responses = {request: answered(port, request) for request in REQUESTS}

    different = {
        request: (response, expected[request])
        for request, response in responses.items()
        if response != expected[request]
    }
    tally.count(
        server.name,
        server.version(),
        requests=len(responses),
        differences=len(different),
    )
    assert different == {}
