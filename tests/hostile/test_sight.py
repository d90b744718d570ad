"""Nobody sees more than before: what is looked up, added and logged."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from typing import Any

import pytest

from nova_ext_sts import filter_factory
from tests.hostile.filtering import (
    FIRST,
    PATHS,
    SECOND,
    TYPES,
    Filtering,
    asked_ids,
)
from tests.support import databases
from tests.support.applications import Client, answering
from tests.support.cells import Cells

FORGED = "x\r\nCRITICAL root forged\x1b[31m\x00\u2028y"
INJECTED = "a' OR '1'='1"


@pytest.mark.parametrize("call", PATHS)
def test_only_ids_in_the_response_are_looked_up(connection, call):
    member = "server" if call == "show" else "servers"
    server = {"id": FIRST, "image": {"id": SECOND}, "host": "b", "name": "a"}
    content: Any = server if call == "show" else [server, {"id": INJECTED}]
    body = json.dumps({"x": {"id": "a"}, member: content}).encode()
    with asked_ids() as ids:
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
def test_nothing_of_the_request_is_looked_up(connection, path, sent):
    application = answering(json.dumps({"server": {"id": FIRST}}).encode())
    client = Client(filter_factory({}, connection=connection)(application))
    with asked_ids() as ids:
        client.get(path, **sent)
    assert ids == [FIRST]


@pytest.mark.parametrize("status", ["404 Not Found", "2000 OK", "200OK"])
@pytest.mark.parametrize("call", PATHS)
def test_nothing_is_looked_up_for_other_statuses(connection, call, status):
    body = b'{"server": {"id": "a"}, "servers": [{"id": "a"}]}'
    application = answering(body, status=status)
    client = Client(filter_factory({}, connection=connection)(application))
    with asked_ids() as ids:
        assert client.get(PATHS[call]).body == body
    assert ids == []


@pytest.fixture
def log():
    """Give the text of a log file, and check that no line is forged."""
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
    text = written.getvalue()
    assert text
    for line in text.splitlines():
        assert line.startswith("LINE nova_ext_sts")
    assert "\x1b" not in text
    assert "\0" not in text


@pytest.mark.parametrize("body_format", TYPES)
@pytest.mark.usefixtures("log")
def test_response_forges_no_line_in_the_log(connection, body_format):
    filtering = Filtering(connection, overwrite=True)
    for body in (
        json.dumps({"server": {"id": FORGED}, FORGED: {}}) + FORGED,
        f'{{"server": "{FORGED}"}}',
        f"<?xml version='1.0' encoding='{FORGED}'?>{FORGED}",
        f"<{FORGED}/>",
    ):
        for parameter in ("", f'; charset="{FORGED}"', f"; {FORGED}"):
            media_type = TYPES[body_format] + parameter
            filtering.response(body.encode(), "show", media_type)


@pytest.mark.usefixtures("log")
def test_request_forges_no_line_in_the_log(connection):
    client = Client(filter_factory({}, connection=connection)(answering(b"-")))
    forged = {"QUERY_STRING": FORGED, "HTTP_X_FORGED": FORGED}
    client.get(f"/servers/{FORGED}", **forged)


@pytest.fixture
def cells(tmp_path):
    with contextlib.ExitStack() as stack:
        yield Cells(
            lambda: stack.enter_context(databases.made("sqlite", tmp_path))
        )


@pytest.mark.parametrize(
    "request_text",
    [
        FORGED,
        json.dumps({FORGED: 1}),
        json.dumps({"nova_object.data": FORGED}),
        json.dumps({"nova_object.data": {"vm_state": [FORGED]}}),
    ],
)
@pytest.mark.usefixtures("log")
def test_build_request_forges_no_line_in_the_log(cells, request_text):
    cells.add("a", None)
    cells.add_request("a", request_text)
    cells.source().lookup(["a"])


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
@pytest.mark.usefixtures("log")
def test_cell_mapping_forges_no_line_in_the_log(cells, name, url):
    cells.add_cell(9, name, url)
    cells.add("a", 9)
    body = b'{"server": {"id": "a"}}'
    extended = filter_factory(
        {}, api_connection=cells.api.url, record_source="cells"
    )(answering(body))
    assert Client(extended).get("/servers/a").body == body
