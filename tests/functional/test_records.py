"""States read from one database, on every system."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from nova_ext_sts import settings
from nova_ext_sts.records import RecordsUnavailable, engine
from nova_ext_sts.records.systems import Select
from nova_ext_sts.states import States
from tests.support.applications import answering, filtered
from tests.support.cells import source
from tests.support.databases import Database, made, statements

if TYPE_CHECKING:
    from pathlib import Path

ACTIVE = States("active", None, 1)


def test_states_are_the_records_verbatim(database: Database) -> None:
    values = ["active", "Active", "active ", " active", "", "é☃" * 127]
    values += ['"', "\\", "\\n", "'", ",", "],[", "NULL", "null"]
    values += ["\U0001f600", "\U0010ffff"]
    values += [f"{chr(code)} " for code in range(1, 0x100)]
    rows: list[tuple[str, str | None, str | None, int | None]] = [
        (f"{number:036}", value, None if number % 2 else value, number % 3)
        for number, value in enumerate(values)
    ]
    rows += [("none", None, None, None), ("CaSe", "x", None, -(2**31))]
    database.insert_instances(rows)
    database.execute("UPDATE instances SET deleted = id, hidden = NULL")
    ids = [row[0] for row in rows]
    assert source(connection=database.url).lookup(ids) == {
        uuid: States(vm, task, power) for uuid, vm, task, power in rows
    }


def test_long_page_is_one_statement(database: Database) -> None:
    ids = [f"{number:036}" for number in range(10_000)]
    database.insert_instances((server, *ACTIVE) for server in ids)
    records = source(connection=database.url)
    records.lookup(["warm"])
    with statements() as seen:
        assert records.lookup(ids) == dict.fromkeys(ids, ACTIVE)
    assert len(seen) == 1


@pytest.mark.parametrize("mode", ["", "?sql_mode=NO_BACKSLASH_ESCAPES"])
@pytest.mark.parametrize(
    "server_id",
    ["'", '"', "\\", "%", "%s", "a' OR '1'='1", "\\' OR 1=1 -- ", "{}"],
)
def test_ids_are_never_sql(
    database: Database, server_id: str, mode: str
) -> None:
    if mode and not database.url.startswith("mysql"):
        return  # It is MySQL's mode.
    database.insert_instances([("a", *ACTIVE), (server_id, "paused", None, 3)])
    records = source(connection=database.url + mode)
    assert records.lookup([server_id, "b"]) == {
        server_id: States("paused", None, 3)
    }
    # The filter does not look it up, and finds the other server.
    body = json.dumps({"servers": [{"id": server_id}, {"id": "a"}]}).encode()
    client = filtered(answering(body), connection=database.url + mode)
    odd, other = client.get_list().json["servers"]
    assert odd == {"id": server_id}
    assert other["OS-EXT-STS:vm_state"] == "active"


def test_odd_ids_have_their_own_states_or_none(database: Database) -> None:
    upper = "0F3A8C1E-5B7D-4E2A-9C6F-1A2B3C4D5E6F"
    database.insert_instances(
        (server, *ACTIVE) for server in ("abc", upper, "no uuid")
    )
    found = ["abc", "abc", upper]
    # MariaDB's comparisons ignore case and trailing spaces.
    odd = ["ABC", "abc ", upper.lower(), "", "no uuid", "é", "x" * 256]
    servers = [{"id": each} for each in found + odd]
    body = json.dumps({"servers": servers}).encode()
    response = filtered(answering(body), connection=database.url).get_list()
    extended = [len(server) > 1 for server in response.json["servers"]]
    assert extended == [True] * len(found) + [False] * len(odd)


def test_sqlite_connections_cannot_write(sqlite: Database) -> None:
    opened = engine.Database(settings.Database(name="x", url=sqlite.url))
    select = Select("pragma_query_only", ("query_only",))
    assert opened.query(select).rows() == [(1,)]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("with space", ""),
        ("ha#sh", ""),
        ("100%25", ""),
        ("file:x", ""),
        ("x", "?mode=ro&uri=true"),
        ("x", "?cache=private&uri=true"),
    ],
)
def test_sqlite_file_is_opened_as_the_url_says(
    tmp_path: Path, name: str, parameters: str
) -> None:
    url = sa.engine.URL.create("sqlite", database=str(tmp_path / name))
    Database(url).insert_instances([("a", *ACTIVE)])
    connection = url.render_as_string()
    if parameters:
        connection = f"sqlite:///file:{url.database}{parameters}"
    records = source(connection=connection).lookup(["a"])
    assert records == {"a": ACTIVE}


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite:///{}/absent", "unable to open"),
        ("sqlite:///file:{}/absent?mode=ro&uri=true", "unable to open"),
        ("sqlite://", "no such table: instances"),
    ],
)
def test_sqlite_file_is_never_made(
    tmp_path: Path, url: str, reason: str
) -> None:
    with pytest.raises(RecordsUnavailable, match=reason):
        source(connection=url.format(tmp_path)).lookup(["a"])
    assert list(tmp_path.iterdir()) == []


def test_galera_waits_as_nova_asks_it(tmp_path: Path) -> None:
    with made("mysql", tmp_path) as database:
        opened = engine.Database(
            settings.Database(
                name="x",
                url=database.url,
                wsrep_sync_wait=5,
                parameters="charset=utf8mb4",
            )
        )
        columns = ("@@wsrep_sync_wait", "@@character_set_client")
        (row,) = opened.query(Select("(SELECT 1) AS one", columns)).rows()
        assert tuple(row) == (5, "utf8mb4")
