"""The lookup alone, beside the raw driver that runs the same query."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

import MySQLdb
import psycopg
import pymysql
import pytest
import sqlalchemy as sa

from tests.benchmarks.bodies import ACTIVE, server_id
from tests.benchmarks.rows import Row, added, ratio
from tests.benchmarks.turns import in_turns
from tests.support.cells import source
from tests.support.databases import Database, made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nova_ext_sts.records import RecordSource
    from tests.benchmarks.conftest import Measure

    Raw = Callable[[Sequence[str]], object]

INSTANCES = 100_000
SIZES = (1, 20, 1000)
SELECT = (
    "SELECT uuid, vm_state, task_state, power_state FROM instances WHERE uuid"
)

PART = "lookup"


def _sqlite(url: sa.engine.URL) -> Raw:
    connection = sqlite3.connect(str(url.database))

    def raw(ids: Sequence[str]) -> object:
        marks = ",".join("?" * len(ids))
        return connection.execute(f"{SELECT} IN ({marks})", ids).fetchall()

    return raw


def _mysql(connection: Any) -> Raw:
    def raw(ids: Sequence[str]) -> object:
        with contextlib.closing(connection.cursor()) as cursor:
            cursor.execute(f"{SELECT} IN %s", [ids])
            return cursor.fetchall()

    return raw


def _pymysql(url: sa.engine.URL) -> Raw:
    return _mysql(
        pymysql.connect(
            host=url.host,
            port=url.port or 0,
            user=url.username,
            database=url.database,
            autocommit=True,
        )
    )


def _mysqldb(url: sa.engine.URL) -> Raw:
    return _mysql(
        MySQLdb.connect(
            host=url.host,
            port=url.port or 0,
            user=url.username,
            database=url.database,
            charset="utf8mb4",
            autocommit=True,
        )
    )


def _psycopg(url: sa.engine.URL) -> Raw:
    connection = psycopg.connect(
        host=url.host,
        port=url.port,
        user=url.username,
        dbname=url.database,
        autocommit=True,
    )

    def raw(ids: Sequence[str]) -> object:
        return connection.execute(f"{SELECT} = ANY(%s)", [ids]).fetchall()  # type: ignore[arg-type, unused-ignore]

    return raw


#: The raw driver for each of the filter's.
DRIVERS = {
    "sqlite": _sqlite,
    "mysql+pymysql": _pymysql,
    "mysql+mysqldb": _mysqldb,
    "postgresql+psycopg": _psycopg,
}

ROWS = [
    row
    for driver in DRIVERS
    for row in (
        Row(
            PART,
            f"{driver}, 1 id: over the raw driver",
            "ms",
            added(f"{driver} 1", "lookup", "raw", 1e3),
            0.25,
            0.15,
        ),
        Row(
            PART,
            f"{driver}, 20 ids: over the raw driver",
            "ms",
            added(f"{driver} 20", "lookup", "raw", 1e3),
        ),
        Row(
            PART,
            f"{driver}, 1,000 ids: of the raw driver",
            "times",
            ratio(f"{driver} 1000", "lookup", "raw"),
            1.3,
            1.1,
        ),
    )
]


@pytest.fixture(scope="module")
def databases(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Database]]:
    """A hundred thousand instances in each system, by its name."""
    with contextlib.ExitStack() as stack:
        found = {}
        for system in ("sqlite", "mysql", "postgresql"):
            found[system] = stack.enter_context(
                made(system, tmp_path_factory.mktemp(system))
            )
            found[system].insert_instances(
                (server_id(number), *ACTIVE) for number in range(INSTANCES)
            )
            found[system].execute(
                "ANALYZE TABLE instances" if system == "mysql" else "ANALYZE"
            )
        yield found


@pytest.fixture(scope="module", params=DRIVERS)
def looked_up(
    request: pytest.FixtureRequest, databases: dict[str, Database]
) -> tuple[str, RecordSource, Raw]:
    """A driver, the filter's record source on it, and the driver raw."""
    driver: str = request.param
    database = databases[driver.partition("+")[0]]
    url = sa.engine.make_url(database.url).set(drivername=driver)
    return (
        driver,
        source(connection=url.render_as_string(hide_password=False)),
        DRIVERS[driver](url),
    )


@in_turns("raw", "lookup")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.benchmark(max_time=0.3, min_rounds=10)
def test_lookup(
    measure: Measure,
    looked_up: tuple[str, RecordSource, Raw],
    size: int,
    turn: int,
    contender: str,
) -> None:
    driver, records, raw = looked_up
    ids = [server_id(number) for number in range(0, 89 * size, 89)]
    assert len(records.lookup(ids)) == size
    work: Raw = raw if contender == "raw" else records.lookup
    measure(f"{driver} {size}", contender, lambda: work(ids))
