"""The lookup, against the raw driver that runs the same query."""

from __future__ import annotations

import contextlib
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from benchmarks import bodies
from benchmarks.report import Row
from benchmarks.turns import added, in_turns, ratios
from tests.support.cells import source
from tests.support.databases import made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.support.databases import Database

INSTANCES = 100_000
#: By SQLAlchemy's name of the system.
DRIVERS = {
    "sqlite": ("sqlite",),
    "mysql": ("mysql+pymysql", "mysql+mysqldb"),
    "postgresql": ("postgresql+psycopg",),
}


def rows() -> Iterator[Row]:
    for system, drivers in DRIVERS.items():
        with filled(system, INSTANCES) as database:
            for driver in drivers:
                url = sa.engine.make_url(database.url).set(drivername=driver)
                yield from _rows(driver, url)


@contextlib.contextmanager
def filled(system: str, count: int) -> Iterator[Database]:
    """Create a database with this many instances."""
    with (
        tempfile.TemporaryDirectory() as directory,
        made(system, Path(directory)) as database,
    ):
        database.insert_instances(
            (server, *states)
            for server, states in bodies.records(count).items()
        )
        database.execute(
            "ANALYZE TABLE instances" if system == "mysql" else "ANALYZE"
        )
        yield database


def page(count: int, instances: int) -> list[str]:
    """Return ids from all over a table."""
    return [
        bodies.server_id(number)
        for number in range(0, instances, instances // count)
    ]


def raw_query(url: sa.engine.URL) -> Callable[[Sequence[str]], object]:
    """Return a query on a connection of the driver itself."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    connection = engine.raw_connection().driver_connection
    assert connection
    system = url.get_backend_name()

    def query(ids: Sequence[str]) -> object:
        among = {
            "sqlite": f"IN ({','.join('?' * len(ids))})",
            "mysql": "IN %s",
            "postgresql": "= ANY(%s)",
        }[system]
        cursor = connection.cursor()
        cursor.execute(
            "SELECT uuid, vm_state, task_state, power_state FROM instances "
            f"WHERE uuid {among}",
            ids if system == "sqlite" else [ids],
        )
        found = cursor.fetchall()
        cursor.close()
        assert len(found) == len(ids)
        return found

    return query


def _rows(driver: str, url: sa.engine.URL) -> Iterator[Row]:
    records = source(connection=url.render_as_string(hide_password=False))
    raw = raw_query(url)
    for count in (1, 1000):
        ids = page(count, INSTANCES)
        assert len(records.lookup(ids)) == count
        times = in_turns(
            {"raw": partial(raw, ids), "lookup": partial(records.lookup, ids)}
        )
        if count == 1:
            yield Row(
                "lookup",
                f"{driver}, 1 id: over the raw driver",
                "ms",
                added(times, "lookup", "raw", 1e3),
                0.25,
                0.12,
            )
        else:
            yield Row(
                "lookup",
                f"{driver}, 1,000 ids: in queries of the raw driver",
                "times",
                ratios(times, "lookup", "raw"),
                1.3,
                1.1,
            )
