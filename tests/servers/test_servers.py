"""Every WSGI server returns the same responses."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from nova_ext_sts import extension
from tests.servers import traffic
from tests.servers.adapters import ADAPTERS, REFERENCE, started
from tests.servers.traffic import Request, answered

LIST = Request("/v2.1/servers")


@pytest.fixture(scope="module")
def reference():
    with started(REFERENCE) as site:
        yield site


@pytest.fixture(
    scope="module", params=ADAPTERS, ids=lambda adapter: adapter.__name__
)
def server(request, reference):
    """Each server in turn, with the reference's database."""
    files = reference.directory.glob("*.sqlite")
    with started(request.param, files) as site:
        yield site


def listed(site):
    servers: list[dict[str, Any]]
    servers = json.loads(answered(site, LIST).body)["servers"]
    return servers


def test_reference_has_the_states_of_the_records(reference):
    (file,) = reference.directory.glob("*.sqlite")
    with closing(sqlite3.connect(file)) as database:
        rows = database.execute(
            "SELECT uuid, vm_state, task_state, power_state FROM instances"
        )
        records = {uuid: states for uuid, *states in rows}
    assert {
        server["id"]: [server[name] for name in extension.ATTRIBUTES]
        for server in listed(reference)
    } == records


@pytest.mark.parametrize(
    "requests",
    [
        traffic.calls,
        traffic.extensions,
        traffic.request_headers,
        traffic.other_methods,
        traffic.faults,
    ],
)
def test_responses_are_those_of_wsgiref(server, reference, requests):
    ids = [server["id"] for server in listed(reference)]
    for request in requests(ids):
        expected = answered(reference, request)
        assert (request, answered(server, request)) == (request, expected)


def test_concurrent_responses_have_all_states(server, reference):
    expected = answered(reference, LIST)
    with ThreadPoolExecutor(8) as clients:
        responses = clients.map(lambda _: answered(server, LIST), range(64))
        assert all(response == expected for response in responses)
