"""Nobody sees more than before: what is looked up, added and logged."""

import io
import json
import logging
from typing import Any

import pytest

from tests.hostile.filtering import (
    FIRST,
    PATHS,
    SECOND,
    Filtering,
    asked_ids,
)
from tests.support.applications import answering, filtered
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
        Filtering(connection).body(body, call, "json")
    assert ids == [FIRST]


@pytest.mark.parametrize("path", ["/servers/a", f"/v2.1/{SECOND}/servers/b"])
def test_nothing_of_the_request_is_looked_up(connection, path):
    application = answering(json.dumps({"server": {"id": FIRST}}).encode())
    client = filtered(application, connection=connection)
    sent: dict[str, Any] = {
        "SCRIPT_NAME": f"/{SECOND}",
        "QUERY_STRING": f"id={SECOND}&name=a&marker=b",
        "REMOTE_USER": SECOND,
        "HTTP_COOKIE": "id=a",
        "HTTP_HOST": INJECTED,
        "HTTP_X_OPENSTACK_NOVA_API_VERSION": INJECTED,
        "HTTP_X_SERVER_ID": SECOND,
        "HTTP_X_USER_ID": SECOND,
        "CONTENT_LENGTH": "9",
        "wsgi.input": io.BytesIO(b'{"id": "b"}'),
    }
    with asked_ids() as ids:
        client.get(path, **sent)
    assert ids == [FIRST]


@pytest.fixture
def log(caplog):
    """Check that no line of a log file is forged."""
    caplog.set_level(logging.DEBUG, "nova_ext_sts")
    yield
    records = caplog.get_records("call")
    assert records
    for record in records:
        assert record.getMessage().isprintable()
        assert not record.exc_info


@pytest.mark.parametrize("body_format", ["json", "xml"])
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
            media_type = f"application/{body_format}{parameter}"
            filtering.response(body.encode(), "show", media_type)


@pytest.mark.usefixtures("log")
def test_request_forges_no_line_in_the_log(connection):
    client = filtered(answering(b"-"), connection=connection)
    forged = {"QUERY_STRING": FORGED, "HTTP_X_FORGED": FORGED}
    client.get(f"/servers/{FORGED}", **forged)


@pytest.fixture
def cells(tmp_path):
    return Cells.in_sqlite(tmp_path)


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
        (FORGED, "not a URL"),
        ("x", f"sqlite:////nowhere/{FORGED}"),
        ("x", f"mysql+pymysql://{FORGED}:1/x"),
        ("x", FORGED),
    ],
)
@pytest.mark.usefixtures("log")
def test_cell_mapping_forges_no_line_in_the_log(cells, name, url):
    cells.add_cell(9, name, url)
    cells.add("a", 9)
    body = b'{"server": {"id": "a"}}'
    client = filtered(answering(body), api_connection=cells.api.url)
    assert client.get("/servers/a").body == body
