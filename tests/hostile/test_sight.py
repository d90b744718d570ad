"""Nobody sees more than before: what is looked up, added and logged."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from nova_ext_sts import filter_factory
from tests.hostile.filtering import (
    FIRST,
    PATHS,
    RECORDS,
    SECOND,
    TYPES,
    Filtering,
    asked_ids,
)
from tests.support import databases
from tests.support.applications import JSON, Client, answering
from tests.support.cells import Cells

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.hostile.tally import Tally

FORGED = "x\r\nCRITICAL root forged\x1b[31m\x00\u2028y"
INJECTED = "a' OR '1'='1"


@pytest.mark.parametrize("call", PATHS)
def test_only_ids_in_the_response_are_looked_up(
    connection: str, tally: Tally, call: str
) -> None:
    member = "server" if call == "show" else "servers"
    server = {"id": FIRST, "image": {"id": SECOND}, "host": "b", "name": "a"}
    content: Any = server if call == "show" else [server, {"id": INJECTED}]
    body = json.dumps({"x": {"id": "a"}, member: content}).encode()
    with asked_ids() as ids, tally.case("sight: look-ups"):
        Filtering(connection).body(body, call, TYPES["json"])
        assert ids == [FIRST]


@pytest.mark.parametrize(
    "sent",
    [
        {"QUERY_STRING": f"id={SECOND}&name=a&marker=b"},
        {"HTTP_X_SERVER_ID": SECOND, "HTTP_COOKIE": "id=a"},
        {"HTTP_X_OPENSTACK_NOVA_API_VERSION": INJECTED},
        {"HTTP_HOST": INJECTED, "SCRIPT_NAME": f"/{SECOND}"},
        {"REMOTE_USER": SECOND, "HTTP_X_USER_ID": SECOND},
        {"CONTENT_LENGTH": "9", "wsgi.input": io.BytesIO(b'{"id": "b"}')},
    ],
)
@pytest.mark.parametrize("path", ["/servers/a", f"/v2.1/{SECOND}/servers/b"])
def test_nothing_of_the_request_is_looked_up(
    connection: str, tally: Tally, path: str, sent: dict[str, Any]
) -> None:
    application = answering(json.dumps({"server": {"id": FIRST}}).encode())
    client = Client(filter_factory({}, connection=connection)(application))
    with asked_ids() as ids, tally.case("sight: look-ups"):
        client.get(path, **sent)
        assert ids == [FIRST]


@pytest.mark.parametrize(
    "status",
    [
        "204 No Content", "206 Partial Content", "300 Multiple Choices",
        "302 Found", "304 Not Modified", "400 Bad Request",
        "401 Unauthorized", "403 Forbidden", "404 Not Found",
        "409 Conflict", "413 Request Entity Too Large",
        "429 Too Many Requests", "500 Internal Server Error",
        "501 Not Implemented", "503 Service Unavailable",
        "2000 OK", "200OK", "020 OK",
    ],
)  # fmt: skip
@pytest.mark.parametrize("call", PATHS)
def test_denied_or_failed_response_stays_as_it_was(
    connection: str, tally: Tally, call: str, status: str
) -> None:
    body = b'{"server": {"id": "a"}, "servers": [{"id": "a"}]}'
    headers = [
        ("WWW-Authenticate", "Basic"),
        JSON,
        ("ETag", '"1"'),
        ("Content-Range", "bytes 0-9/99"),
        ("Retry-After", "3"),
        ("WWW-Authenticate", "Keystone"),
    ]
    application = answering(body, *headers, status=status)
    client = Client(filter_factory({}, connection=connection)(application))
    with asked_ids() as ids, tally.case("HTTP: other statuses"):
        assert client.get(PATHS[call]) == (status, headers, body)
        assert ids == []


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        (b'{"servers": []}', []),
        (b'{"servers": [{"name": "a"}, {"id": "gone"}]}', ["gone"]),
        (b'{"servers": [{"id": ["a"]}, {"uuid": "a"}, null, "a"]}', []),
    ],
)
def test_no_server_is_added(
    connection: str, tally: Tally, body: bytes, ids: list[str]
) -> None:
    filtering = Filtering(connection)
    with asked_ids() as asked, tally.case("sight: servers"):
        assert filtering.body(body, "list", TYPES["json"]) == body
        assert asked == ids


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Give what a file would hold if all were logged to it."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logging.Formatter("LINE %(name)s %(message)s"))
    logger = logging.getLogger("nova_ext_sts")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield written
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def assert_unforged(log: io.StringIO, least: int) -> None:
    text = log.getvalue()
    lines = text.splitlines()
    assert len(lines) >= least
    assert all(line.startswith("LINE nova_ext_sts") for line in lines)
    assert "\x1b" not in text
    assert "\0" not in text


@pytest.mark.parametrize("format", TYPES)
def test_response_forges_no_line_in_the_log(
    connection: str, tally: Tally, log: io.StringIO, format: str
) -> None:
    filtering = Filtering(connection, overwrite=True)
    with tally.case("log: responses"):
        for body in (
            json.dumps({"server": {"id": FORGED}}),
            json.dumps({"server": {"id": FORGED}, FORGED: {}}) + FORGED,
            f'{{"server": "{FORGED}"}}',
            f"<?xml version='1.0' encoding='{FORGED}'?>{FORGED}",
            f"<{FORGED}/>",
            f"<!DOCTYPE {FORGED}>",
        ):
            for parameter in ("", f'; charset="{FORGED}"', f"; {FORGED}"):
                filtering.response(
                    body.encode(), "show", TYPES[format] + parameter
                )
        assert_unforged(log, 1)


def test_request_forges_no_line_in_the_log(
    connection: str, tally: Tally, log: io.StringIO
) -> None:
    client = Client(filter_factory({}, connection=connection)(answering(b"-")))
    with tally.case("log: requests"):
        client.get(
            f"/servers/{FORGED}",
            QUERY_STRING=FORGED,
            HTTP_X_FORGED=FORGED,
            HTTP_COOKIE=FORGED,
        )
        assert_unforged(log, 1)


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[Cells]:
    made = []

    def new_database() -> databases.Database:
        made.append(databases.made("sqlite", tmp_path))
        return made[-1].__enter__()

    yield Cells(new_database)
    for database in made:
        database.__exit__(None, None, None)


@pytest.mark.parametrize(
    "request_text",
    [
        FORGED,
        json.dumps({FORGED: 1}),
        json.dumps({"nova_object.data": FORGED}),
        json.dumps({"nova_object.data": {"vm_state": [FORGED]}}),
    ],
)
def test_build_request_forges_no_line_in_the_log(
    cells: Cells, tally: Tally, log: io.StringIO, request_text: str
) -> None:
    cells.add("a", None)
    cells.add_request("a", request_text)
    with tally.case("log: databases"):
        cells.source().lookup(["a"])
        assert_unforged(log, 1)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        (FORGED, "sqlite:////nowhere/at/all"),
        (FORGED, "{no_such_part}"),
        (FORGED, "not a URL"),
        (FORGED, f"mysql+{FORGED}://h/x"),
        ("x", f"sqlite:////nowhere/{FORGED}"),
        ("x", f"sqlite:////nowhere/?{FORGED}=1"),
        ("x", f"mysql+pymysql://127.0.0.1:1/{FORGED}"),
        ("x", f"mysql+pymysql://{FORGED}:1/x"),
        ("x", FORGED),
    ],
)
def test_cell_mapping_forges_no_line_in_the_log(
    cells: Cells, tally: Tally, log: io.StringIO, name: str, url: str
) -> None:
    cells.add_cell(9, name, url)
    cells.add("a", 9)
    extended = filter_factory(
        {}, api_connection=cells.api.url, record_source="cells"
    )(answering(b'{"server": {"id": "a"}}'))
    with tally.case("log: databases"):
        response = Client(extended).get("/servers/a")
        assert response.body == b'{"server": {"id": "a"}}'
        assert_unforged(log, 1)


def test_states_with_line_ends_are_escaped(
    connection: str, tally: Tally
) -> None:
    with tally.case("sight: values"):
        body = json.dumps({"server": {"id": SECOND}}).encode()
        result = Filtering(connection).body(body, "show", TYPES["json"])
        assert b"\n" not in result
        server = json.loads(result)["server"]
        assert server["OS-EXT-STS:vm_state"] == RECORDS[SECOND].vm_state
