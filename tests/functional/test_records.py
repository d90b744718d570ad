"""States read from one database, on every system."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from nova_ext_sts import settings
from nova_ext_sts.records import RecordsUnavailable, engine
from nova_ext_sts.records.systems import Select
from nova_ext_sts.states import States
from tests.support.applications import answering, filtered
from tests.support.cells import source
from tests.support.databases import Database, made

if TYPE_CHECKING:
    from pathlib import Path


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


def test_states_of_a_long_page_are_the_records_verbatim(
    database: Database,
) -> None:
    values = ["active", "Active", "active ", " active", "ACTIVE", ""]
    values += ['"', "\\", "\\n", "'", ",", "],[", "NULL", "null", "☃"]
    values += ["\U0001f600", "\U0010ffff"]
    values += [f"{chr(code)} " for code in range(1, 0x100)]
    rows: list[tuple[str, str | None, str | None, int | None]] = [
        (f"{number:036}", value, None if number % 2 else value, number % 3)
        for number, value in enumerate(values)
    ]
    rows += [("none", None, None, None), ("CaSe", "x", None, -(2**31))]
    database.insert_instances(rows)
    ids = [row[0] for row in rows]
    assert source(connection=database.url).lookup(ids) == {
        uuid: States(vm, task, power) for uuid, vm, task, power in rows
    }


def test_deleted_and_hidden_instances_have_states(database: Database) -> None:
    database.insert_instances([("a", "deleted", None, 0)])
    database.execute("UPDATE instances SET deleted = id, hidden = NULL")
    records = source(connection=database.url).lookup(["a"])
    assert records == {"a": States("deleted", None, 0)}


def test_long_page_is_read_whole(database: Database) -> None:
    rows = [(f"{number:036}", "active", None, 1) for number in range(2500)]
    database.insert_instances(rows)
    ids = [row[0] for row in rows]
    records = source(connection=database.url).lookup(ids)
    assert records == dict.fromkeys(ids, States("active", None, 1))


def test_page_is_one_statement(database: Database) -> None:
    statements: list[str] = []
    records = source(connection=database.url)
    records.lookup(["warm"])

    def count(*arguments: Any) -> None:
        statements.append(arguments[2])

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", count)
    try:
        records.lookup([f"{number:036}" for number in range(1000)])
    finally:
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", count)
    assert len(statements) == 1


@pytest.mark.parametrize("mode", ["", "NO_BACKSLASH_ESCAPES"])
@pytest.mark.parametrize(
    "server_id",
    [
        "'",
        '"',
        "\\",
        "%",
        "%s",
        "a' OR '1'='1",
        "\\' OR 1=1 -- ",
        "{}",
    ],
)
def test_ids_are_never_sql(
    tmp_path: Path, system: str, server_id: str, mode: str
) -> None:
    with made(system, tmp_path) as database:
        database.insert_instances(
            [("a", "active", None, 1), (server_id, "paused", None, 3)]
        )
        url = database.url
        if mode:
            if system != "mysql":
                return  # It is MySQL's mode.
            url += f"?sql_mode={mode}"
        records = source(connection=url)
        assert records.lookup([server_id, "b"]) == {
            server_id: States("paused", None, 3)
        }
        # The filter does not look it up, and finds the other server.
        servers = [{"id": server_id}, {"id": "a"}]
        body = json.dumps({"servers": servers}).encode()
        client = filtered(answering(body), connection=url)
        odd, other = client.get_list().json["servers"]
        assert odd == {"id": server_id}
        assert other["OS-EXT-STS:vm_state"] == "active"


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


def test_sqlite_connections_cannot_write(sqlite: Database) -> None:
    opened = engine.Database(settings.Database(name="x", url=sqlite.url))
    select = Select("pragma_query_only", ("query_only",))
    assert opened.query(select).rows() == [(1,)]


@pytest.mark.parametrize("name", ["with space", "ha#sh", "100%25", "file:x"])
def test_sqlite_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    url = sa.engine.URL.create("sqlite", database=str(tmp_path / name))
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
    name = sa.engine.make_url(database.url).database
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


def test_galera_is_asked_to_wait_as_nova_asks_it(tmp_path: Path) -> None:
    with made("mysql", tmp_path) as database:
        database_settings = settings.Database(
            name="x",
            url=database.url,
            wsrep_sync_wait=5,
            parameters="charset=utf8mb4",
        )
        opened = engine.Database(database_settings)
        columns = ("@@wsrep_sync_wait", "@@character_set_client")
        (row,) = opened.query(Select("(SELECT 1) AS one", columns)).rows()
        assert tuple(row) == (5, "utf8mb4")


def test_odd_rows_and_ids_are_right_or_left_out(database: Database) -> None:
    upper = "0F3A8C1E-5B7D-4E2A-9C6F-1A2B3C4D5E6F"
    longest = "é☃" * 127 + "x"
    database.insert_instances(
        [
            ("nothing", None, None, None),
            ("longest", longest, longest, 77),
            (upper, "active", None, 1),
            ("no-uuid", "active", "", -1),
            ("no uuid", "active", "", -1),
        ]
    )
    ids = ["nothing", "longest", "nothing", upper, upper.lower(), "no-uuid"]
    ids += ["", "no uuid", "é", "x" * 256, "absent", "NOTHING", "nothing "]
    servers = [{"id": each} for each in ids]
    body = json.dumps({"servers": servers}).encode()
    response = filtered(answering(body), connection=database.url).get(
        "/servers"
    )
    found = [tuple(server.values())[1:] for server in response.json["servers"]]
    assert found == [
        (None, None, None),
        (longest, longest, 77),
        (None, None, None),
        ("active", None, 1),
        (),
        ("active", "", -1),
        *[()] * 7,
    ]


def test_sqlite_file_may_be_opened_as_the_url_says(sqlite: Database) -> None:
    sqlite.insert_instances([("a", "active", None, 1)])
    file = sa.engine.make_url(sqlite.url).database
    for parameters in ("mode=ro", "cache=private"):
        url = f"sqlite:///file:{file}?{parameters}&uri=true"
        records = source(connection=url)
        assert records.lookup(["a"]) == {"a": States("active", None, 1)}
