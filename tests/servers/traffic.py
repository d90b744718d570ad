"""Requests to the demo's API, and their whole responses."""

from __future__ import annotations

import contextlib
import http.client
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.servers.adapters import Site

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


def calls(ids: Sequence[str]) -> Iterable[Request]:
    for root in ("/v2.1", "/v2.1/project"):
        for path in ("", "/detail", f"/{ids[0]}"):
            for ending in ("", ".json", ".xml", "/"):
                yield Request(f"{root}/servers{path}{ending}")
    for query in ("limit=3", "limit=0", f"marker={ids[3]}", "name=%5Eact"):
        yield Request(f"/v2.1/servers?{query}")


def extensions(ids: Sequence[str]) -> Iterable[Request]:
    for path in ("", "/OS-EXT-STS", "/OS-DCF", "/nothing"):
        for ending in ("", ".xml"):
            yield Request(f"/v2.1/extensions{path}{ending}")


def request_headers(ids: Sequence[str]) -> Iterable[Request]:
    for path in ("/v2.1/servers", f"/v2.1/servers/{ids[3]}"):
        for header in (
            ("Accept", "application/xml"),
            ("Accept-Encoding", "gzip, deflate"),
            ("If-None-Match", "*"),
            ("Range", "bytes=0-9"),
            ("X-Forwarded-Host", "elsewhere.test"),
        ):
            yield Request(path, headers=(header,))


def other_methods(ids: Sequence[str]) -> Iterable[Request]:
    json = ("Content-Type", "application/json")
    for path in ("/v2.1/servers", f"/v2.1/servers/{ids[3]}"):
        yield Request(path, "HEAD")
        yield Request(path, "DELETE")
        for method in ("POST", "PUT"):
            yield Request(path, method, (json,), b'{"a": 1}')


def faults(ids: Sequence[str]) -> Iterable[Request]:
    for path in (
        "/",
        "/nothing",
        "/v2.1",
        "/v2.1/flavors/detail",
        f"/v2.1/servers/{ABSENT}",
        "/v2.1/servers/%C3%BC",
        f"/v2.1/servers/{ids[0]}/ips",
        "/v2.1/%73ervers",
        "/v2.1/servers?limit=-1",
        "/v2.1/servers?limit=many",
        "/v2.1/servers/detail?marker=%22%3C%26",
        f"/v2.1/%C3%BC%20b/servers/{ids[0]}",
    ):
        yield Request(path)


def answered(site: Site, request: Request) -> Response:
    """Return the response to a request, without the server's own headers."""
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
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
