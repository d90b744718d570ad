"""The health check, in oslo.middleware's own application."""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import sqlalchemy as sa
from oslo_middleware import Healthcheck

from nova_ext_sts.healthcheck import UNSEEN
from tests.support.applications import Client
from tests.support.cells import CELL0, Cells
from tests.support.databases import SERVERS, Database
from tests.support.distributions import installed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.proxies import Proxy


class Health(NamedTuple):
    """What the health check says."""

    status: str
    reason: str
    details: str


class Checked:
    """A client of the health check."""

    def __init__(self, **options: str) -> None:
        self.client = Client(
            Healthcheck.app_factory(
                {"here": "/", "__file__": "/api-paste.ini"},
                backends="extended_status",
                **{"detailed": "true", **options},
            )
        )

    def health(self) -> Health:
        response = self.client.get("/", HTTP_ACCEPT="application/json")
        (reason,) = response.json["reasons"]
        return Health(response.status, reason["reason"], reason["details"])


@pytest.fixture
def cells(new_database: Callable[[], Database]) -> Cells:
    return Cells(new_database)


def test_available_while_the_database_can_be_read(database: Database) -> None:
    checked = Checked(connection=database.url)
    assert checked.health() == (
        "200 OK",
        "OK",
        f"Can be read: instances' database. {UNSEEN}",
    )
    database.execute("ALTER TABLE instances RENAME TO gone")
    status, reason, details = checked.health()
    assert (status, reason) == (
        "503 Service Unavailable",
        "states cannot be read",
    )
    assert details.startswith("instances' database: ")
    database.execute("ALTER TABLE gone RENAME TO instances")
    assert checked.health().status == "200 OK"


def test_details_say_which_cell_is_not(cells: Cells) -> None:
    checked = Checked(api_connection=cells.api.url)
    assert checked.health() == (
        "200 OK",
        "OK",
        f"Can be read: API database, cell cell0, cell cell1. {UNSEEN}",
    )
    cells.cells["cell1"].execute("ALTER TABLE instances RENAME TO gone")
    status, reason, details = checked.health()
    assert (status, reason) == (
        "503 Service Unavailable",
        "states cannot be read",
    )
    assert details.startswith("cell cell1: ")
    assert "cell0" not in details


def test_cell_whose_mapping_is_at_fault_is_named(cells: Cells) -> None:
    cells.add_cell(3, "odd", "sqlight://u:s3cret@x/y")
    checked = Checked(
        api_connection=cells.api.url,
        cell_connection="cell2=sqlite://",
    )
    details = checked.health().details
    assert details.startswith("The URL of the cell odd names sqlight, which")
    assert details.endswith(
        "; cell_connection names it, and there is no such cell."
    )
    assert "s3cret" not in details


def test_api_database_that_is_down_is_all_that_is_told(cells: Cells) -> None:
    cells.api.execute("DROP TABLE cell_mappings")
    details = Checked(api_connection=cells.api.url).health().details
    assert details.startswith("API database: ")
    assert ";" not in details


@pytest.mark.parametrize("driver", ["mysql+pymysql", "postgresql+psycopg"])
@pytest.mark.parametrize("option", ["connection", "api_connection"])
def test_hanging_database_is_told_within_a_second(
    silent: Proxy,
    driver: str,
    option: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = f"{driver}://u:s3cret@127.0.0.1:{silent.port}/x"
    checked = Checked(**{option: url})
    for _ in range(3):
        began = time.monotonic()
        status, _, details = checked.health()
        assert time.monotonic() - began < 1.0
        assert status == "503 Service Unavailable"
        assert details.endswith("0.5 s")
        assert "s3cret" not in details
    # What is told to who asks is not told to the log besides.
    assert [
        record for record in caplog.records if record.levelno > logging.INFO
    ] == []


@pytest.mark.parametrize("system", SERVERS)
def test_one_connection_is_kept_to_each_database(
    system: str, database: Database
) -> None:
    # For its details, oslo.middleware keeps all threads waiting for long.
    checked = Checked(
        connection=database.url, max_connections="5", detailed="false"
    )
    answers: list[str] = []

    def ask() -> None:
        answers.extend(checked.client.get("/").status for _ in range(5))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["200 OK"] * 20
    count = {
        "mysql": "SELECT count(*) FROM information_schema.processlist "
        "WHERE db = DATABASE()",
        "postgresql": "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database()",
    }
    with database.connect() as connection:
        # This one, and the health check's.
        assert connection.scalar(sa.text(count[system])) == 2


def test_paste_file_has_the_filters_own_options(
    database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "api-paste.ini"
    url = database.url.replace("%", "%%")
    file.write_text(
        "[filter:one]\n"
        "paste.filter_factory = nova_ext_sts:filter_factory\n"
        f"connection = {url}\n"
        "[filter:same]\n"
        "use = one\n"
        "[filter:other]\n"
        "paste.filter_factory = nova.api:factory\n"
    )
    assert Checked(paste_file=str(file)).health() == (
        "200 OK",
        "OK",
        "Can be read: instances' database.",
    )
    with file.open("a") as more:
        more.write("[filter:two]\nuse = one\ncalls = list\n")
    checked = Checked(paste_file=str(file))
    assert checked.health().details == (
        "Can be read: [filter:one] instances' database, [filter:two] "
        "instances' database."
    )


@pytest.mark.parametrize("bad", ["one", "two"])
def test_each_filter_s_database_is_asked(
    sqlite: Database, tmp_path: Path, bad: str
) -> None:
    file = tmp_path / "api-paste.ini"
    urls = {"one": sqlite.url, "two": sqlite.url, bad: "sqlite:////no/such"}
    file.write_text(
        "".join(
            f"[filter:{name}]\nconnection = {url}\n"
            "paste.filter_factory = nova_ext_sts:filter_factory\n"
            for name, url in urls.items()
        )
    )
    health = Checked(paste_file=str(file)).health()
    assert health.status == "503 Service Unavailable"
    assert health.details.startswith(f"[filter:{bad}] instances' database: ")
    assert ";" not in health.details


def test_cells_of_the_same_name_are_told_apart(cells: Cells) -> None:
    cells.add_cell(3, "cell1", "sqlite:////no/such/file")
    cells.add_cell(4, "", cells.cells["cell0"].url)
    details = Checked(api_connection=cells.api.url).health().details
    assert details.startswith(
        "cell cell1 00000000-0000-0000-0000-000000000002"
    )
    cells.api.execute("DELETE FROM cell_mappings WHERE id = 3")
    assert f"cell {CELL0[:-1]}3" in (
        Checked(api_connection=cells.api.url).health().details
    )


@pytest.mark.parametrize(
    "line",
    [
        "connection = mysql+pymysql://u:p%40s3cret@127.0.0.1/x",
        "connection = mysql+pymysql://u:p%(s3cret)s@127.0.0.1/x",
        "connection = x://u:\ns3cret@127.0.0.1/x",
    ],
)
def test_paste_file_that_cannot_be_read_shows_no_secret(
    tmp_path: Path, line: str
) -> None:
    file = tmp_path / "api-paste.ini"
    file.write_text(
        "[filter:one]\n"
        f"paste.filter_factory = nova_ext_sts:filter_factory\n{line}\n"
    )
    health = Checked(paste_file=str(file)).health()
    assert health.status == "503 Service Unavailable"
    assert "s3cret" not in health.details
    assert str(file) in health.details
    assert "%%" in health.details or "line 4" in health.details


@pytest.mark.parametrize(
    ("options", "details"),
    [
        ({}, "No database is known that holds the instances: set "),
        ({"connection": "mysql://x"}, "The driver mysqldb, which the URL of"),
        ({"connection": "x", "timeout": "soon"}, "Bad value for the option"),
        (
            {"paste_file": "/absent"},
            "The paste file /absent cannot be read: No such file or "
            "directory: mend it, or name another one.",
        ),
        ({"record_source": "absent"}, "Unknown record source absent in the"),
    ],
)
def test_configuration_that_cannot_work_is_told(
    options: dict[str, str], details: str
) -> None:
    health = Checked(**options).health()
    assert health.status == "503 Service Unavailable"
    assert health.reason == "extended_status is not configured as it should be"
    assert health.details.startswith(details)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "[DEFAULT]\na = %(a)s\n[filter:x]\n",
            "the % in a of [DEFAULT] stands for nothing",
        ),
        (
            "[filter:x]\npaste.filter_factory = nova_ext_sts:filter_factory\n"
            "oslo_config_project = x\noslo_config_file = {odd}\n",
            "{odd} does not parse at line 2",
        ),
        (
            "[filter:x]\npaste.filter_factory = nova_ext_sts:filter_factory\n"
            "oslo_config_project = x\noslo_config_file = /absent\n",
            "Failed to find some config files: /absent",
        ),
    ],
)
def test_paste_file_that_cannot_work_is_told(
    tmp_path: Path, text: str, fault: str
) -> None:
    odd = tmp_path / "odd.conf"
    odd.write_text("[database]\nconnection s3cret\n")
    file = tmp_path / "api-paste.ini"
    file.write_text(text.replace("{odd}", str(odd)))
    health = Checked(paste_file=str(file)).health()
    assert health.status == "503 Service Unavailable"
    assert fault.replace("{odd}", str(odd)) in health.details
    assert "s3cret" not in health.details


def test_record_source_that_cannot_be_made_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unmade.py").write_text(
        "class Mine:\n"
        "    def __init__(self, settings):\n"
        "        raise OSError('s3cret')\n"
    )
    installed("unmade", tmp_path, monkeypatch, mine="unmade:Mine")
    assert Checked(record_source="mine").health() == (
        "503 Service Unavailable",
        "extended_status is not configured as it should be",
        "making it raised OSError.",
    )


def test_every_cell_that_is_down_is_named_in_one_line(cells: Cells) -> None:
    cells.add_cell(3, "two\nlines", "sqlite:////no/such/file")
    cells.cells["cell1"].execute("DROP TABLE instances")
    details = Checked(api_connection=cells.api.url).health().details
    assert details.startswith("cell cell1: ")
    assert "; cell two\\nlines: unable to open" in details
    assert details.isprintable()


def test_mapped_cell_that_hangs_is_told_within_a_second(
    cells: Cells, silent: Proxy
) -> None:
    cells.add_cell(
        3, "hanging", f"mysql+pymysql://u@127.0.0.1:{silent.port}/x"
    )
    checked = Checked(api_connection=cells.api.url, max_connections="7")
    began = time.monotonic()
    details = checked.health().details
    assert time.monotonic() - began < 1.0
    assert details == "cell hanging: no answer in 0.5 s"


def test_two_hanging_databases_are_told_within_a_second(
    silent: Proxy, tmp_path: Path
) -> None:
    file = tmp_path / "api-paste.ini"
    file.write_text(
        "".join(
            f"[filter:{name}]\n"
            "paste.filter_factory = nova_ext_sts:filter_factory\n"
            f"connection = mysql+pymysql://u@127.0.0.1:{silent.port}/{name}\n"
            for name in ("one", "two")
        )
    )
    checked = Checked(paste_file=str(file))
    began = time.monotonic()
    details = checked.health().details
    assert time.monotonic() - began < 1.0
    assert details.count("no answer in 0.25 s") == 2


def test_paste_file_without_a_filter_is_told(tmp_path: Path) -> None:
    file = tmp_path / "api-paste.ini"
    file.write_text("[app:main]\nuse = egg:Paste#test\n")
    assert Checked(paste_file=str(file)).health().details == (
        f"No section of {file}, which paste_file names, makes a filter of "
        "nova_ext_sts."
    )


SOURCE = """\
from nova_ext_sts.records import RecordSource, RecordsUnavailable

class Mine(RecordSource):
    def __init__(self, settings):
        pass

    def lookup(self, ids):
        {lookup}
"""


@pytest.mark.parametrize(
    ("lookup", "expected"),
    [
        ("return {}", f"Can be read: records. {UNSEEN}"),
        ("raise RecordsUnavailable('it is away')", "it is away"),
        ("raise OSError('s3cret')", "it raised OSError"),
    ],
)
def test_record_source_of_others_is_asked_for_a_record(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lookup: str,
    expected: str,
) -> None:
    name = f"health_{abs(hash(lookup))}"
    (tmp_path / f"{name}.py").write_text(SOURCE.format(lookup=lookup))
    installed(name, tmp_path, monkeypatch, mine=f"{name}:Mine")
    checked = Checked(record_source="mine")
    assert checked.health().details == expected


def test_reason_without_details_says_nothing_of_the_site(
    cells: Cells,
) -> None:
    cells.cells["cell1"].execute("DROP TABLE instances")
    application: Any = Healthcheck.app_factory(
        {},
        backends="extended_status",
        detailed="false",
        api_connection=cells.api.url,
    )
    response = Client(application).get("/", HTTP_ACCEPT="application/json")
    assert json.loads(response.body)["reasons"] == ["states cannot be read"]
