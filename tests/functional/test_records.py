"""States read from one database, on every system."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from nova_ext_sts.records import RecordsUnavailable
from nova_ext_sts.states import States
from tests.support.applications import answering, filtered
from tests.support.cells import source
from tests.support.databases import Database, statements

ACTIVE = States("active", None, 1)


def test_states_are_the_records_verbatim(database):
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


def test_long_page_is_one_statement(database):
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
def test_ids_are_never_sql(database, server_id, mode):
    if mode and not database.url.startswith("mysql"):
        return  # It is MySQL's mode.
    database.insert_instances([("a", *ACTIVE), (server_id, "paused", None, 3)])
    records = source(connection=database.url + mode)
    assert records.lookup([server_id, "b"]) == {
        server_id: States("paused", None, 3)
    }


def test_odd_ids_have_their_own_states_or_none(database):
    upper = "0F3A8C1E-5B7D-4E2A-9C6F-1A2B3C4D5E6F"
    database.insert_instances(
        (server, *ACTIVE) for server in ("abc", upper, "no uuid")
    )
    found = ["abc", "abc", upper]
    # MariaDB's comparisons ignore case and trailing spaces.
    odd = ["ABC", "abc ", upper.lower(), "", "no uuid", "é", "x" * 256]
    odd += ["'", '"', "\\", "a' OR '1'='1"]
    servers = [{"id": each} for each in found + odd]
    body = json.dumps({"servers": servers}).encode()
    response = filtered(answering(body), connection=database.url).get_list()
    extended = [len(server) > 1 for server in response.json["servers"]]
    assert extended == [True] * len(found) + [False] * len(odd)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("file:with space, ha#sh and 100%25", ""),
        ("x", "?mode=ro&uri=true"),
        ("x", "?cache=private&uri=true"),
    ],
)
def test_sqlite_file_is_opened_as_the_url_says(tmp_path, name, parameters):
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
def test_sqlite_file_is_never_made(tmp_path, url, reason):
    with pytest.raises(RecordsUnavailable, match=reason):
        source(connection=url.format(tmp_path)).lookup(["a"])
    assert list(tmp_path.iterdir()) == []
