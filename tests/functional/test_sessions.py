"""What the filter does with its connections, and what it leaves alone."""

import gc
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from nova_ext_sts.records import RecordsUnavailable
from nova_ext_sts.records.cells import MAPPINGS
from nova_ext_sts.records.database import INSTANCES
from nova_ext_sts.records.systems import SYSTEMS, Select
from nova_ext_sts.states import States
from tests.functional.conftest import opened
from tests.support.cells import source
from tests.support.databases import INSTANCE_MAPPINGS, made
from tests.support.lookups import (
    connections_of,
    end_connections,
    slow_down,
    system_of,
    wait_until,
)

ACTIVE = States("active", None, 1)


@pytest.fixture
def mariadb(tmp_path):
    with made("mysql", tmp_path) as database:
        yield database


def value_of(database, value):
    """Return the rows of an expression on the filter's own connection."""
    query = database.query(Select("(SELECT 1) AS one", (value,)))
    return [tuple(row) for row in query.rows()]


@pytest.mark.parametrize(
    ("system", "options", "expected"),
    [
        ("sqlite", {}, {"(SELECT query_only FROM pragma_query_only)": 1}),
        (
            "mysql",
            {"wsrep_sync_wait": 5, "parameters": "charset=utf8mb4"},
            {
                "@@tx_isolation": "READ-COMMITTED",
                "@@tx_read_only": 1,
                # The statement ends before the response has waited.
                "@@max_statement_time": 1.8,
                "@@wsrep_sync_wait": 5,
                "@@character_set_client": "utf8mb4",
            },
        ),
        (
            "postgresql",
            {},
            {
                "current_setting('transaction_isolation')": "read committed",
                "current_setting('transaction_read_only')": "on",
                "current_setting('statement_timeout')": "1800ms",
            },
        ),
    ],
)
def test_session_has_its_settings(system, options, expected, tmp_path):
    with made(system, tmp_path) as database:
        records = opened(database.url, timeout=2.0, **options)
        found = value_of(records, ", ".join(expected))
    assert found == [tuple(expected.values())]


def test_lookup_waits_for_no_lock_and_leaves_none(active):
    records = source(connection=active.url, timeout=2)
    with active.connect() as connection:
        connection.execute(
            sa.text("UPDATE instances SET vm_state = 'stopped'")
        )
        # Uncommitted, and so not seen; locked, and not waited for.
        assert records.lookup(["a"]) == {"a": ACTIVE}
        locking = sa.text("SELECT * FROM instances FOR UPDATE")
        assert connection.execute(locking).all()
        assert records.lookup(["a"]) == {"a": ACTIVE}
        connection.commit()
        stopped = {"a": States("stopped", None, 1)}
        assert records.lookup(["a"]) == stopped
        # Waits for every reader's transaction.
        limit = {
            "mysql": "SET SESSION lock_wait_timeout = 3",
            "postgresql": "SET lock_timeout = 3000",
        }[system_of(active)]
        connection.execute(sa.text(limit))
        connection.execute(sa.text("ALTER TABLE instances ADD new INTEGER"))
        connection.commit()
    assert records.lookup(["a"]) == stopped


@pytest.mark.parametrize(
    ("recycle", "is_same"), [(3600, True), (0, False), (-1, True)]
)
def test_connections_are_made_anew_after_their_time(active, recycle, is_same):
    this = {"mysql": "CONNECTION_ID()", "postgresql": "pg_backend_pid()"}
    name = this[system_of(active)]
    records = opened(active.url, recycle=recycle)
    first = value_of(records, name)
    time.sleep(0.01)
    assert (value_of(records, name) == first) is is_same


def test_time_out_in_the_url_wins(mariadb):
    slow = "SLEEP(1.5)"
    assert value_of(opened(mariadb.url), slow) == [(0,)]
    mariadb.url += "?read_timeout=1"
    with pytest.raises(RecordsUnavailable, match="timed out"):
        value_of(opened(mariadb.url), slow)


def test_lookup_is_one_round_trip(mariadb):
    records = opened(mariadb.url, max_connections=1)
    status = Select(
        "information_schema.session_status",
        ("variable_value",),
        "variable_name",
    )
    counts = [
        int(row[0])
        for _ in range(3)
        for row in records.query(status, ["QUESTIONS"]).rows()
    ]
    # No BEGIN, no ping, no ROLLBACK.
    assert [count - counts[0] for count in counts] == [0, 1, 2]


@pytest.mark.parametrize("select", [INSTANCES, MAPPINGS])
def test_page_is_read_by_the_unique_key(active, select):
    ids = [f"{number:036}" for number in range(10_000)]
    active.insert_instances((server, *ACTIVE) for server in ids)
    active.insert(
        INSTANCE_MAPPINGS,
        *({"instance_uuid": server, "cell_id": 1} for server in ids),
    )
    # The planner knows what the tables hold, as on a live server.
    analyze, index = {
        "mysql": (
            "ANALYZE TABLE instances, instance_mappings",
            f"'range', '{select.key}', '{select.key}'",
        ),
        "postgresql": ("ANALYZE", f" on {select.table}_{select.key}_key"),
    }[system_of(active)]
    active.execute(analyze)
    system = SYSTEMS[system_of(active)]
    statement, parameters = system.statement(select, ids[::100])
    with active.connect() as connection:
        for setting in system.session:
            if "{" not in setting:
                connection.exec_driver_sql(setting)
        rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        assert index in str(rows.all()).replace(" using ", " on ")


def test_dead_connection_is_replaced(active):
    records = source(connection=active.url)
    for _ in range(3):
        assert records.lookup(["a"]) == {"a": ACTIVE}
        end_connections(active)


def test_changed_column_loses_no_states(active):
    records = source(connection=active.url, max_connections=1)
    # Often enough for psycopg to prepare a statement, if it did.
    for _ in range(8):
        assert records.lookup(["a"]) == {"a": ACTIVE}
    change = {"mysql": "MODIFY", "postgresql": "ALTER COLUMN"}
    to_text = {"mysql": "TEXT", "postgresql": "TYPE TEXT"}
    name = system_of(active)
    active.execute(
        f"ALTER TABLE instances {change[name]} vm_state {to_text[name]}"
    )
    assert records.lookup(["a"]) == {"a": ACTIVE}


def test_threads_and_filters_share_the_connections(active):
    slow_down(active, 0.05)
    sources = [
        source(connection=active.url, timeout=5, max_connections=2)
        for _ in range(2)
    ]
    with ThreadPoolExecutor(32) as threads:
        found = threads.map(lambda n: sources[n % 2].lookup(["a"]), range(64))
        assert list(found) == [{"a": ACTIVE}] * 64
    assert len(connections_of(active)) == 2
    # The last filter closes them.
    del sources[0]
    gc.collect()
    assert sources[0].lookup(["a"]) == {"a": ACTIVE}
    assert len(connections_of(active)) == 2
    del sources[0]
    gc.collect()
    wait_until(lambda: not connections_of(active))


def test_text_is_read_where_the_database_has_no_encoding(tmp_path):
    with made("postgresql", tmp_path) as database:
        database.insert_instances([("a", "é", None, 1)])
        name = sa.engine.make_url(database.url).database
        # What clients of a database in SQL_ASCII get.
        database.execute(
            f"ALTER DATABASE {name} SET client_encoding = sql_ascii"
        )
        records = source(connection=database.url)
        assert records.lookup(["a"]) == {"a": States("é", None, 1)}
