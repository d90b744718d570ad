"""Requests to the demo's API, and their whole responses."""

from __future__ import annotations

import contextlib
import http.client
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.servers.adapters import WSGIServer

#: What all links in the responses begin with.
HOST = "compute.test:8774"

ABSENT = "11111111-2222-3333-4444-555555555555"

#: Headers that servers write.
_SERVERS_OWN = ("connection", "date", "server", "transfer-encoding", "via")


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


def requests(ids: Sequence[str]) -> Iterator[Request]:
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
        f"/v2.1/servers/{ABSENT}",
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
            json = ("Content-Type", "application/json")
            yield Request(path, method, (json,), b'{"a": 1}')


def answered(server: WSGIServer, request: Request) -> Response:
    """Return the response to a request, without the server's own headers."""
    with contextlib.closing(
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
                if name not in _SERVERS_OWN
                # The filter drops it from HEAD; wsgiref then adds a 0.
                and (name, request.method) != ("content-length", "HEAD")
            },
            response.read(),
        )
