"""The filter between an application and a client."""

import contextlib
import json
import logging
from xml.etree import ElementTree

import pytest

from nova_ext_sts import filter_factory
from nova_ext_sts.extension import DOCUMENTS, ENTRY
from nova_ext_sts.records import RecordsUnavailable
from nova_ext_sts.states import States
from tests.functional.conftest import raising
from tests.support.applications import JSON, answering, filtered

LIST = b'{"servers": [{"id": "a"}, {"id": "b"}], "servers_links": []}'
STATES = (
    b'"OS-EXT-STS:vm_state": "active", '
    b'"OS-EXT-STS:task_state": "rebooting", "OS-EXT-STS:power_state": 1'
)
EXTENDED_LIST = LIST.replace(b'"a"', b'"a", ' + STATES)
COMPLETE_LIST = b'{"servers": [{"id": "a", ' + STATES + b"}]}"
SHOW = b'{"server": {"id": "a"}}'
EXTENDED_SHOW = SHOW.replace(b'"a"', b'"a", ' + STATES)

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

#: The headers that describe the application's bytes.
VALIDATORS = [
    ("ETag", '"1"'),
    ("Content-MD5", "x"),
    ("Digest", "x"),
    ("Content-Digest", "x"),
    ("Repr-Digest", "x"),
    ("Last-Modified", "Thu, 01 Jan 1970 00:00:00 GMT"),
]


#: Media types, and a list in each.
LISTS = [("application/json", LIST), ("application/xml", XML_LIST)]


@pytest.fixture
def blind(tmp_path):
    """Return the options of a filter that answers 503 after any lookup."""
    return {"connection": f"sqlite:///{tmp_path}/absent", "on_error": "fail"}


@pytest.mark.parametrize(
    ("path", "media_type", "body", "extended"),
    [
        ("/v2.1/servers", "application/json", LIST, EXTENDED_LIST),
        (
            "/v2.1/servers/detail",
            "Application/JSON; charset=UTF-8",
            LIST,
            EXTENDED_LIST,
        ),
        (
            "//servers//a.json",
            "application/vnd.openstack.compute+json",
            SHOW,
            EXTENDED_SHOW,
        ),
        (
            "/servers",
            'application/xml; q=1; Charset="UTF-8"',
            XML_LIST,
            EXTENDED_XML_LIST,
        ),
        (
            "/servers/detail.xml",
            "application/vnd.openstack.compute+xml",
            XML_LIST,
            EXTENDED_XML_LIST,
        ),
    ],
)
@pytest.mark.parametrize("status", ["200 OK", "203 Other"])
def test_servers_get_their_states(
    connection, status, path, media_type, body, extended
):
    header = ("Content-Type", media_type)
    application = answering(body, header, status=status)
    assert filtered(application, connection=connection).get(path) == (
        status,
        [header, ("Content-Length", str(len(extended)))],
        extended,
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2.1/flavors"),
        ("HEAD", "/v2.1/servers/a/ips"),
        ("POST", "/v2.1/servers"),
    ],
)
def test_request_that_is_not_handled_gets_the_identical_iterable(method, path):
    body = [b"{}"]
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path}

    def start_response(*_):
        raise AssertionError

    def application(*arguments):
        assert arguments == (environ, start_response)
        return body

    extended = filter_factory({}, connection="sqlite://")(application)
    assert extended(environ, start_response) is body


#: Ids that are not looked up.
ODD_IDS = ["", "é", "a\n", "x" * 256, "\x00", "a\x7f", "a b", "a'", "a/b"]
ODD_LIST = json.dumps({"servers": [{"id": each} for each in ODD_IDS]}).encode()


@pytest.mark.parametrize(
    ("status", "media_type", "encoding", "body"),
    [
        ("202 Accepted", "application/json", "", LIST),
        ("404 Not Found", "application/json", "", LIST),
        ("500 Internal Server Error", "application/json", "", LIST),
        ("200 OK", "text/plain", "", LIST),
        ("200 OK", "application/json", "", b"not JSON"),
        ("200 OK", "application/json", "", SHOW),
        ("200 OK", "application/json", "", b'{"servers": ' + b"[" * 100_000),
        ("200 OK", "application/json", "", b'{"servers": []}'),
        ("200 OK", "application/json", "", COMPLETE_LIST),
        ("200 OK", "application/json", "", ODD_LIST),
        ("200 OK", "application/json", "gzip", b"gzipped"),
        ("200 OK", "application/xml", "", XML_LIST.replace(b"/>", b">")),
        ("200 OK", "application/xml; charset=iso-8859-1", "", XML_LIST),
    ],
)
def test_other_responses_pass_unchanged_without_a_lookup(
    blind, status, media_type, encoding, body
):
    headers = [
        ("Content-Type", media_type),
        ("Content-Encoding", encoding),
        ("ETag", '"x"'),
        ("Content-Length", str(len(body))),
    ]
    client = filtered(answering(body, *headers, status=status), **blind)
    assert client.get_list() == (status, headers, body)


@pytest.mark.parametrize(
    ("calls", "extended"),
    [
        ("list", ["/servers"]),
        ("detail,show", ["/servers/detail", "/servers/a"]),
        ([], []),
    ],
)
def test_calls_selects_the_extended_calls(connection, calls, extended):
    body = b'{"server": {"id": "a"}, "servers": [{"id": "a"}]}'
    client = filtered(answering(body), connection=connection, calls=calls)
    paths = ("/servers", "/servers/detail", "/servers/a")
    changed = [path for path in paths if client.get(path).body != body]
    assert changed == extended


def test_headers_match_the_new_body(connection):
    kept = [
        ("X-Openstack-Request-Id", "req-1"),
        ("Set-Cookie", "a=1"),
        ("content-length", str(len(LIST))),
        JSON,
        ("Set-Cookie", "b=2"),
        ("Content-Encoding", "identity"),
    ]
    headers = [*kept[:4], *VALIDATORS, *kept[4:]]
    before = list(headers)
    client = filtered(answering(LIST, *headers), connection=connection)
    kept[2] = ("content-length", str(len(EXTENDED_LIST)))
    assert client.get_list().headers == kept
    assert headers == before


@pytest.mark.parametrize("fails", [False, True])
def test_partial_and_encoded_responses_are_not_requested(connection, fails):
    withheld = {
        "HTTP_ACCEPT_ENCODING": "gzip",
        "HTTP_IF_MATCH": '"1"',
        "HTTP_IF_MODIFIED_SINCE": "Thu, 01 Jan 1970 00:00:00 GMT",
        "HTTP_IF_NONE_MATCH": '"1"',
        "HTTP_IF_RANGE": '"1"',
        "HTTP_IF_UNMODIFIED_SINCE": "Thu, 01 Jan 1970 00:00:00 GMT",
        "HTTP_RANGE": "bytes=0-1",
    }
    kept = {"REQUEST_METHOD": "GET", "PATH_INFO": "/servers", "HTTP_X": "1"}
    environ = {**kept, **withheld}

    def application(seen, start_response):
        # The server's own environ: outer filters read what is written here.
        assert seen is environ
        assert seen == kept
        seen["nova.context"] = "context"
        if fails:
            raise KeyError
        start_response("200 OK", [JSON])
        return [LIST]

    extended = filter_factory({}, connection=connection)(application)
    with pytest.raises(KeyError) if fails else contextlib.nullcontext():
        extended(environ, lambda *_: lambda _: None)
    assert environ == {**kept, **withheld, "nova.context": "context"}


@pytest.mark.parametrize(
    ("path", "status", "content_type", "is_handled"),
    [
        ("/servers/detail", "203 Other", "application/json", True),
        ("/servers/a", "200 OK", "application/xml", True),
        ("/extensions", "200 OK", "application/json", True),
        ("/extensions/OS-EXT-STS", "404 Not Found", "text/html", True),
        ("/servers", "200 OK", "text/plain", False),
        ("/servers/a/ips", "200 OK", "application/json", False),
    ],
)
def test_head_has_no_headers_of_bytes_that_get_would_not_send(
    blind, path, status, content_type, is_handled
):
    kept = [("Content-Type", content_type), ("Vary", "Accept")]
    headers = [*kept, ("Content-Length", "9"), *VALIDATORS]
    client = filtered(answering(b"", *headers, status=status), **blind)
    expected = kept if is_handled else headers
    assert client.get(path, REQUEST_METHOD="HEAD") == (status, expected, b"")


@pytest.mark.parametrize("size", [len(LIST), len(LIST) - 1])
@pytest.mark.parametrize(
    "headers", [[JSON], [JSON, ("Content-Length", str(len(LIST)))]]
)
def test_bodies_up_to_max_body_size_are_extended(connection, size, headers):
    client = filtered(
        answering(LIST, *headers), connection=connection, max_body_size=size
    )
    body = EXTENDED_LIST if size == len(LIST) else LIST
    assert client.get_list().body == body


def test_missing_record_null_gives_nulls(connection):
    body = '{"servers": [{"id": "a"}, {"id": "b"}, {"id": "é"}]}'.encode()
    client = filtered(
        answering(body), connection=connection, missing_record="null"
    )
    nulls = dict.fromkeys(
        f"OS-EXT-STS:{name}_state" for name in ("vm", "task", "power")
    )
    assert client.get_list().json["servers"] == [
        json.loads(EXTENDED_SHOW)["server"],
        {"id": "b", **nulls},
        {"id": "é", **nulls},
    ]


def test_overwrite_replaces_the_applications_fields(connection):
    body = b'{"server": {"id": "a", "OS-EXT-STS:task_state": "x"}}'
    client = filtered(answering(body), connection=connection, overwrite=True)
    assert client.get("/servers/a").body == (
        b'{"server": {"id": "a", "OS-EXT-STS:task_state": "rebooting", '
        b'"OS-EXT-STS:vm_state": "active", "OS-EXT-STS:power_state": 1}}'
    )


def test_unavailable_records_leave_the_response_unchanged(blind, caplog):
    headers = [JSON, ("ETag", '"1"')]
    options = {**blind, "on_error": "omit", "missing_record": "null"}
    client = filtered(answering(LIST, *headers), **options)
    for _ in range(3):
        assert client.get_list() == ("200 OK", headers, LIST)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert blind["connection"] in record.getMessage()


@pytest.mark.parametrize(("media_type", "body"), LISTS)
def test_on_error_fail_answers_503(blind, media_type, body):
    headers = [
        ("Content-Type", f"{media_type}; charset=utf-8"),
        ("X-Openstack-Request-Id", "req-1"),
        ("Retry-After", "7"),
    ]
    client = filtered(answering(body, *headers), **blind, timeout="1.5")
    response = client.get_list()
    assert response.status == "503 Service Unavailable"
    assert response.headers == [
        ("X-Openstack-Request-Id", "req-1"),
        ("Content-Length", str(len(response.body))),
        ("Content-Type", media_type),
        ("Retry-After", "2"),
    ]
    if media_type == "application/json":
        assert response.json["serviceUnavailable"]["code"] == 503
    else:
        fault = ElementTree.fromstring(response.body)  # noqa: S314
        assert fault.tag == f"{{{COMPUTE}}}serviceUnavailable"
        assert fault.get("code") == "503"
        assert fault.findtext(f"{{{COMPUTE}}}message")


def test_filters_of_one_process_have_their_own_options(connection, blind):
    first = filtered(answering(LIST), connection=connection, calls="list")
    second = filtered(answering(LIST), **blind)
    assert first.get_list().body == EXTENDED_LIST
    assert first.get("/servers/detail").body == LIST
    assert second.get("/servers/detail").status[:3] == "503"


def test_second_filter_in_a_pipeline_changes_nothing(connection):
    extended = filter_factory({}, connection=connection)(answering(SHOW))
    client = filtered(extended, connection=connection)
    assert client.get("/servers/a").body == EXTENDED_SHOW


# The extension's own entry.


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        (
            "/v2.1/extensions",
            {"extensions": [{"alias": "x"}]},
            {"extensions": [{"alias": "x"}, ENTRY]},
        ),
        (
            "/extensions/OS-EXT-STS",
            {"extension": {**ENTRY, "namespace": "x", "updated": "y"}},
            {"extension": ENTRY},
        ),
    ],
)
def test_extensions_entry_is_added_or_corrected_once(
    blind, path, before, after
):
    headers = [("ETag", "x"), JSON]
    application = answering(json.dumps(before).encode(), *headers)
    response = filtered(application, **blind, calls=[]).get(path)
    assert response.json == after
    assert "ETag" not in response.names
    again = filtered(answering(response.body, *headers), **blind).get(path)
    assert again == ("200 OK", headers, response.body)


@pytest.mark.parametrize(
    ("content_type", "body_format"),
    [
        ("application/json; charset=UTF-8", "json"),
        ("application/xml", "xml"),
        ("text/html", "json"),
    ],
)
def test_unknown_extension_is_answered_by_the_filter(
    blind, content_type, body_format
):
    application = answering(
        b"not found",
        ("X-Compute-Request-Id", "req-1"),
        ("Content-Type", content_type),
        status="404 Not Found",
    )
    client = filtered(application, **blind)
    body = DOCUMENTS[body_format]
    headers = [
        ("X-Compute-Request-Id", "req-1"),
        ("Content-Length", str(len(body))),
        ("Content-Type", f"application/{body_format}"),
    ]
    response = client.get("/extensions/OS-EXT-STS")
    assert response == ("200 OK", headers, body)
    assert client.get("/extensions").status == "404 Not Found"
    silent = filtered(application, **blind, announce="no")
    assert silent.get("/extensions/OS-EXT-STS").body == b"not found"


# Record sources of other packages.


def with_plugin(body=LIST, content_type=JSON, **options):
    application = answering(body, content_type)
    return filtered(application, record_source="plugin", **options)


def test_states_can_come_from_a_plugin(plugin):
    urls = []
    plugin(
        lambda ids: {"a": States("active", "rebooting", 1)},
        lambda settings: urls.append(settings.database.url),
    )
    client = with_plugin(connection="redis://elsewhere")
    assert client.get_list().body == EXTENDED_LIST
    assert urls == ["redis://elsewhere"]


@pytest.mark.parametrize(
    ("error", "keyword"),
    [
        (KeyError("s3cret"), "KeyError"),
        (RecordsUnavailable("it is offline"), "it is offline"),
    ],
)
def test_error_in_a_plugin_is_an_outage(plugin, caplog, error, keyword):
    plugin(raising(error))
    client = with_plugin()
    for _ in range(2):
        assert client.get_list().body == LIST
    (record,) = caplog.records
    assert "plugin" in record.getMessage()
    assert keyword in record.getMessage()
    assert "s3cret" not in record.getMessage()
    response = with_plugin(on_error="fail").get_list()
    assert response.status == "503 Service Unavailable"


def test_records_of_a_partial_outage_are_used(plugin):
    records = {"a": States("active", "rebooting", 1)}
    plugin(raising(RecordsUnavailable("the rest is offline", records)))
    response = with_plugin(missing_record="null").get_list()
    assert response.body == EXTENDED_LIST


@pytest.mark.parametrize("states", [(b"active", None, 1), ("active", None)])
@pytest.mark.parametrize(("media_type", "body"), LISTS)
def test_states_of_the_wrong_type_are_an_error_and_no_outage(
    plugin, media_type, body, states, caplog
):
    plugin(lambda ids: dict.fromkeys(ids, states))
    client = with_plugin(body, ("Content-Type", media_type))
    assert client.get_list().body == body
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "TypeError" in record.getMessage()
    # An outage would hide the next one.
    assert "cannot be read" not in record.getMessage().lower()
