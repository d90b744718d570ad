"""States read from every database system, and from Nova's cells."""

from __future__ import annotations

import json
import logging
import os
import time
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from oslo_config import cfg

from nova_ext_sts import settings
from nova_ext_sts.records import RecordsUnavailable, load
from nova_ext_sts.records.readonly import ReadOnlyDatabase
from nova_ext_sts.states import States
from tests.databases import (
    BUILD_REQUESTS,
    CELL_MAPPINGS,
    INSTANCE_MAPPINGS,
    Database,
    made,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nova_ext_sts.records import RecordSource

CELL0 = "00000000-0000-0000-0000-000000000000"


def source(**options: Any) -> RecordSource:
    """Return a record source of these options."""
    return load(settings.read(cfg.ConfigOpts(), options))


def soon() -> float:
    return time.monotonic() + 5.0


def rows(database: ReadOnlyDatabase, select: str) -> list[Any]:
    return database.read(select, deadline=soon()).rows()


# One database.


def test_states_are_the_records_verbatim(database: Database) -> None:
    rows: list[tuple[str, str | None, str | None, int | None]] = [
        ("a", "active", None, 1),
        ("b", "no such state", "powering-off", -3),
        ("c", None, None, None),
        ("d", "é☃" * 100, "x" * 255, 2**31 - 1),
    ]
    database.insert_instances(rows)
    records = source(connection=database.url).lookup(["a", "b", "c", "d", "e"])
    assert records == {
        uuid: States(vm, task, power) for uuid, vm, task, power in rows
    }


def test_deleted_and_hidden_instances_have_states(database: Database) -> None:
    database.insert_instances([("a", "deleted", None, 0)])
    database.execute("UPDATE instances SET deleted = id, hidden = NULL")
    records = source(connection=database.url).lookup(["a"])
    assert records == {"a": States("deleted", None, 0)}


def test_long_page_is_read_whole(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(f"{number:036}", "active", None, 1) for number in range(2500)]
    database.insert_instances(rows)
    records = source(connection=database.url)
    ids = [row[0] for row in rows]
    states = dict.fromkeys(ids, States("active", None, 1))
    assert records.lookup(ids) == states
    monkeypatch.setattr("nova_ext_sts.records.readonly.CHUNK", 1000)
    assert records.lookup(ids) == states


def test_page_is_one_statement(database: Database) -> None:
    statements: list[str] = []
    records = source(connection=database.url)
    records.lookup(["warm"])

    def count(*arguments: Any) -> None:
        statements.append(arguments[2])

    sa.event.listen(sa.Engine, "before_cursor_execute", count)
    try:
        records.lookup([f"{number:036}" for number in range(1000)])
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", count)
    assert len(statements) == 1


@pytest.mark.parametrize(
    "server_id", ["'", '"', "\\", "%", "%s", ":ids", "a' OR '1'='1", "]", "{}"]
)
def test_odd_ids_find_only_themselves(
    database: Database, server_id: str
) -> None:
    database.insert_instances(
        [("a", "active", None, 1), (server_id, "paused", None, 3)]
    )
    records = source(connection=database.url)
    assert records.lookup([server_id, "b"]) == {
        server_id: States("paused", None, 3)
    }


def test_other_spelling_of_an_id_has_no_states(database: Database) -> None:
    database.insert_instances([("abc", "active", None, 1)])
    records = source(connection=database.url).lookup(["ABC", "abc "])
    assert not records.keys() & {"ABC", "abc "}


def test_changed_row_shows_in_the_next_lookup(database: Database) -> None:
    database.insert_instances([("a", "active", None, 1)])
    records = source(connection=database.url)
    assert records.lookup(["a"]) == {"a": States("active", None, 1)}
    database.execute("UPDATE instances SET task_state = 'rebooting'")
    assert records.lookup(["a"]) == {"a": States("active", "rebooting", 1)}


def test_connections_cannot_write(database: Database) -> None:
    opened = ReadOnlyDatabase(settings.Database(name="x", url=database.url))
    with pytest.raises(RecordsUnavailable):
        rows(opened, "UPDATE instances SET vm_state = 'x'")


def test_odd_values_in_sqlite_leave_their_server_out(
    sqlite: Database,
) -> None:
    sqlite.insert_instances([("a", "active", None, 1), ("b", "x", None, 1)])
    sqlite.execute("UPDATE instances SET vm_state = X'00' WHERE uuid = 'b'")
    records = source(connection=sqlite.url).lookup(["a", "b"])
    assert records == {"a": States("active", None, 1)}


def test_odd_number_in_sqlite_takes_no_other_servers_states(
    sqlite: Database,
) -> None:
    sqlite.execute("DROP TABLE instances")
    sqlite.execute(
        "CREATE TABLE instances (uuid, vm_state, task_state, power_state)"
    )
    sqlite.execute(
        "INSERT INTO instances VALUES ('a', 'x', NULL, 1.5), "
        "('b', 'x', NULL, 1.0), ('c', 'x', NULL, 1)"
    )
    records = source(connection=sqlite.url)
    for ids in (["a", "b", "c"], ["c", "b", "a"]):
        assert records.lookup(ids)["c"] == States("x", None, 1)
        assert "a" not in records.lookup(ids)


@pytest.mark.parametrize("name", ["with space", "ha#sh", "100%25", "file:x"])
def test_sqlite_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    url = sa.URL.create("sqlite", database=str(tmp_path / name))
    Database(url).insert_instances([("a", "active", None, 1)])
    connection = url.render_as_string()
    records = source(connection=connection).lookup(["a"])
    assert records == {"a": States("active", None, 1)}


def test_sqlite_file_is_never_made(tmp_path: Path) -> None:
    for path in (
        f"{tmp_path}/absent",
        f"file:{tmp_path}/absent?mode=ro&uri=true",
    ):
        records = source(connection=f"sqlite:///{path}")
        with pytest.raises(RecordsUnavailable):
            records.lookup(["a"])
    with pytest.raises(RecordsUnavailable, match="no such table: instances"):
        source(connection="sqlite://").lookup(["a"])
    assert list(tmp_path.iterdir()) == []


def test_dead_connection_in_the_pool_is_replaced(
    system: str, database: Database
) -> None:
    if system == "sqlite":
        return  # Has no server that could end a connection.
    database.insert_instances([("a", "active", None, 1)])
    records = source(connection=database.url, max_connections=1)
    assert records.lookup(["a"])
    name = sa.make_url(database.url).database
    if system == "mysql":
        database.execute(
            "BEGIN NOT ATOMIC FOR other IN (SELECT id FROM "
            "information_schema.processlist WHERE db = :name AND "
            "id <> CONNECTION_ID()) DO KILL other.id; END FOR; END",
            name=name,
        )
    else:
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = :name AND pid <> pg_backend_pid()",
            name=name,
        )
    assert records.lookup(["a"]) == {"a": States("active", None, 1)}


def test_server_that_is_not_there_is_unavailable(system: str) -> None:
    urls = {
        "sqlite": "sqlite:////no/such/file",
        "mysql": "mysql+pymysql://u:s3cret@127.0.0.1:1/x",
        "postgresql": "postgresql+psycopg://u:s3cret@127.0.0.1:1/x",
    }
    with pytest.raises(RecordsUnavailable) as raised:
        source(connection=urls[system]).lookup(["a"])
    assert "s3cret" not in str(raised.value)
    assert raised.value.logged


# Cells.


class Cells:
    """An API database and two cells, as Nova keeps them."""

    def __init__(self, new_database: Callable[[], Database]) -> None:
        self.api = new_database()
        self.cells = {name: new_database() for name in ("cell0", "cell1")}
        for number, (name, cell) in enumerate(self.cells.items(), 1):
            self.add_cell(number, name, cell.url)

    def add_cell(
        self, number: int, name: str | None, url: str, uuid: str | None = None
    ) -> None:
        self.api.insert(
            CELL_MAPPINGS,
            {
                "id": number,
                "uuid": uuid or f"{CELL0[:-1]}{number - 1}",
                "name": name,
                "database_connection": url,
            },
        )

    def add(self, server: str, cell: int | None) -> None:
        self.api.insert(
            INSTANCE_MAPPINGS, {"instance_uuid": server, "cell_id": cell}
        )

    def add_request(self, server: str, instance: str | None) -> None:
        self.api.insert(
            BUILD_REQUESTS, {"instance_uuid": server, "instance": instance}
        )

    def source(self, **options: Any) -> RecordSource:
        return source(api_connection=self.api.url, **options)


@pytest.fixture
def cells(new_database: Callable[[], Database]) -> Cells:
    return Cells(new_database)


@pytest.fixture
def sqlite_cells(tmp_path: Path) -> Cells:
    paths = iter(range(99))
    return Cells(
        lambda: Database(sa.make_url(f"sqlite:///{tmp_path}/{next(paths)}"))
    )


def build_request(**data: Any) -> str:
    return json.dumps(
        {"nova_object.name": "Instance", "nova_object.data": data}
    )


def test_each_server_is_read_in_its_own_cell(cells: Cells) -> None:
    cells.add("a", 2)
    cells.add("b", 1)
    cells.add("c", None)
    cells.add("d", 2)
    for name, cell in cells.cells.items():
        # A record in a cell that the mapping does not name counts for nothing.
        cell.insert_instances(
            [(server, name, None, 1) for server in ("a", "b", "c")]
        )
    cells.add_request(
        "c",
        build_request(
            vm_state="building", task_state="scheduling", power_state=0
        ),
    )
    records = cells.source().lookup(["a", "b", "c", "d", "e"])
    assert records == {
        "a": States("cell1", None, 1),
        "b": States("cell0", None, 1),
        "c": States("building", "scheduling", 0),
    }
    assert cells.source().lookup(["a"]) == {"a": States("cell1", None, 1)}


def test_servers_of_disabled_cells_have_states(sqlite_cells: Cells) -> None:
    sqlite_cells.add("a", 2)
    sqlite_cells.cells["cell1"].insert_instances([("a", "active", None, 1)])
    sqlite_cells.api.execute("UPDATE cell_mappings SET disabled = 1")
    sqlite_cells.api.execute(
        "UPDATE instance_mappings SET queued_for_delete=1"
    )
    assert sqlite_cells.source().lookup(["a"]) == {
        "a": States("active", None, 1)
    }


def test_build_request_without_states_has_novas_own(
    sqlite_cells: Cells,
) -> None:
    sqlite_cells.add("a", None)
    sqlite_cells.add_request("a", build_request(uuid="a"))
    assert sqlite_cells.source().lookup(["a"]) == {
        "a": States("building", "scheduling", 0)
    }


def test_broken_build_request_goes_without_and_is_logged_once(
    sqlite_cells: Cells,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deep = f'{{"nova_object.data": {{"x": {"[" * 9**5}'
    for server, instance in [("a", "{"), ("b", deep), ("c", None)]:
        sqlite_cells.add(server, None)
        sqlite_cells.add_request(server, instance)
    records = sqlite_cells.source()
    for _ in range(2):
        assert records.lookup(["a", "b", "c"]) == {}
    first, second = (record.getMessage() for record in caplog.records)
    for server, message in [("a", first), ("b", second)]:
        assert message.startswith(
            f"Server {server} goes without states: its build request cannot be"
        )
    # What is remembered is bounded.
    monkeypatch.setattr("nova_ext_sts.records.cells.MAX_FAULTS", 1)
    records.lookup(["a"])
    sqlite_cells.add("d", None)
    sqlite_cells.add_request("d", "")
    records.lookup(["d"])
    records.lookup(["a"])
    assert len(caplog.records) == 4


def test_server_between_build_request_and_cell_is_looked_up_once_more(
    sqlite_cells: Cells,
) -> None:
    sqlite_cells.add("a", None)
    sqlite_cells.cells["cell1"].insert_instances([("a", "active", None, 1)])

    def place(*_: Any) -> None:
        """Have the scheduler choose a cell right after the first look."""
        sqlite_cells.api.execute("UPDATE instance_mappings SET cell_id = 2")

    records = sqlite_cells.source()
    sa.event.listen(sa.QueuePool, "checkin", place, once=True)
    assert records.lookup(["a"]) == {"a": States("active", None, 1)}


def test_new_cell_needs_no_restart(
    sqlite_cells: Cells, tmp_path: Path
) -> None:
    records = sqlite_cells.source()
    sqlite_cells.add("a", 1)
    sqlite_cells.cells["cell0"].insert_instances([("a", "error", None, 0)])
    assert records.lookup(["a"]) == {"a": States("error", None, 0)}
    new = Database(sa.make_url(f"sqlite:///{tmp_path}/new"))
    new.insert_instances([("b", "active", None, 1)])
    sqlite_cells.add_cell(7, None, new.url)
    sqlite_cells.add("b", 7)
    assert records.lookup(["a", "b"]) == {
        "a": States("error", None, 0),
        "b": States("active", None, 1),
    }


def test_cell_that_has_moved_is_found_again(
    sqlite_cells: Cells, tmp_path: Path
) -> None:
    sqlite_cells.add("a", 1)
    sqlite_cells.cells["cell0"].insert_instances([("a", "error", None, 0)])
    records = sqlite_cells.source()
    assert records.lookup(["a"]) == {"a": States("error", None, 0)}
    path = sa.make_url(sqlite_cells.cells["cell0"].url).database
    assert path
    moved = f"{tmp_path}/moved"
    (tmp_path / path).rename(moved)
    sqlite_cells.api.execute(
        "UPDATE cell_mappings SET database_connection = :url WHERE id = 1",
        url=f"sqlite:///{moved}",
    )
    # The file that SQLite has open is still there under its new name.
    records_of_a_new_process: Any = records
    records_of_a_new_process._cells[1].database.dispose()
    assert records.lookup(["a"]) == {"a": States("error", None, 0)}


def test_down_cell_takes_only_its_own_servers(
    sqlite_cells: Cells, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite_cells.add_cell(3, "down", "sqlite:////no/such/cell")
    sqlite_cells.add_cell(4, "odd", "sqlight://s3cret@x/y")
    sqlite_cells.cells["cell1"].insert_instances([("a", "active", None, 1)])
    for server, cell in [("a", 2), ("b", 3), ("c", 4), ("d", 99), ("e", 2)]:
        sqlite_cells.add(server, cell)
    records = sqlite_cells.source()
    for _ in range(2):
        with pytest.raises(RecordsUnavailable) as raised:
            records.lookup(["a", "b", "c", "d", "e"])
        assert raised.value.records == {"a": States("active", None, 1)}
        assert raised.value.ids
        assert sorted(raised.value.ids) == ["b", "c", "d"]
    with pytest.raises(RecordsUnavailable) as raised:
        records.lookup(["d"])
    messages = [record.getMessage() for record in caplog.records]
    assert [record.levelno for record in caplog.records] == [
        logging.WARNING
    ] * len(messages)
    assert len(messages) == 3
    assert not any("s3cret" in message for message in messages)


def test_end_of_the_api_database_leaves_what_is_known(
    sqlite_cells: Cells,
) -> None:
    for server, cell in [("a", 2), ("b", 1)]:
        sqlite_cells.add(server, cell)
    sqlite_cells.cells["cell1"].insert_instances([("a", "active", None, 1)])
    sqlite_cells.cells["cell0"].execute("DROP TABLE instances")
    records: Any = sqlite_cells.source()
    records._read_cells(soon())
    sqlite_cells.api.execute("DROP TABLE cell_mappings")
    with pytest.raises(RecordsUnavailable) as raised:
        records.lookup(["a", "b"])
    assert raised.value.records == {"a": States("active", None, 1)}
    assert raised.value.ids == ["b"]


def test_slow_cell_is_not_waited_for_beyond_the_timeout(
    cells: Cells, system: str
) -> None:
    if system == "sqlite":
        return  # Reads do not wait for anything.
    cells.add("a", 1)
    cells.add("b", 2)
    cells.cells["cell0"].insert_instances([("a", "error", None, 0)])
    slow = cells.cells["cell1"]
    sleep = "SLEEP(9)" if system == "mysql" else "pg_sleep(9) IS NULL"
    slow.execute("DROP TABLE instances")
    slow.execute(
        "CREATE VIEW instances AS SELECT 'b' AS uuid, 'x' AS vm_state, "
        f"CASE WHEN {sleep} THEN 'x' END AS task_state, 1 AS power_state"
    )
    records = cells.source(timeout=0.5)
    with pytest.raises(RecordsUnavailable) as raised:
        records.lookup(["a", "b"])
    assert raised.value.records == {"a": States("error", None, 0)}
    assert raised.value.ids == ["b"]


def test_cell_connection_that_names_no_cell_is_logged(
    sqlite_cells: Cells, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite_cells.add("a", 2)
    records = sqlite_cells.source(cell_connection="cel1=sqlite://")
    for _ in range(2):
        assert records.lookup(["a"]) == {}
    (record,) = caplog.records
    assert record.getMessage() == (
        "Servers in cell cel1 go without states: cell_connection names it, "
        "and there is no such cell."
    )


def test_source_survives_a_fork(database: Database) -> None:
    database.insert_instances([("a", "active", None, 1)])
    records = source(connection=database.url)
    expected = {"a": States("active", None, 1)}
    assert records.lookup(["a"]) == expected
    for _ in range(3):
        child = os.fork()
        if child == 0:
            # Nothing of the test runner's is to run in the child.
            status = 1
            try:
                status = 0 if records.lookup(["a"]) == expected else 1
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert records.lookup(["a"]) == expected


def test_database_that_is_disposed_of_is_no_longer_read(
    sqlite: Database,
) -> None:
    opened = ReadOnlyDatabase(settings.Database(name="x", url=sqlite.url))
    opened._workers_here().threads.shutdown()
    with pytest.raises(RecordsUnavailable, match="no longer read"):
        rows(opened, "SELECT 1")


@pytest.mark.parametrize("key", ["cell1", f"{CELL0[:-1]}1"])
def test_cell_can_be_read_with_a_url_of_the_operators(
    sqlite_cells: Cells, key: str
) -> None:
    sqlite_cells.add("a", 2)
    sqlite_cells.cells["cell1"].insert_instances([("a", "active", None, 1)])
    sqlite_cells.api.execute(
        "UPDATE cell_mappings SET database_connection = 'x' WHERE id = 2"
    )
    url = sqlite_cells.cells["cell1"].url
    records = sqlite_cells.source(cell_connection=f"{key}={url}")
    assert records.lookup(["a"]) == {"a": States("active", None, 1)}


def test_urls_need_not_be_readable_where_all_are_the_operators(
    sqlite_cells: Cells,
) -> None:
    sqlite_cells.add("a", 2)
    sqlite_cells.cells["cell1"].insert_instances([("a", "active", None, 1)])
    sqlite_cells.api.execute(
        "ALTER TABLE cell_mappings DROP COLUMN database_connection"
    )
    records = sqlite_cells.source(
        cell_connection=[
            f"{name}={cell.url}" for name, cell in sqlite_cells.cells.items()
        ]
    )
    assert records.lookup(["a"]) == {"a": States("active", None, 1)}


def test_template_is_filled_from_the_instances_url(
    sqlite_cells: Cells,
) -> None:
    sqlite_cells.add("a", 2)
    cell = sqlite_cells.cells["cell1"]
    cell.insert_instances([("a", "active", None, 1)])
    sqlite_cells.api.execute(
        "UPDATE cell_mappings SET database_connection = "
        "'{scheme}:////{path}' WHERE id = 2"
    )
    records = sqlite_cells.source(connection=cell.url)
    assert records.lookup(["a"]) == {"a": States("active", None, 1)}


def test_galera_is_asked_to_wait_as_nova_asks_it(tmp_path: Path) -> None:
    with made("mysql", tmp_path) as database:
        database_settings = settings.Database(
            name="x",
            url=database.url,
            wsrep_sync_wait=5,
            parameters="charset=utf8mb4",
        )
        (row,) = rows(
            ReadOnlyDatabase(database_settings),
            "SELECT @@wsrep_sync_wait, @@character_set_client",
        )
        assert tuple(row) == (5, "utf8mb4")


def test_cell_that_changes_unread_is_dropped(sqlite_cells: Cells) -> None:
    records: Any = sqlite_cells.source()
    records._read_cells(soon())
    sqlite_cells.api.execute(
        "UPDATE cell_mappings SET database_connection = ''"
    )
    records._read_cells(soon())
    assert all(cell.database is None for cell in records._cells.values())


def test_template_without_a_url_to_fill_it_says_what_to_set(
    sqlite_cells: Cells, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite_cells.add("a", 2)
    sqlite_cells.api.execute(
        "UPDATE cell_mappings SET database_connection = "
        "'{scheme}://{hostname}:{port}/x'"
    )
    with pytest.raises(RecordsUnavailable):
        sqlite_cells.source().lookup(["a"])
    assert caplog.records[1].getMessage() == (
        "Servers in cell cell1 go without states: its database_connection "
        "is a template that cannot be filled: set connection "
        "in [extended_status], or [database] connection, to a URL with all "
        "the parts that it names."
    )
