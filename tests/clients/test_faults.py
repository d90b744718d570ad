"""What cannot be answered is the API's own fault, byte for byte."""

from __future__ import annotations

import contextlib
import http.client
import re
import urllib.parse
from typing import TYPE_CHECKING, NamedTuple

import pytest

from nova_ext_sts import extension
from tests.clients.backends import TOKEN

if TYPE_CHECKING:
    from tests.clients.backends import Backend
    from tests.clients.tally import Tally

ABSENT = "11111111-2222-3333-4444-555555555555"
JSON = "application/json"

#: Made anew for every request.
_OF_ONE_REQUEST = re.compile(r"(?i)date|x-(compute|openstack)-request-id")


class Response(NamedTuple):
    status: int
    #: In order, without what no two responses have in common.
    headers: list[tuple[str, str]]
    body: bytes


def got(endpoint: str, path: str, accept: str = JSON) -> Response:
    url = urllib.parse.urlsplit(endpoint)
    with contextlib.closing(
        http.client.HTTPConnection(url.netloc, timeout=60)
    ) as connection:
        connection.request(
            "GET",
            url.path + path,
            # The same for both endpoints: it stands in links.
            headers={
                "Accept": accept,
                "Host": "compute.test",
                "X-Auth-Token": TOKEN,
            },
        )
        response = connection.getresponse()
        return Response(
            response.status,
            [
                header
                for header in response.getheaders()
                if not _OF_ONE_REQUEST.fullmatch(header[0])
            ],
            response.read(),
        )


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        (f"/servers/{ABSENT}", JSON, 404),
        (f"/servers/{ABSENT}", "text/csv", 404),
        (f"/servers/{ABSENT}", "application/xml", 404),
        ("/servers/%C3%BC", JSON, 404),
        ("/servers/detail/more", JSON, 404),
        (f"/servers?marker={ABSENT}", JSON, 400),
        (f"/servers/detail?marker={ABSENT}", JSON, 400),
        (f"/servers/detail?marker={ABSENT}", "text/csv", 400),
        ("/servers?marker=nothing", JSON, 400),
        ("/servers?limit=-1", JSON, 400),
        ("/servers/detail?limit=-1", JSON, 400),
        ("/servers?limit=many", JSON, 400),
        ("/servers/detail?limit=many", JSON, 400),
        ("/servers/detail?limit=many", "image/*, text/csv;q=0.1", 400),
        # No fault: an empty page.
        ("/servers?limit=0", JSON, 200),
        ("/servers/detail?limit=0", JSON, 200),
    ],
)
def test_fault_is_the_apis_own(
    path: str, accept: str, status: int, backend: Backend, tally: Tally
) -> None:
    passed = got(backend.extended, path, accept)

    assert passed == got(backend.bare, path, accept)
    assert passed.status == status
    assert passed.body
    tally.count("faults", backend.name, calls=1)


@pytest.mark.parametrize(
    "accept", ["text/csv", "image/*", "application/*;q=0"]
)
def test_accept_that_cannot_be_met_is_answered_as_the_api_answers_it(
    accept: str, backend: Backend, tally: Tally
) -> None:
    """The demo and Nova answer in JSON, and the filter goes by that."""
    server_id = next(iter(backend.records))
    for path in (f"/servers/{server_id}", "/servers?limit=3"):
        passed = got(backend.extended, path, accept)

        assert passed == got(backend.extended, path)
        assert passed.status == got(backend.bare, path, accept).status == 200
        # A server's name may hold the word, but then in escaped quotes.
        field = f'{extension.ATTRIBUTES[0]}":'.encode()
        assert passed.body.count(field) == (3 if "limit" in path else 1)
        tally.count("faults", backend.name, calls=1)
