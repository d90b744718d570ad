"""One page of 1,000 servers, from few and from a million instances."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import pymysql
import pytest
import sqlalchemy as sa

from nova_ext_sts.records.cells import MAPPINGS
from nova_ext_sts.records.database import INSTANCES
from tests.benchmarks.rows import Row, ratio
from tests.benchmarks.turns import in_turns
from tests.support.cells import Cells
from tests.support.databases import made
from tests.support.servers import MariaDB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nova_ext_sts.records import RecordSource
    from nova_ext_sts.records.systems import Select
    from tests.benchmarks.conftest import Measure
    from tests.support.databases import Database

PAGE = 1000

#: Each contender's number of instances, and of cells.
SITES = {
    "10,000 in 1 cell": (10_000, 1),
    "10,000 in 10 cells": (10_000, 10),
    "1,000,000 in 1 cell": (1_000_000, 1),
    "1,000,000 in 10 cells": (1_000_000, 10),
}
_FIRST = next(iter(SITES))
_LAST = "1,000,000 in 10 cells"

ROWS = [
    *(
        Row(
            "growth",
            f"a page of 1,000 from {site}, of one from {_FIRST}",
            "times",
            ratio("growth", site, _FIRST),
            *((1.3, 1.1) if site == _LAST else ()),
        )
        for site in SITES
        if site != _FIRST
    ),
    # How much of that is the server's own.
    *(
        Row(
            "growth",
            f"the raw driver: {site}, of {_FIRST}",
            "times",
            ratio("growth of the raw driver", site, _FIRST),
        )
        for site in SITES
        if site != _FIRST
    ),
    Row(
        "growth",
        f"{_LAST}: the lookup, of the raw driver, cell by cell",
        "times",
        lambda measured: [
            ours / raw
            for ours, raw in zip(
                measured["growth"][_LAST],
                measured["growth of the raw driver"][_LAST],
                strict=True,
            )
        ],
    ),
]

#: A UUID for each number, made by MariaDB and by Python.
_UUID = (
    "INSERT(INSERT(INSERT(INSERT(MD5(seq), 9, 0, '-'), 14, 0, '-'), "
    "19, 0, '-'), 24, 0, '-')"
)


def server_id(number: int) -> str:
    digits = hashlib.md5(str(number).encode(), usedforsecurity=False)
    text = digits.hexdigest()
    return "-".join(
        text[first:last]
        for first, last in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
    )


class Site(NamedTuple):
    """A site's databases."""

    records: RecordSource
    #: Connections of the raw driver: to the API database, and to each cell,
    #: whose numbers are 2 and more.
    api: pymysql.Connection[Any]
    cells: list[pymysql.Connection[Any]]

    def read(self, ids: Sequence[str]) -> int:
        """Read a page as plainly as can be, and return how many there are."""
        placed: dict[int, list[str]] = {}
        for server, cell in rows(self.api, MAPPINGS, ids):
            placed.setdefault(cell, []).append(server)
        return sum(
            len(rows(self.cells[cell - 2], INSTANCES, servers))
            for cell, servers in placed.items()
        )


def rows(
    connection: pymysql.Connection[Any], select: Select, ids: Sequence[str]
) -> Sequence[Any]:
    columns = ", ".join(select.columns)
    sql = f"SELECT {columns} FROM {select.table} WHERE {select.key} IN %s"
    with connection.cursor() as cursor:
        cursor.execute(sql, (list(ids),))
        found: Sequence[Any] = cursor.fetchall()
    return found


def connected(database: Database) -> pymysql.Connection[Any]:
    url = sa.engine.make_url(database.url)
    return pymysql.connect(
        host=url.host or "",
        port=url.port or 0,
        user=url.username,
        password=url.password or "",
        database=url.database,
        autocommit=True,
    )


def filled(
    new_database: Callable[[], Database], instances: int, cells: int
) -> Site:
    """Return a site, whose instances are spread out."""
    #: The API database, cell0, and the cells, whose numbers are 2 and more.
    databases = [new_database() for _ in range(2 + cells)]
    places = iter(databases)
    site = Cells(lambda: next(places))
    for number in range(3, 2 + cells):
        uuid = f"{number:08}-0000-0000-0000-000000000000"
        site.add_cell(number, f"cell{number}", next(places).url, uuid)
    databases[0].execute(
        "INSERT INTO instance_mappings (instance_uuid, cell_id) "
        f"SELECT {_UUID}, 2 + seq % {cells} FROM seq_1_to_{instances}"
    )
    databases[0].execute("ANALYZE TABLE instance_mappings")
    for number, database in enumerate(databases[2:]):
        database.execute(
            "INSERT INTO instances (uuid, vm_state, power_state) "
            f"SELECT {_UUID}, 'active', 1 FROM seq_1_to_{instances} "
            f"WHERE seq % {cells} = {number}"
        )
        database.execute("ANALYZE TABLE instances")
    return Site(
        site.source(timeout=60),
        connected(databases[0]),
        [connected(database) for database in databases[2:]],
    )


@pytest.fixture(scope="module")
def sites(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Site]]:
    directory = tmp_path_factory.mktemp("growth")
    with contextlib.ExitStack() as stack:
        # A server with room for all that it holds, as a site's has: what is
        # compared is warm.
        server = stack.enter_context(
            contextlib.closing(MariaDB("--innodb-buffer-pool-size=2G"))
        )
        yield {
            site: filled(
                lambda: stack.enter_context(
                    made("mysql", directory, server.url)
                ),
                instances,
                cells,
            )
            for site, (instances, cells) in SITES.items()
        }


def page_of(site: str) -> list[str]:
    instances, _ = SITES[site]
    return [server_id(1 + n * (instances // PAGE)) for n in range(PAGE)]


@in_turns(*SITES)
@pytest.mark.benchmark(max_time=0.5, min_rounds=10)
def test_growth(
    measure: Measure, sites: dict[str, Site], turn: int, contender: str
) -> None:
    ids = page_of(contender)
    records = sites[contender].records
    assert len(records.lookup(ids)) == PAGE
    measure("growth", contender, lambda: records.lookup(ids))


@in_turns(*SITES)
@pytest.mark.benchmark(max_time=0.5, min_rounds=10)
def test_growth_of_the_raw_driver(
    measure: Measure, sites: dict[str, Site], turn: int, contender: str
) -> None:
    ids = page_of(contender)
    site = sites[contender]
    assert site.read(ids) == PAGE
    measure("growth of the raw driver", contender, lambda: site.read(ids))
