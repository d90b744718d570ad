"""Two hundred requests to the demo's API, and their whole responses."""

from __future__ import annotations

import contextlib
import http.client
from typing import NamedTuple

from nova_ext_sts import extension
from nova_ext_sts.demo import fleet
from nova_ext_sts.states import LATER_STATUSES, SPECIFIED_STATUSES

#: What all links in the responses begin with.
HOST = "compute.test:8774"

IDS = [
    fleet.server_id(fleet.server_name(row))
    for row in SPECIFIED_STATUSES + LATER_STATUSES
]
ABSENT = "11111111-2222-3333-4444-555555555555"

#: Headers that are the server's own.
_OF_THE_SERVER = frozenset(
    ("connection", "date", "server", "transfer-encoding", "via")
)


class Request(NamedTuple):
    path: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None


class Response(NamedTuple):
    status: int
    #: The application's, by name in lower case, members of lists and
    #: repeated ones joined.
    headers: dict[str, str]
    body: bytes


def requests() -> list[Request]:
    """Return calls in all their forms, faults, and other methods."""
    roots = ("/v2.1", f"/v2.1/{fleet.PROJECT_ID}")
    calls = [
        Request(f"{root}/servers{detail}{ending}{query}")
        for root in roots
        for detail in ("", "/detail")
        for ending in ("", ".json", ".xml")
        for query in (
            "",
            "?limit=3",
            "?limit=0",
            "?limit=-1",
            f"?marker={IDS[20]}",
            "?name=%5Eactive&limit=2",
        )
    ]
    calls += [
        Request(f"/v2.1/servers/{server_id}{ending}")
        for server_id in IDS
        for ending in ("", ".xml")
    ]
    one = f"/v2.1/servers/{IDS[3]}"
    calls += [
        Request(f"{path}{ending}")
        for path in (
            "/v2.1/extensions",
            f"/v2.1/extensions/{extension.ALIAS}",
            "/v2.1/extensions/OS-DCF",
            "/v2.1/extensions/nothing",
            f"/v2.1/servers/{ABSENT}",
        )
        for ending in ("", ".xml")
    ]
    calls += [
        Request(path, headers=(header,))
        for path in ("/v2.1/servers", one)
        for header in (
            ("Accept", "application/xml"),
            ("Accept", "text/csv"),
            ("Accept-Encoding", "gzip, deflate"),
            ("If-None-Match", "*"),
            ("Range", "bytes=0-9"),
            ("X-Forwarded-Host", "elsewhere.test"),
        )
    ]
    calls += [
        Request(path, method="HEAD")
        for path in ("/v2.1/servers", "/v2.1/servers/detail.xml", one)
    ]
    calls += [
        Request(
            path, method, (("Content-Type", "application/json"),), b'{"a": 1}'
        )
        for path in ("/v2.1/servers", one, f"{one}/action")
        for method in ("POST", "PUT", "DELETE")
    ]
    calls += [
        Request(path)
        for path in (
            "/",
            "/v2.1",
            "/v2.1/",
            "/v2.1/servers/",
            "/v2.1/servers/detail/",
            f"{one}/",
            f"{one}/ips",
            "/v2.1/flavors/detail",
            "/v2.1/servers/%C3%BC",
            "/v2.1/%73ervers",
            f"/v2.1/%C3%BC%20b/servers/{IDS[0]}",
            "/v2.1/servers?limit=many",
            "/v2.1/servers/detail?marker=%22%3C%26",
            "/nothing",
        )
    ]
    return calls


def answered(port: int, request: Request) -> Response:
    """Return a server's response, all headers but its own included."""
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", port, timeout=60)
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
            # Apache writes the members of Vary anew, without spaces.
            headers.setdefault(name.lower(), []).extend(
                member.strip() for member in value.split(",")
            )
        return Response(
            response.status,
            {
                name: ", ".join(values)
                for name, values in headers.items()
                if name not in _OF_THE_SERVER
                # The filter drops it from HEAD; wsgiref then adds a 0.
                and (name, request.method) != ("content-length", "HEAD")
            },
            response.read(),
        )
