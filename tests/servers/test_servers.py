"""Every WSGI server returns the same responses."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from nova_ext_sts import extension
from tests.servers.adapters import ADAPTERS, Wsgiref
from tests.servers.traffic import Request, answered, requests


@pytest.fixture(scope="module")
def reference():
    with Wsgiref() as server:
        yield server


@pytest.fixture(scope="module", params=ADAPTERS)
def server(request, reference):
    """Each server in turn, with the reference's database."""
    adapter, options = ADAPTERS[request.param]
    files = reference.directory.glob("*.sqlite")
    with adapter(*options, files=files) as server:
        yield server


def listed(server, *headers):
    request = Request("/v2.1/servers", headers=headers)
    servers: list[dict[str, Any]]
    servers = json.loads(answered(server, request).body)["servers"]
    return servers


@pytest.mark.parametrize("accept", ["application/json", "application/*;q=0"])
def test_reference_has_the_states_of_the_records(reference, accept):
    """The API answers in JSON, whatever a client accepts."""
    (file,) = reference.directory.glob("*.sqlite")
    with closing(sqlite3.connect(file)) as database:
        rows = database.execute(
            "SELECT uuid, vm_state, task_state, power_state FROM instances"
        )
        records = {uuid: states for uuid, *states in rows}
    assert {
        server["id"]: [server[name] for name in extension.ATTRIBUTES]
        for server in listed(reference, ("Accept", accept))
    } == records


def test_responses_are_those_of_wsgiref(server, reference):
    ids = [each["id"] for each in listed(reference)]
    for request in requests(ids):
        expected = answered(reference, request)
        assert (request, answered(server, request)) == (request, expected)


def test_concurrent_responses_have_all_states(server, reference):
    request = Request("/v2.1/servers")
    expected = answered(reference, request)
    with ThreadPoolExecutor(8) as clients:
        responses = clients.map(answered, [server] * 64, [request] * 64)
        assert all(response == expected for response in responses)
