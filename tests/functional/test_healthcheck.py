"""The health check, in oslo.middleware's own application."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import pytest
from oslo_middleware import Healthcheck

from tests.support.applications import Client
from tests.support.cells import Cells
from tests.support.databases import Database
from tests.support.distributions import installed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.proxies import Proxy

OK = "200 OK"
UNAVAILABLE = "503 Service Unavailable"


class Health(NamedTuple):
    status: str
    reason: str
    details: str


def client_of(**options: str) -> Client:
    options = {"detailed": "true", **options}
    return Client(
        Healthcheck.app_factory(
            {"here": "/"}, backends="extended_status", **options
        )
    )


def health(client: Client) -> Health:
    response = client.get("/", HTTP_ACCEPT="application/json")
    (reason,) = response.json["reasons"]
    return Health(response.status, reason["reason"], reason["details"])


@pytest.fixture
def cells(new_database: Callable[[], Database]) -> Cells:
    return Cells(new_database)


def test_available_while_the_database_can_be_read(database: Database) -> None:
    client = client_of(connection=database.url)
    assert health(client)[:2] == (OK, "OK")
    database.execute("ALTER TABLE instances RENAME TO gone")
    failed = health(client)
    assert failed.status == UNAVAILABLE
    assert "instances' database" in failed.details
    database.execute("ALTER TABLE gone RENAME TO instances")
    assert health(client).status == OK


@pytest.mark.parametrize("system", ["sqlite"])
def test_details_name_the_cells_that_cannot_be_read(cells: Cells) -> None:
    client = client_of(api_connection=cells.api.url)
    details = health(client).details
    for name in ("API database", "cell cell0", "cell cell1"):
        assert name in details
    cells.cells["cell1"].execute("DROP TABLE instances")
    cells.add_cell(3, "two\nlines", "sqlite:////no/such/file")
    cells.add_cell(4, "odd", "nosuch://u:s3cret@x/y")
    # A new source reads the mappings again.
    client = client_of(
        api_connection=cells.api.url, cell_connection="gone=sqlite://"
    )
    failed = health(client)
    assert failed.status == UNAVAILABLE
    for name in ("cell cell1: ", "two\\nlines", "cell odd", "no such cell"):
        assert name in failed.details
    assert "cell0" not in failed.details
    assert "s3cret" not in failed.details


@pytest.mark.parametrize("driver", ["mysql+pymysql", "postgresql+psycopg"])
@pytest.mark.parametrize("option", ["connection", "api_connection"])
def test_silent_database_is_reported_within_a_second(
    silent: Proxy,
    driver: str,
    option: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = f"{driver}://u:s3cret@127.0.0.1:{silent.port}/x"
    client = client_of(**{option: url})
    for _ in range(3):
        began = time.monotonic()
        failed = health(client)
        assert time.monotonic() - began < 1.0
        assert failed.status == UNAVAILABLE
        assert "s3cret" not in failed.details
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(
    ("options", "keyword"),
    [
        ({}, "connection"),
        ({"connection": "mysql+mysqldb://u:s3cret@h/x?a=b"}, "mysql"),
        ({"connection": "x", "timeout": "soon"}, "timeout"),
        ({"record_source": "absent"}, "absent"),
    ],
)
def test_configuration_that_cannot_work_is_unavailable(
    options: dict[str, str], keyword: str
) -> None:
    failed = health(client_of(**options))
    assert failed.status == UNAVAILABLE
    assert "configured" in failed.reason
    assert keyword in failed.details
    assert "s3cret" not in failed.details


@pytest.mark.parametrize(
    ("init", "lookup", "status", "keyword"),
    [
        ("pass", "return {}", OK, "records"),
        ("pass", "raise RecordsUnavailable('away')", UNAVAILABLE, "away"),
        ("pass", "raise OSError('s3cret')", UNAVAILABLE, "OSError"),
        ("raise OSError('s3cret')", "pass", UNAVAILABLE, "OSError"),
    ],
)
def test_record_source_of_others_is_queried(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    init: str,
    lookup: str,
    status: str,
    keyword: str,
) -> None:
    name = f"health_{abs(hash((init, lookup)))}"
    (tmp_path / f"{name}.py").write_text(
        "from nova_ext_sts.records import RecordSource, RecordsUnavailable\n"
        "class Mine(RecordSource):\n"
        f"    def __init__(self, settings): {init}\n"
        f"    def lookup(self, ids): {lookup}\n"
    )
    installed(name, tmp_path, monkeypatch, mine=f"{name}:Mine")
    found = health(client_of(record_source="mine"))
    assert found.status == status
    assert keyword in found.details
    assert "s3cret" not in found.details


def test_without_details_nothing_of_the_site_is_shown() -> None:
    response = client_of(
        connection="sqlite:////no/such/file", detailed="false"
    ).get("/", HTTP_ACCEPT="application/json")
    assert response.json["reasons"] == ["server states cannot be read"]
