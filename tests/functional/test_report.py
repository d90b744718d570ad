"""What is told of an extended response."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import pytest

from tests.support import api_v2
from tests.support.applications import answering, filtered
from tests.support.cells import Cells
from tests.support.distributions import installed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.databases import Database

LIST = b'{"servers": [{"id": "a"}, {"id": "b"}, {"id": "c"}]}'


@pytest.fixture
def connection(sqlite: Database) -> str:
    """Return the URL of a database that knows the server a alone."""
    sqlite.insert_instances([("a", "active", "rebooting", 1)])
    return sqlite.url


@pytest.fixture
def system() -> str:
    return "sqlite"


@pytest.fixture
def cells(new_database: Callable[[], Database]) -> Cells:
    """Cells with the servers a and b, and c in no cell yet."""
    cells = Cells(new_database)
    for server, cell in [("a", 1), ("b", 2), ("c", None)]:
        cells.add(server, cell)
    cells.add_request("c", '{"nova_object.data": {}}')
    cells.cells["cell0"].insert_instances([("a", "error", None, 0)])
    cells.cells["cell1"].insert_instances([("b", "active", None, 1)])
    return cells


def test_server_timing_tells_what_the_filter_took(connection: str) -> None:
    client = filtered(
        answering(LIST), connection=connection, server_timing=True
    )
    name, value = client.get("/servers").headers[-1]
    assert name == "Server-Timing"
    assert re.fullmatch(r'ext-sts;dur=\d+\.\d;desc="3 servers"', value)
    assert "Server-Timing" not in client.get("/servers/x").names


def test_server_timing_tells_of_the_cells(cells: Cells) -> None:
    client = filtered(
        answering(LIST), api_connection=cells.api.url, server_timing=True
    )
    _, value = client.get("/servers").headers[-1]
    assert value.endswith(';desc="3 servers, 2 cells"')
    # Of a cell that is down, too.
    cells.cells["cell1"].execute("DROP TABLE instances")
    response = client.get("/servers")
    assert response.headers[-1][1].endswith(';desc="3 servers, 2 cells"')
    assert response.body.count(b"OS-EXT-STS:vm_state") == 2


def test_application_s_own_timing_stays(connection: str) -> None:
    own = ("Server-Timing", "app;dur=1")
    client = filtered(
        answering(LIST, ("Content-Type", "application/json"), own),
        connection=connection,
        server_timing=True,
    )
    names = client.get("/servers").names
    assert names.count("Server-Timing") == 2


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "nova_ext_sts.middleware"
    ]


def test_log_has_one_line_for_an_extended_response(
    cells: Cells, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = filtered(answering(LIST), api_connection=cells.api.url)
    request = {"openstack.request_id": "req-1"}
    client.get("/v2.1/servers/detail", **request)
    (line,) = lines(caplog)
    assert re.fullmatch(
        r"extended call=detail request=req-1 servers=3 found=3 cells=2 "
        r"lookup_ms=\d+\.\d splice_ms=\d+\.\d",
        line,
    )
    cells.cells["cell1"].execute("DROP TABLE instances")
    client.get("/v2.1/servers")
    assert lines(caplog)[1].startswith(
        "extended call=list request=- servers=3 found=2 cells=2 lookup_ms="
    )


def test_log_has_no_line_for_any_other_response(
    connection: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    given = filtered(answering(LIST), connection=connection)
    body = given.get("/servers").body
    assert len(lines(caplog)) == 1
    for other in (
        b'{"servers": []}',
        b'{"servers": [{"id": "b"}]}',
        body[: body.index(b', {"id": "b"')] + b"]}",
    ):
        client = filtered(answering(other), connection=connection)
        assert client.get("/servers").body == other
    assert len(lines(caplog)) == 1


def test_null_states_are_not_found(
    connection: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body: bytes = api_v2.written({"servers": [{"id": "a"}, {"id": "z"}]})
    client = filtered(
        answering(body, ("Content-Type", "application/xml")),
        connection=connection,
        missing_record="null",
    )
    assert client.get("/servers").body.count(b"OS-EXT-STS:vm_state") == 2
    assert " servers=2 found=1 cells=- " in lines(caplog)[0]


@pytest.mark.parametrize(
    ("cells", "described"),
    [("3", "1 servers, 3 cells"), ("'x\\r\\nSet-Cookie: a=b'", "1 servers")],
)
def test_cells_of_other_sources_are_a_number(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cells: str,
    described: str,
) -> None:
    name = f"report_{len(cells)}"
    (tmp_path / f"{name}.py").write_text(
        "from nova_ext_sts.states import States\n"
        "class Answer(dict):\n"
        f"    cells = {cells}\n"
        "class Mine:\n"
        "    def __init__(self, settings): pass\n"
        "    def lookup(self, ids):\n"
        "        return Answer({ids[0]: States('active', None, 1)})\n"
    )
    installed(name, tmp_path, monkeypatch, mine=f"{name}:Mine")
    client = filtered(
        answering(b'{"servers": [{"id": "a"}]}'),
        record_source="mine",
        server_timing=True,
    )
    _, value = client.get("/servers").headers[-1]
    assert value.endswith(f';desc="{described}"')


def test_request_id_cannot_forge_a_line(
    connection: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = filtered(answering(LIST), connection=connection)
    client.get("/servers", **{"openstack.request_id": "a\nERROR b"})
    assert " request=a\\nERROR b servers=" in lines(caplog)[0]
