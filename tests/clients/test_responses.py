"""Responses that carry no states are the API's own, byte for byte."""

from __future__ import annotations

import contextlib
import http.client
import re
import urllib.parse
from typing import NamedTuple

import pytest

from nova_ext_sts import extension
from tests.clients.backends import TOKEN

ABSENT = "11111111-2222-3333-4444-555555555555"
JSON = "application/json"

#: New in every response.
_UNIQUE = re.compile(r"(?i)date|x-(compute|openstack)-request-id")


class Response(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


def get(endpoint, path, **headers):
    """Return a response, without the headers that no two have in common."""
    url = urllib.parse.urlsplit(endpoint)
    with contextlib.closing(
        http.client.HTTPConnection(url.netloc, timeout=60)
    ) as connection:
        connection.request(
            "GET",
            url.path + path,
            # The same host for all endpoints: links contain it.
            headers={"Host": "compute.test", "X-Auth-Token": TOKEN, **headers},
        )
        response = connection.getresponse()
        return Response(
            response.status,
            [
                header
                for header in response.getheaders()
                if not _UNIQUE.fullmatch(header[0])
            ],
            response.read(),
        )


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/servers/{ABSENT}", 404),
        ("/servers/%C3%BC", 404),
        ("/servers/detail/more", 404),
        (f"/servers?marker={ABSENT}", 400),
        ("/servers/detail?marker=nothing", 400),
        ("/servers?limit=-1", 400),
        ("/servers/detail?limit=many", 400),
        # No fault: an empty page.
        ("/servers?limit=0", 200),
        ("/servers/detail?limit=0", 200),
    ],
)
@pytest.mark.parametrize("accept", [JSON, "text/csv", "application/xml"])
def test_fault_is_the_apis_own(path, status, accept, backend):
    passed = get(backend.extended, path, Accept=accept)
    assert passed == get(backend.bare, path, Accept=accept)
    assert passed.status == status
    assert passed.body


@pytest.mark.parametrize(
    "accept", ["text/csv", "image/*", "application/*;q=0"]
)
def test_response_that_nobody_accepts_has_states(accept, backend):
    """The demo and Nova answer in JSON, whatever a client accepts."""
    for path, count in (
        (f"/servers/{next(iter(backend.records))}", 1),
        ("/servers?limit=3", 3),
    ):
        passed = get(backend.extended, path, Accept=accept)
        assert passed == get(backend.extended, path, Accept=JSON)
        assert passed.status == 200
        # A server's name can hold the word, but then in escaped quotes.
        field = f'{extension.ATTRIBUTES[0]}":'.encode()
        assert passed.body.count(field) == count
