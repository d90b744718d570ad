"""States read from one database, on every system."""

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
    rows = [
        (f"{number:036}", value, None if number % 2 else value, number % 3)
        for number, value in enumerate(values)
    ]
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


def test_ids_are_compared_as_they_are(database):
    """MariaDB's comparisons ignore case and trailing spaces."""
    upper = "0F3A8C1E-5B7D-4E2A-9C6F-1A2B3C4D5E6F"
    database.insert_instances((each, *ACTIVE) for each in ("abc", upper))
    found, lost = ["abc", upper], ["ABC", "abc ", upper.lower()]
    servers = [{"id": each} for each in found + lost]
    body = json.dumps({"servers": servers}).encode()
    response = filtered(answering(body), connection=database.url).get_list()
    extended = [len(server) > 1 for server in response.json["servers"]]
    assert extended == [True] * len(found) + [False] * len(lost)


def test_values_of_other_types_are_no_states(sqlite):
    sqlite.insert_instances([("a", *ACTIVE)])
    sqlite.execute(
        "INSERT INTO instances (uuid, vm_state, power_state) "
        "VALUES ('b', x'00', 1), ('c', 'active', 1e999)"
    )
    records = source(connection=sqlite.url)
    assert records.lookup(["a", "b", "c"]) == {"a": ACTIVE}


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
