"""The filter between an application and a client."""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from nova_ext_sts import ExtendedStatus, filter_factory
from nova_ext_sts.settings import ConfigurationError
from tests.support import databases
from tests.support.applications import JSON, Client, answering, filtered
from tests.support.distributions import installed

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from tests.support.databases import Database

LIST = b'{"servers": [{"id": "a"}, {"id": "b"}], "servers_links": []}'
EXTENDED_LIST = (
    b'{"servers": [{"id": "a", "OS-EXT-STS:vm_state": "active", '
    b'"OS-EXT-STS:task_state": "rebooting", "OS-EXT-STS:power_state": 1}, '
    b'{"id": "b"}], "servers_links": []}'
)
SHOW = b'{"server": {"id": "a"}}'
EXTENDED_SHOW = (
    b'{"server": {"id": "a", "OS-EXT-STS:vm_state": "active", '
    b'"OS-EXT-STS:task_state": "rebooting", "OS-EXT-STS:power_state": 1}}'
)


@pytest.fixture
def connection(sqlite: Database) -> str:
    """Return the URL of a database that knows the server a alone."""
    sqlite.insert_instances([("a", "active", "rebooting", 1)])
    return sqlite.url


@pytest.fixture
def no_connection(tmp_path: Path) -> str:
    """Return the URL of a database that is not there."""
    return f"sqlite:///{tmp_path}/absent"


@pytest.mark.parametrize(
    ("path", "body", "extended"),
    [
        ("/v2.1/servers", LIST, EXTENDED_LIST),
        ("/v2.1/servers/detail", LIST, EXTENDED_LIST),
        ("/v2.1/servers/a", SHOW, EXTENDED_SHOW),
        ("/servers/a.json", SHOW, EXTENDED_SHOW),
    ],
)
def test_servers_get_their_states(
    connection: str, path: str, body: bytes, extended: bytes
) -> None:
    client = filtered(answering(body), connection=connection)
    response = client.get(path)
    assert response.body == extended
    assert response.headers == [
        JSON,
        ("Content-Length", str(len(extended))),
    ]


def test_request_that_is_not_handled_gets_the_identical_iterable() -> None:
    body = [b"{}"]
    seen: list[Any] = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        seen.append((environ, start_response))
        return body

    extended = filter_factory({}, connection="sqlite://")(application)
    for method, path in [
        ("GET", "/v2.1/flavors"),
        ("GET", "/v2.1/servers/a/ips"),
        ("HEAD", "/v2.1/servers/a/ips"),
        ("POST", "/v2.1/servers"),
    ]:
        environ = {"REQUEST_METHOD": method, "PATH_INFO": path}

        def start_response(*_: Any) -> Any:
            raise AssertionError

        assert extended(environ, start_response) is body
        assert seen.pop() == (environ, start_response)


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        ("202 Accepted", "application/json", LIST),
        ("206 Partial Content", "application/json", LIST),
        ("300 Multiple Choices", "application/json", LIST),
        ("401 Unauthorized", "application/json", LIST),
        ("404 Not Found", "application/json", LIST),
        ("500 Internal Server Error", "application/json", LIST),
        ("200 OK", "text/plain", LIST),
        ("200 OK", "application/jsonp", LIST),
        ("200 OK", "application/json", b"not JSON"),
        ("200 OK", "application/json", b'{"server": {"id": "a"}}'),
        ("200 OK", "application/json", b""),
        ("200 OK", "application/json", b'{"servers": ' + b"[" * 100_000),
    ],
)
def test_other_responses_pass_as_they_are(
    connection: str, status: str, content_type: str, body: bytes
) -> None:
    headers = [
        ("Content-Type", content_type),
        ("ETag", '"x"'),
        ("Content-Length", str(len(body))),
    ]
    application = answering(body, *headers, status=status)
    client = filtered(application, connection=connection)
    response = client.get("/servers")
    assert (response.status, response.headers) == (status, headers)
    assert response.body == body


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON; charset=UTF-8",
        "application/vnd.openstack.compute+json",
        " application/json ;x=y",
    ],
)
def test_every_json_media_type_is_read(
    connection: str, content_type: str
) -> None:
    application = answering(
        SHOW, ("Content-Type", content_type), status="203 Other"
    )
    extended = filter_factory({}, connection=connection)(application)
    client = Client(extended)
    assert client.get("/servers/a").body == EXTENDED_SHOW


@pytest.mark.parametrize(
    ("calls", "extended"),
    [
        ("list", ["/servers"]),
        ("detail,show", ["/servers/detail", "/servers/a"]),
        ([], []),
    ],
)
def test_calls_chooses_what_is_extended(
    connection: str, calls: Any, extended: list[str]
) -> None:
    body = b'{"server": {"id": "a"}, "servers": [{"id": "a"}]}'
    client = filtered(answering(body), connection=connection, calls=calls)
    for path in ("/servers", "/servers/detail", "/servers/a"):
        changed = client.get(path).body != body
        assert changed == (path in extended)


def test_headers_fit_the_new_body(connection: str) -> None:
    headers = [
        ("X-Openstack-Request-Id", "req-1"),
        ("Set-Cookie", "a=1"),
        ("content-length", str(len(LIST))),
        ("Content-Type", "application/json"),
        ("ETag", '"1"'),
        ("Content-MD5", "x"),
        ("Digest", "x"),
        ("Content-Digest", "x"),
        ("Repr-Digest", "x"),
        ("Last-Modified", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("Set-Cookie", "b=2"),
        ("Vary", "Accept"),
        ("Content-Encoding", "identity"),
    ]
    given = list(headers)
    client = filtered(answering(LIST, *headers), connection=connection)
    response = client.get("/servers")
    assert response.headers == [
        ("X-Openstack-Request-Id", "req-1"),
        ("Set-Cookie", "a=1"),
        ("content-length", str(len(EXTENDED_LIST))),
        ("Content-Type", "application/json"),
        ("Set-Cookie", "b=2"),
        ("Vary", "Accept"),
        ("Content-Encoding", "identity"),
    ]
    assert headers == given


def test_application_is_asked_for_the_whole_plain_body(
    connection: str,
) -> None:
    asked: list[WSGIEnvironment] = []
    client = filtered(answering(LIST, asked=asked), connection=connection)
    partial = {
        "HTTP_ACCEPT_ENCODING": "gzip",
        "HTTP_IF_MATCH": '"1"',
        "HTTP_IF_MODIFIED_SINCE": "Thu, 01 Jan 1970 00:00:00 GMT",
        "HTTP_IF_NONE_MATCH": '"1"',
        "HTTP_IF_RANGE": '"1"',
        "HTTP_IF_UNMODIFIED_SINCE": "Thu, 01 Jan 1970 00:00:00 GMT",
        "HTTP_RANGE": "bytes=0-1",
    }
    response = client.get("/servers", HTTP_X_OTHER="1", **partial)
    assert response.body == EXTENDED_LIST
    assert not partial.keys() & asked[0].keys()
    assert asked[0]["HTTP_X_OTHER"] == "1"
    client.get("/flavors", **partial)
    assert partial.items() <= asked[1].items()


@pytest.mark.parametrize("fails", [False, True])
def test_application_and_outer_filters_share_one_environ(
    connection: str, fails: bool
) -> None:
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/servers",
        "HTTP_ACCEPT_ENCODING": "gzip",
        "HTTP_RANGE": "bytes=0-1",
    }
    given = dict(environ)

    def application(seen: WSGIEnvironment, start_response: Any) -> Any:
        assert seen is environ
        assert not {"HTTP_ACCEPT_ENCODING", "HTTP_RANGE"} & seen.keys()
        seen["nova.context"] = "context"
        if fails:
            raise KeyError
        start_response("200 OK", [JSON])
        return [LIST]

    extended = filter_factory({}, connection=connection)(application)
    with pytest.raises(KeyError) if fails else contextlib.nullcontext():
        extended(environ, lambda *_: lambda _: None)
    assert environ == given | {"nova.context": "context"}


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate", "br"])
def test_encoded_response_passes(connection: str, coding: str) -> None:
    headers = [JSON, ("Content-Encoding", coding), ("ETag", '"1"')]
    body = gzip.compress(LIST)
    client = filtered(answering(body, *headers), connection=connection)
    response = client.get("/servers")
    assert (response.body, response.headers) == (body, headers)


def test_client_that_accepts_gzip_gets_states(connection: str) -> None:
    encoded = gzip.compress(LIST)

    def application(environ: WSGIEnvironment, start_response: Any) -> Any:
        is_accepted = "gzip" in environ.get("HTTP_ACCEPT_ENCODING", "")
        coding = [("Content-Encoding", "gzip")] if is_accepted else []
        start_response("200 OK", [JSON, *coding])
        return [encoded if is_accepted else LIST]

    client = filtered(application, connection=connection)
    gzipped = {"HTTP_ACCEPT_ENCODING": "gzip, deflate"}
    assert client.get("/servers", **gzipped).body == EXTENDED_LIST
    assert client.get("/flavors", **gzipped).body == encoded


OF_THE_BYTES = [
    ("Content-Length", "9"),
    ("ETag", '"1"'),
    ("Content-MD5", "x"),
    ("Digest", "x"),
    ("Content-Digest", "x"),
    ("Repr-Digest", "x"),
    ("Last-Modified", "Thu, 01 Jan 1970 00:00:00 GMT"),
]


@pytest.mark.parametrize(
    ("path", "status", "content_type", "is_ours"),
    [
        ("/servers", "200 OK", "application/json", True),
        ("/servers/detail", "203 Other", "application/json", True),
        ("/servers/a", "200 OK", "application/xml", True),
        ("/extensions", "200 OK", "application/json", True),
        ("/servers", "404 Not Found", "application/json", False),
        ("/extensions/OS-EXT-STS", "404 Not Found", "text/html", False),
        ("/servers", "200 OK", "text/plain", False),
        ("/servers/a/ips", "200 OK", "application/json", False),
    ],
)
def test_head_describes_no_bytes_that_get_would_not_send(
    connection: str,
    path: str,
    status: str,
    content_type: str,
    is_ours: bool,
) -> None:
    body: list[bytes] = []
    kept = [("Content-Type", content_type), ("Vary", "Accept")]

    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response(status, kept + OF_THE_BYTES)
        return body

    extended = filter_factory({}, connection=connection)(application)
    heads: list[Any] = []

    def start_response(*head: Any) -> Any:
        heads.append(head)

    environ = {"REQUEST_METHOD": "HEAD", "PATH_INFO": path}
    assert extended(environ, start_response) is body
    assert heads == [(status, kept if is_ours else kept + OF_THE_BYTES)]


@pytest.mark.parametrize("size", [len(LIST), len(LIST) - 1])
@pytest.mark.parametrize("announced", [True, False])
def test_only_bodies_up_to_the_limit_are_held(
    connection: str, size: int, announced: bool
) -> None:
    headers = [JSON]
    if announced:
        headers.append(("Content-Length", str(len(LIST))))
    client = filtered(
        answering(LIST, *headers), connection=connection, max_body_size=size
    )
    body = EXTENDED_LIST if size == len(LIST) else LIST
    assert client.get("/servers").body == body


@pytest.mark.parametrize(
    "header",
    [("Content-Length", "9" * 5000), ("Transfer-Encoding", "chunked")],
)
def test_odd_length_leaves_the_response_as_it_is(
    connection: str, header: tuple[str, str]
) -> None:
    application = answering(LIST, JSON, header)
    extended = filter_factory({}, connection=connection)(application)
    response = Client(extended).get("/servers")
    assert (response.body, response.headers) == (LIST, [JSON, header])


def test_response_that_lacks_nothing_costs_no_lookup(
    no_connection: str,
) -> None:
    headers = [JSON, ("ETag", '"1"')]
    for body in (
        b'{"servers": []}',
        EXTENDED_LIST.replace(b', {"id": "b"}', b""),
    ):
        client = filtered(
            answering(body, *headers),
            connection=no_connection,
            on_error="fail",
        )
        response = client.get("/servers")
        assert (response.body, response.headers) == (body, headers)


def test_ids_that_can_be_no_key_are_not_looked_up(no_connection: str) -> None:
    ids = [
        "",
        "é",
        "a\n",
        "x" * 256,
        "\x00",
        "a\x7f",
        "a b",
        "a'",
        'a"',
        "a/b",
    ]
    body = json.dumps({"servers": [{"id": id_} for id_ in ids]}).encode()
    client = filtered(
        answering(body), connection=no_connection, on_error="fail"
    )
    assert client.get("/servers").body == body


def test_server_without_a_record_gets_nulls_where_wanted(
    connection: str,
) -> None:
    body = b'{"servers": [{"id": "a"}, {"id": "b"}, {"id": "\\u00e9"}]}'
    client = filtered(
        answering(body), connection=connection, missing_record="null"
    )
    nulls = dict.fromkeys(
        (
            "OS-EXT-STS:vm_state",
            "OS-EXT-STS:task_state",
            "OS-EXT-STS:power_state",
        )
    )
    assert client.get("/servers").json["servers"] == [
        json.loads(EXTENDED_SHOW)["server"],
        {"id": "b", **nulls},
        {"id": "é", **nulls},
    ]


def test_overwrite_lets_the_record_win(connection: str) -> None:
    body = b'{"server": {"id": "a", "OS-EXT-STS:task_state": "x"}}'
    client = filtered(answering(body), connection=connection, overwrite=True)
    assert client.get("/servers/a").body == (
        b'{"server": {"id": "a", "OS-EXT-STS:task_state": "rebooting", '
        b'"OS-EXT-STS:vm_state": "active", "OS-EXT-STS:power_state": 1}}'
    )


def test_record_in_another_spelling_changes_nothing() -> None:
    """MariaDB takes upper case for equal, and gives its own spelling."""
    with databases.made("mysql", Path()) as database:
        database.insert_instances([("a", "active", "rebooting", 1)])
        headers = [JSON, ("ETag", '"1"')]
        body = b'{"servers": [{"id": "A"}]}'
        client = filtered(answering(body, *headers), connection=database.url)
        response = client.get("/servers")
        assert (response.body, response.headers) == (body, headers)


def test_outage_costs_the_fields_and_nothing_else(
    no_connection: str, caplog: pytest.LogCaptureFixture
) -> None:
    headers = [JSON, ("ETag", '"1"')]
    client = filtered(
        answering(LIST, *headers),
        connection=no_connection,
        missing_record="null",
    )
    for _ in range(3):
        response = client.get("/servers")
        assert (response.body, response.headers) == (LIST, headers)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"({no_connection}): unable to open" in record.getMessage()


def test_end_of_an_outage_is_logged_and_served(
    tmp_path: Path, sqlite: Database, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite.insert_instances([("a", "active", "rebooting", 1)])
    sqlite.execute("ALTER TABLE instances RENAME TO gone")
    client = filtered(answering(LIST), connection=sqlite.url)
    assert client.get("/servers").body == LIST
    assert client.get("/servers").body == LIST
    sqlite.execute("ALTER TABLE gone RENAME TO instances")
    assert client.get("/servers").body == EXTENDED_LIST
    assert client.get("/servers").body == EXTENDED_LIST
    begins, ends = (record.getMessage() for record in caplog.records)
    assert f"({sqlite.url}): no such table: instances" in begins
    assert "after 2 failed lookups" in ends


def test_outage_is_a_fault_where_wanted(no_connection: str) -> None:
    client = filtered(
        answering(
            LIST,
            JSON,
            ("X-Openstack-Request-Id", "req-1"),
            ("Content-Length", str(len(LIST))),
            ("Retry-After", "7"),
        ),
        connection=no_connection,
        on_error="fail",
        timeout="1.5",
    )
    response = client.get("/servers")
    assert response.status == "503 Service Unavailable"
    assert response.body == (
        b'{"serviceUnavailable": {"code": 503, "message": "The states of '
        b'servers cannot be read now."}}'
    )
    assert response.headers == [
        ("X-Openstack-Request-Id", "req-1"),
        ("Content-Length", "93"),
        ("Content-Type", "application/json"),
        ("Retry-After", "2"),
    ]


def test_two_filters_keep_their_own_options(
    connection: str, no_connection: str
) -> None:
    first = filtered(answering(LIST), connection=connection, calls="list")
    second = filtered(
        answering(LIST), connection=no_connection, on_error="fail"
    )
    assert first.get("/servers").body == EXTENDED_LIST
    assert first.get("/servers/detail").body == LIST
    assert second.get("/servers/detail").status[:3] == "503"


def test_second_copy_of_the_filter_changes_nothing(connection: str) -> None:
    make = filter_factory({}, connection=connection)
    client = Client(make(make(answering(SHOW))))
    assert client.get("/servers/a").body == EXTENDED_SHOW


def test_threads_share_one_filter(connection: str) -> None:
    extended = filter_factory({}, connection=connection)(answering(SHOW))
    bodies: list[bytes] = []

    def ask() -> None:
        client = Client(extended)
        bodies.extend(client.get("/servers/a").body for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies == [EXTENDED_SHOW] * 160


def test_filter_is_a_configurable_middleware() -> None:
    application = answering(LIST)
    extended = ExtendedStatus(application, {"connection": "sqlite://"})
    assert extended.application is application


# XML.

XML = ("Content-Type", "application/xml; charset=UTF-8")
COMPUTE = "http://docs.openstack.org/compute/api/v1.1"
XML_LIST = (
    f'<?xml version="1.0"?>\n<servers xmlns="{COMPUTE}"><server id="a"/>'
    '<server id="b"/></servers>'
).encode()
EXTENDED_XML_LIST = (
    '<?xml version="1.0"?>\n<servers xmlns:OS-EXT-STS="http://docs.openstack'
    f'.org/compute/ext/extended_status/api/v1.1" xmlns="{COMPUTE}"><server '
    'OS-EXT-STS:vm_state="active" OS-EXT-STS:task_state="rebooting" '
    'OS-EXT-STS:power_state="1" id="a"/><server id="b"/></servers>'
).encode()


def test_servers_in_xml_get_their_states(connection: str) -> None:
    client = filtered(answering(XML_LIST, XML), connection=connection)
    for path in ("/servers", "/servers/detail.xml"):
        response = client.get(path)
        assert response.body == EXTENDED_XML_LIST
        assert response.headers == [
            XML,
            ("Content-Length", str(len(EXTENDED_XML_LIST))),
        ]


@pytest.mark.parametrize(
    ("charset", "is_ours"),
    [
        ("", True),
        ("; charset=utf-8", True),
        ('; q=1; Charset="UTF-8"', True),
        ("; charset=UTF-16", False),
        ("; charset=us-ascii", False),
        ("; charset=iso-8859-1", False),
    ],
)
def test_xml_is_extended_in_utf_8_only(
    connection: str, charset: str, is_ours: bool
) -> None:
    headers = [("Content-Type", "application/xml" + charset), ("ETag", '"1"')]
    client = filtered(answering(XML_LIST, *headers), connection=connection)
    response = client.get("/servers")
    assert response.body == (EXTENDED_XML_LIST if is_ours else XML_LIST)
    assert ("ETag" in response.names) is not is_ours


def test_xml_that_is_not_well_formed_passes_with_one_debug_line(
    connection: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "nova_ext_sts")
    body = XML_LIST.replace(b"/>", b">")
    client = filtered(answering(body, XML), connection=connection)
    assert client.get("/servers").body == body
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG
    assert "passes unchanged" in record.getMessage()


def test_fault_is_in_xml_where_the_response_was(no_connection: str) -> None:
    client = filtered(
        answering(XML_LIST, XML), connection=no_connection, on_error="fail"
    )
    response = client.get("/servers")
    assert response.status == "503 Service Unavailable"
    assert ("Content-Type", "application/xml") in response.headers
    fault = ElementTree.fromstring(response.body)  # noqa: S314 - our own
    assert fault.tag == f"{{{COMPUTE}}}serviceUnavailable"
    assert fault.get("code") == "503"
    assert fault.findtext(f"{{{COMPUTE}}}message") == (
        "The states of servers cannot be read now."
    )


# The extension's own entry.

ENTRY = {
    "alias": "OS-EXT-STS",
    "description": "Extended Status support.",
    "links": [],
    "name": "ExtendedStatus",
    "namespace": "http://docs.openstack.org/compute/ext/extended_status/api/"
    "v1.1",
    "updated": "2011-11-03T00:00:00Z",
}


def test_extension_is_listed(no_connection: str) -> None:
    client = filtered(
        answering(b'{"extensions": [{"alias": "x"}]}'),
        connection=no_connection,
        calls=[],
    )
    response = client.get("/v2.1/extensions")
    assert response.json == {"extensions": [{"alias": "x"}, ENTRY]}
    again = filtered(
        answering(response.body, ("ETag", "x"), JSON), connection=no_connection
    ).get("/v2.1/extensions")
    assert (again.body, again.names) == (
        response.body,
        ["ETag", "Content-Type"],
    )


def test_placeholder_in_the_extensions_entry_is_put_right(
    no_connection: str,
) -> None:
    body = json.dumps(
        {"extension": {**ENTRY, "namespace": "x", "updated": "y"}}
    ).encode()
    client = filtered(answering(body), connection=no_connection)
    assert client.get("/extensions/OS-EXT-STS").json == {"extension": ENTRY}


@pytest.mark.parametrize(
    ("content_type", "answered"),
    [
        ("application/json; charset=UTF-8", "application/json"),
        ("application/xml", "application/xml"),
        ("text/html", "application/json"),
    ],
)
def test_extension_is_found_where_the_application_knows_none(
    no_connection: str, content_type: str, answered: str
) -> None:
    application = answering(
        b"not found",
        ("X-Compute-Request-Id", "req-1"),
        ("Content-Type", content_type),
        ("Content-Length", "9"),
        status="404 Not Found",
    )
    client = filtered(application, connection=no_connection)
    response = client.get("/extensions/OS-EXT-STS")
    assert response.status == "200 OK"
    assert response.headers == [
        ("X-Compute-Request-Id", "req-1"),
        ("Content-Length", str(len(response.body))),
        ("Content-Type", answered),
    ]
    if answered == "application/json":
        assert response.json == {"extension": ENTRY}
    else:
        (description,) = ElementTree.fromstring(response.body)  # noqa: S314
        assert description.text == ENTRY["description"]
    assert client.get("/extensions").status == "404 Not Found"
    silent = filtered(application, connection=no_connection, announce="no")
    assert silent.get("/extensions/OS-EXT-STS").body == b"not found"


# Record sources of others.


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a distribution with record sources of its own."""
    installed(
        "states-from-elsewhere",
        tmp_path,
        monkeypatch,
        fixed="states_from_elsewhere:Fixed",
        broken="states_from_elsewhere:Broken",
        offline="states_from_elsewhere:Offline",
        odd="states_from_elsewhere:Odd",
        absent="states_from_elsewhere:Absent",
    )
    (tmp_path / "states_from_elsewhere.py").write_text(
        "from nova_ext_sts.records import RecordSource, RecordsUnavailable\n"
        "from nova_ext_sts.states import States\n"
        "class Fixed(RecordSource):\n"
        "    def __init__(self, settings):\n"
        "        self.state = settings.database.url\n"
        "    def lookup(self, ids):\n"
        "        return dict.fromkeys(ids, States(self.state, None, 1))\n"
        "class Broken(Fixed):\n"
        "    def lookup(self, ids):\n"
        "        raise KeyError('s3cret')\n"
        "class Odd(Fixed):\n"
        "    def lookup(self, ids):\n"
        "        return dict.fromkeys(ids, States(b'active', None, 1))\n"
        "class Offline(Fixed):\n"
        "    def lookup(self, ids):\n"
        "        states = {'a': States('active', 'rebooting', 1)}\n"
        "        raise RecordsUnavailable('the rest is offline', states)\n"
    )


@pytest.mark.usefixtures("plugin")
def test_states_can_come_from_a_plugin() -> None:
    client = filtered(
        answering(SHOW), record_source="fixed", connection="redis://elsewhere"
    )
    server = client.get("/servers/a").json["server"]
    assert server["OS-EXT-STS:vm_state"] == "redis://elsewhere"


@pytest.mark.usefixtures("plugin")
def test_error_in_a_plugin_is_an_outage(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for _ in range(2):
        client = filtered(
            answering(LIST), record_source="broken", connection="x"
        )
        assert client.get("/servers").body == LIST
        assert client.get("/servers").body == LIST
    client = filtered(
        answering(LIST),
        record_source="broken",
        connection="x",
        on_error="fail",
    )
    assert client.get("/servers").status == "503 Service Unavailable"
    assert len(caplog.records) == 3
    for record in caplog.records:
        assert "source broken: it raised KeyError" in record.getMessage()


@pytest.mark.usefixtures("plugin")
def test_states_that_cannot_be_written_are_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = filtered(answering(LIST), record_source="odd", connection="x")
    assert client.get("/servers").body == LIST
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "TypeError" in record.getMessage()
    # It is no outage of the record source, which would hide a later one.
    assert "cannot be read" not in record.getMessage()


@pytest.mark.usefixtures("plugin")
def test_outage_of_a_plugin_leaves_what_it_knows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = filtered(
        answering(LIST),
        record_source="offline",
        connection="x",
        missing_record="null",
    )
    assert client.get("/servers").body == EXTENDED_LIST
    (record,) = caplog.records
    assert "from the record source offline: the res" in record.getMessage()


@pytest.mark.usefixtures("plugin")
def test_plugin_that_cannot_be_loaded_is_one_sentence() -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"^The record source absent of the option record_source of "
        r"\[extended_status\] cannot be loaded: .*'Absent'.*\.$",
    ):
        filtered(answering(LIST), record_source="absent")
