"""What the filter does with its connections, and what it leaves alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from oslo_config import cfg
from sqlalchemy.engine import make_url

from nova_ext_sts import settings
from nova_ext_sts.records import RecordsUnavailable, engine
from nova_ext_sts.records.systems import Select
from nova_ext_sts.states import States
from tests.support.cells import Cells, source
from tests.support.databases import SERVERS, Database, made

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACTIVE = States("active", None, 1)


@pytest.fixture(params=SERVERS)
def database(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Database]:
    """A database with the server ``a``, on each database server in turn."""
    with made(request.param, tmp_path) as database:
        database.insert_instances([("a", *ACTIVE)])
        yield database


def rows(database: Database, value: str, **options: Any) -> list[Any]:
    """Return the rows of an expression on the filter's own connection."""
    opened = engine.Database(
        settings.Database(name="x", url=database.url, **options)
    )
    return value_of(opened, value)


def value_of(opened: engine.Database, value: str) -> list[Any]:
    query = opened.query(Select("(SELECT 1) AS one", (value,)))
    return [tuple(row) for row in query.rows()]


def system_of(database: Database) -> str:
    return make_url(database.url).get_backend_name()


def test_transactions_read_only_and_commit_nothing(database: Database) -> None:
    isolation, read_only = {
        "mysql": ("@@tx_isolation", "@@tx_read_only"),
        "postgresql": (
            "current_setting('transaction_isolation')",
            "current_setting('transaction_read_only')",
        ),
    }[system_of(database)]
    ((level, is_read_only),) = rows(database, f"{isolation}, {read_only}")
    assert level.upper().replace("-", " ") == "READ COMMITTED"
    assert is_read_only in (1, "on")


def test_statement_ends_before_the_response_has_waited(
    database: Database,
) -> None:
    setting, value = {
        "mysql": ("@@max_statement_time", 1.8),
        "postgresql": ("current_setting('statement_timeout')", "1800ms"),
    }[system_of(database)]
    ((found,),) = rows(database, setting, timeout=2.0)
    assert (float(found) if isinstance(value, float) else found) == value


def test_slow_statement_is_ended_by_the_server(database: Database) -> None:
    # MariaDB takes the end of a SLEEP for its answer.
    slow = {
        "mysql": "(SELECT COUNT(*) FROM seq_1_to_999999 a, seq_1_to_999999 b)",
        "postgresql": "pg_sleep(9)",
    }[system_of(database)]
    opened = engine.Database(
        settings.Database(name="x", url=database.url, timeout=1)
    )
    assert value_of(opened, "1") == [(1,)]
    with pytest.raises(RecordsUnavailable) as raised:
        value_of(opened, slow)
    # An error of the server's, and not the silence of one that hangs.
    assert "no answer" not in raised.value.reason


def test_locked_rows_are_read(database: Database) -> None:
    records = source(connection=database.url, timeout=2)
    with database.connect() as connection:
        connection.execute(
            sa.text("UPDATE instances SET vm_state = 'stopped'")
        )
        # Uncommitted, and so not seen; locked, and not waited for.
        assert records.lookup(["a"]) == {"a": ACTIVE}
        locking = sa.text("SELECT * FROM instances FOR UPDATE")
        assert connection.execute(locking).all()
        assert records.lookup(["a"]) == {"a": ACTIVE}
        connection.commit()
    assert records.lookup(["a"]) == {"a": States("stopped", None, 1)}


def test_lookup_leaves_no_lock_and_no_transaction(database: Database) -> None:
    records = source(connection=database.url)
    assert records.lookup(["a"]) == {"a": ACTIVE}
    # Waits for every reader's transaction.
    limit = {
        "mysql": "SET SESSION lock_wait_timeout = 3",
        "postgresql": "SET lock_timeout = 3000",
    }[system_of(database)]
    with database.connect() as connection:
        connection.execute(sa.text(limit))
        connection.execute(sa.text("ALTER TABLE instances ADD new INTEGER"))
        connection.commit()
    assert records.lookup(["a"]) == {"a": ACTIVE}


def test_connections_are_made_anew_after_their_time(
    database: Database,
) -> None:
    this = {
        "mysql": "CONNECTION_ID()",
        "postgresql": "pg_backend_pid()",
    }[system_of(database)]
    for recycle, is_same in ((3600, True), (0, False), (-1, True)):
        opened = engine.Database(
            settings.Database(name="x", url=database.url, recycle=recycle)
        )
        first = value_of(opened, this)
        time.sleep(0.01)
        assert (value_of(opened, this) == first) is is_same


def test_time_out_in_the_url_wins(tmp_path: Path) -> None:
    with made("mysql", tmp_path) as database:
        slow = "SLEEP(1.5)"
        assert rows(database, slow) == [(0,)]
        database.url += "?read_timeout=1"
        with pytest.raises(RecordsUnavailable, match="timed out"):
            rows(database, slow)


def test_connection_parameters_of_novas_go_with_novas_urls_only(
    tmp_path: Path,
) -> None:
    with made("mysql", tmp_path) as database:
        database.insert_instances([("a", *ACTIVE)])
        file = tmp_path / "nova.conf"
        file.write_text("[database]\nconnection_parameters = nosuch=1\n")
        cells = Cells(
            lambda: Database(make_url(f"sqlite:///{tmp_path}/cells"))
        )
        cells.add("a", 1)
        records = cells.source(
            conf=configured(file),
            cell_connection=[f"cell0={database.url}", "cell1=sqlite://"],
        )
        assert records.lookup(["a"]) == {"a": ACTIVE}


def configured(file: Path) -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    conf(["--config-file", str(file)], project="nova-ext-sts")
    return conf


def test_lookup_is_one_round_trip(tmp_path: Path) -> None:
    with made("mysql", tmp_path) as database:
        opened = engine.Database(
            settings.Database(name="x", url=database.url, max_connections=1)
        )
        status = Select(
            "information_schema.session_status",
            ("variable_value",),
            "variable_name",
        )
        counts = [
            int(row[0])
            for _ in range(3)
            for row in opened.query(status, ["QUESTIONS"]).rows()
        ]
        # No BEGIN, no ping, no ROLLBACK.
        assert [count - counts[0] for count in counts] == [0, 1, 2]


def test_changed_column_loses_no_states(database: Database) -> None:
    records = source(connection=database.url, max_connections=1)
    # Often enough for psycopg to prepare a statement, if it did.
    for _ in range(8):
        assert records.lookup(["a"]) == {"a": ACTIVE}
    database.execute(
        "ALTER TABLE instances MODIFY vm_state TEXT"
        if system_of(database) == "mysql"
        else "ALTER TABLE instances ALTER COLUMN vm_state TYPE TEXT"
    )
    assert records.lookup(["a"]) == {"a": ACTIVE}


def test_filters_of_a_process_share_a_database(database: Database) -> None:
    same: dict[str, Any] = {"connection": database.url, "max_connections": 1}
    others = [source(**same), source(**same)]
    connections = {
        "mysql": "SELECT COUNT(*) FROM information_schema.processlist "
        "WHERE db = DATABASE()",
        "postgresql": "SELECT COUNT(*) FROM pg_stat_activity "
        "WHERE datname = current_database()",
    }[system_of(database)]
    for records in others:
        assert records.lookup(["a"]) == {"a": ACTIVE}
    with database.connect() as connection:
        # This one, and theirs.
        assert connection.execute(sa.text(connections)).scalar() == 2


def test_database_in_sql_ascii_is_read(tmp_path: Path) -> None:
    with made("postgresql", tmp_path) as template:
        name = f"{make_url(template.url).database}_ascii"
        server = sa.create_engine(
            SERVERS["postgresql"],
            poolclass=sa.pool.NullPool,
            isolation_level="AUTOCOMMIT",
        )
        with server.connect() as connection:
            connection.execute(
                sa.text(
                    f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' "
                    "LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
                )
            )
            try:
                url = SERVERS["postgresql"].set(database=name)
                ascii = Database(
                    url.update_query_dict({"client_encoding": "utf8"})
                )
                ascii.insert_instances([("a", "é", None, 1)])
                records = source(
                    connection=url.render_as_string(hide_password=False)
                )
                assert records.lookup(["a"]) == {"a": States("é", None, 1)}
            finally:
                connection.execute(
                    sa.text(f"DROP DATABASE {name} WITH (FORCE)")
                )
