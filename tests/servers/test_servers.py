"""Every WSGI server returns the same responses."""

from __future__ import annotations

import http.client
import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, NamedTuple

import pytest

from nova_ext_sts import extension
from tests.servers.adapters import ADAPTERS, Wsgiref

#: What all links in the responses begin with.
HOST = "compute.test:8774"

#: Headers that servers write.
SERVERS_OWN = ("connection", "date", "server", "transfer-encoding", "via")


class Request(NamedTuple):
    path: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None


class Response(NamedTuple):
    status: int
    #: The application's, by name in lower case, with repeated headers and the
    #: members of lists joined.
    headers: dict[str, str]
    body: bytes


def requests(ids):
    """Yield a request of each kind, about servers with these ids."""
    first, other = ids[0], ids[3]
    paths = [
        f"{root}/servers{path}{ending}"
        for root in ("/v2.1", "/v2.1/project")
        for path in ("", "/detail", f"/{first}")
        for ending in ("", ".json", ".xml", "/")
    ]
    paths += [
        f"/v2.1/servers?{query}"
        for query in ("limit=3", "limit=0", f"marker={other}", "name=%5Eact")
    ]
    paths += [
        f"/v2.1/extensions{path}{ending}"
        for path in ("", "/OS-EXT-STS", "/OS-DCF", "/nothing")
        for ending in ("", ".xml")
    ]
    faults = [
        "/",
        "/nothing",
        "/v2.1",
        "/v2.1/flavors/detail",
        "/v2.1/servers/11111111-2222-3333-4444-555555555555",
        "/v2.1/servers/%C3%BC",
        f"/v2.1/servers/{first}/ips",
        "/v2.1/%73ervers",
        "/v2.1/servers?limit=-1",
        "/v2.1/servers/detail?marker=%22%3C%26",
        f"/v2.1/%C3%BC%20b/servers/{first}",
    ]
    yield from map(Request, paths + faults)
    for path in ("/v2.1/servers", f"/v2.1/servers/{other}"):
        for header in (
            ("Accept", "application/xml"),
            ("Accept-Encoding", "gzip, deflate"),
            ("If-None-Match", "*"),
            ("Range", "bytes=0-9"),
            ("X-Forwarded-Host", "elsewhere.test"),
        ):
            yield Request(path, headers=(header,))
        yield Request(path, "HEAD")
        yield Request(path, "DELETE")
        for method in ("POST", "PUT"):
            media_type = ("Content-Type", "application/json")
            yield Request(path, method, (media_type,), b'{"a": 1}')


def answered(server, request):
    """Return the response to a request, without the server's own headers."""
    with closing(
        http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    ) as connection:
        connection.request(
            request.method,
            request.path,
            request.body,
            {"Host": HOST, "Connection": "close", **dict(request.headers)},
        )
        response = connection.getresponse()
        headers: dict[str, list[str]] = {}
        for name, value in response.getheaders():
            # Apache removes the spaces in lists.
            headers.setdefault(name.lower(), []).extend(
                member.strip() for member in value.split(",")
            )
        return Response(
            response.status,
            {
                name: ", ".join(values)
                for name, values in headers.items()
                if name not in SERVERS_OWN
                # The filter drops it from HEAD; wsgiref then adds a 0.
                and (name, request.method) != ("content-length", "HEAD")
            },
            response.read(),
        )


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
