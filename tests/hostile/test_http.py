"""What HTTP lets a response be, where tests/functional has no case of it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from nova_ext_sts import filter_factory
from tests.hostile.filtering import asked_ids
from tests.support.applications import JSON, Client, answering, filtered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from tests.hostile.tally import Tally

BODY = b'{"server": {"id": "b"}}'
EXTENDED = (
    b'{"server": {"id": "b", "OS-EXT-STS:vm_state": null, '
    b'"OS-EXT-STS:task_state": null, "OS-EXT-STS:power_state": null}}'
)


CODINGS = ("gzip", "deflate", "identity", "br", "compress", "")
#: Stacks of codings, the first applied first, and whether they change nothing.
STACKS = [
    (stack, stack in (("identity",), ("",)))
    for count in (1, 2)
    for stack in itertools.product(CODINGS, repeat=count)
    if count == 1 or "" not in stack
]


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("in_one_header", [False, True])
@pytest.mark.parametrize(("stack", "is_ours"), STACKS)
def test_encoded_responses_pass(
    connection: str,
    tally: Tally,
    stack: tuple[str, ...],
    is_ours: bool,
    in_one_header: bool,
    upper: bool,
) -> None:
    values = [", ".join(stack)] if in_one_header else list(stack)
    headers = [JSON] + [
        ("Content-Encoding", value.upper() if upper else value)
        for value in values
    ]
    # Even one that would parse, as it says what it is not.
    extended = filter_factory({}, connection=connection)(
        answering(BODY, *headers)
    )
    with tally.case("HTTP: codings") as counted:
        response = Client(extended).get("/servers/b")
        if not is_ours:
            assert response == ("200 OK", headers, BODY)
            return
        counted.extended += 1
        assert response.body == EXTENDED
        assert response.headers == [
            *headers,
            ("Content-Length", str(len(EXTENDED))),
        ]


MEDIA = [
    ("application/json", True),
    ("APPLICATION/JSON", True),
    ("application/json;charset=UTF-8", True),
    ('application/json; charset="utf-8"', True),
    ("application/json; charset=iso-8859-1", True),
    ("application/json;odata=full;charset=x;q=0", True),
    ("application/json ; x", True),
    ("Application/Vnd.OpenStack.Compute+JSON; version=2.1", True),
    ("", False),
    ("json", False),
    ("application/", False),
    ("application/json-seq", False),
    ("application/problem+json", False),
    ("application/json, application/json", False),
    ("application /json", False),
    ("text/json", False),
    ("multipart/mixed; boundary=application/json", False),
    ("application/vnd.openstack.compute+json+x", False),
]


@pytest.mark.parametrize(("media_type", "is_ours"), MEDIA)
def test_media_types_in_every_spelling(
    connection: str, tally: Tally, media_type: str, is_ours: bool
) -> None:
    headers = [("CONTENT-type", media_type)]
    extended = filter_factory({}, connection=connection)
    with tally.case("HTTP: media types") as counted:
        response = Client(extended(answering(BODY, *headers))).get(
            "/servers/b"
        )
        assert response.body == (EXTENDED if is_ours else BODY)
        assert response.headers[0] == headers[0]
        counted.extended += is_ours


@pytest.mark.parametrize("body", [BODY, b'{"server": {"id": "gone"}}'])
def test_repeated_headers_keep_their_order(
    connection: str, tally: Tally, body: bytes
) -> None:
    cookies = [("Set-Cookie", f"c{n % 7}={n}; Path=/") for n in range(50)]
    headers = [*cookies[:25], JSON, ("Vary", "A"), *cookies[25:]]
    headers += [("vary", "B"), ("Link", "<a>"), ("X-Empty", ""), ("Link", "")]
    client = filtered(answering(body, *headers), connection=connection)
    with tally.case("HTTP: repeated headers"):
        response = client.get("/servers/b")
        assert response.headers[: len(headers)] == headers


def partial(
    environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    """Answer with as little as a client allows, as a cache would."""
    if "HTTP_IF_NONE_MATCH" in environ or "HTTP_IF_MODIFIED_SINCE" in environ:
        start_response("304 Not Modified", [("ETag", '"1"')])
        return []
    if "HTTP_IF_MATCH" in environ or "HTTP_IF_UNMODIFIED_SINCE" in environ:
        start_response("412 Precondition Failed", [JSON])
        return [b"{}"]
    if "HTTP_ACCEPT_ENCODING" in environ:
        start_response("200 OK", [JSON, ("Content-Encoding", "br")])
        return [b"encoded"]
    if "HTTP_RANGE" in environ:
        start_response("206 Partial Content", [JSON])
        return [BODY[:9]]
    start_response("200 OK", [JSON, ("ETag", '"1"')])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [BODY]


PARTIAL = {
    "HTTP_ACCEPT_ENCODING": "br",
    "HTTP_IF_NONE_MATCH": '"1"',
    "HTTP_IF_MODIFIED_SINCE": "Thu, 01 Jan 1970 00:00:00 GMT",
    "HTTP_IF_MATCH": '"2"',
    "HTTP_IF_UNMODIFIED_SINCE": "Thu, 01 Jan 1970 00:00:00 GMT",
    "HTTP_RANGE": "bytes=0-8",
}


@pytest.mark.parametrize("name", PARTIAL)
def test_client_that_asks_for_less_gets_all_on_handled_calls_alone(
    connection: str, tally: Tally, name: str
) -> None:
    client = Client(filter_factory({}, connection=connection)(partial))
    asked = {name: PARTIAL[name]}
    with tally.case("HTTP: conditions and ranges"):
        response = client.get("/servers/b", **asked)
        assert (response.status, response.body) == ("200 OK", EXTENDED)
        assert "ETag" not in response.names
        for path in ("/servers/b/ips", "/flavors"):
            assert client.get(path, **asked) == Client(partial).get(
                path, **asked
            )


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "get"])
def test_other_methods_pass(
    connection: str, tally: Tally, method: str
) -> None:
    client = Client(filter_factory({}, connection=connection)(partial))
    asked: dict[str, Any] = {"REQUEST_METHOD": method, "HTTP_RANGE": "bytes=0"}
    with tally.case("HTTP: methods"), asked_ids() as ids:
        assert client.get("/servers/b", **asked) == Client(partial).get(
            "/servers/b", **asked
        )
        assert ids == []


def test_head_is_answered_as_get_without_a_validator(
    connection: str, tally: Tally
) -> None:
    client = Client(filter_factory({}, connection=connection)(partial))
    asked = {"REQUEST_METHOD": "HEAD", **PARTIAL}
    with tally.case("HTTP: methods"), asked_ids() as ids:
        response = client.get("/servers/b", **asked)
        assert response == ("200 OK", [JSON], b"")
        assert ids == []
