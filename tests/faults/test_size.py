"""A hundred thousand instances in ten cells."""

from __future__ import annotations

import contextlib
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from nova_ext_sts.records.systems import SYSTEMS
from nova_ext_sts.states import States
from tests.support.cells import Cells
from tests.support.databases import INSTANCE_MAPPINGS, SERVERS, Database, made

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nova_ext_sts.records import RecordSource

CELLS = 10
INSTANCES_OF_A_CELL = 10_000
PAGE = 1000


def server_id(number: int) -> str:
    # As Nova's are, in no order.
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))


class Site:
    """Ten cells of ten thousand instances each, in one system's databases."""

    def __init__(self, databases: Sequence[Database]) -> None:
        self.databases = databases
        places = iter(databases)
        self._cells = Cells(lambda: next(places))
        for number in range(3, CELLS + 1):
            self._cells.add_cell(
                number, f"cell{number}", next(places).url, server_id(-number)
            )
        for cell in range(CELLS):
            numbers = range(cell, CELLS * INSTANCES_OF_A_CELL, CELLS)
            ids = [server_id(number) for number in numbers]
            databases[1 + cell].insert_instances(
                [(id_, "active", None, cell) for id_ in ids]
            )
            self._cells.api.insert(
                INSTANCE_MAPPINGS,
                *({"instance_uuid": id_, "cell_id": 1 + cell} for id_ in ids),
            )

    def source(self) -> RecordSource:
        return self._cells.source()


@pytest.fixture(scope="module", params=SERVERS)
def site(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    with contextlib.ExitStack() as stack:
        yield Site(
            [
                stack.enter_context(
                    made(request.param, tmp_path_factory.getbasetemp())
                )
                for _ in range(1 + CELLS)
            ]
        )


@contextlib.contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """Collect the statements that are run, with their parameters."""
    seen: list[tuple[str, Any]] = []

    def see(*arguments: Any) -> None:
        seen.append(arguments[2:4])

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", see)
    try:
        yield seen
    finally:
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", see)


def page() -> dict[str, States]:
    """Return the states of a page of a thousand from all cells."""
    return {
        server_id(number): States("active", None, number % CELLS)
        for number in range(0, 97 * PAGE, 97)
    }


def test_page_is_one_statement_for_each_database(site: Site) -> None:
    source = site.source()
    expected = page()
    assert source.lookup(list(expected)) == expected
    with statements() as seen:
        assert source.lookup(list(expected)) == expected
    assert len(seen) == 1 + CELLS


def plan(
    connection: sa.engine.Connection, statement: str, parameters: Any
) -> str:
    """Return the plan of a statement, as the server tells it."""
    if connection.dialect.name == "mysql":
        rows = connection.exec_driver_sql(
            f"EXPLAIN FORMAT=JSON {statement}", parameters
        )
        return str(rows.scalar())
    rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
    return "\n".join(row[0] for row in rows)


def test_page_uses_the_unique_keys(site: Site) -> None:
    source = site.source()
    ids = list(page())
    source.lookup(ids)
    for database in site.databases:
        # What the tables hold is known to the planner, as on a live server.
        database.execute(
            "ANALYZE TABLE instances, instance_mappings"
            if database.url.startswith("mysql")
            else "ANALYZE"
        )
    with statements() as seen:
        source.lookup(ids)
    for database, table in [
        (site.databases[0], "instance_mappings"),
        (site.databases[1], "instances"),
    ]:
        (statement, parameters), *_ = (
            each for each in seen if f"FROM {table} " in each[0]
        )
        with database.connect() as connection:
            for setting in SYSTEMS[connection.dialect.name].session:
                if "{" not in setting:
                    connection.exec_driver_sql(setting)
            told = plan(connection, statement, parameters)
        if connection.dialect.name == "mysql":
            access, key = accesses(json.loads(told))[table]
            assert access in ("range", "eq_ref")
            assert key in ("uuid", "instance_uuid")
        else:
            assert "Seq Scan" not in told.partition(table)[0]
            assert f"Index Scan using {table}_" in told or (
                f"Bitmap Index Scan on {table}_" in told
            )


def accesses(plan: Any) -> dict[str, tuple[str, str]]:
    """Return how a plan of MariaDB's comes by each table, and by which key."""
    found: dict[str, tuple[str, str]] = {}
    if isinstance(plan, list):
        for each in plan:
            found |= accesses(each)
    elif isinstance(plan, dict):
        if "access_type" in plan:
            name = plan["table_name"]
            found[name] = plan["access_type"], plan.get("key", "")
        for each in plan.values():
            found |= accesses(each)
    return found


def test_whole_cell_comes_in_bounded_chunks(
    site: Site,
) -> None:
    numbers = range(0, CELLS * INSTANCES_OF_A_CELL, 5)
    expected = {
        server_id(number): States("active", None, number % CELLS)
        for number in numbers
    }
    assert len(expected) == 20_000
    with statements() as seen:
        assert site.source().lookup(list(expected)) == expected
    lookups = [each for each in seen if "FROM instances " in each[0]]
    # Of its 20,000 ids ten thousand each are in the cells 1 and 6.
    assert len(lookups) == 2
    mappings = [each for each in seen if "FROM instance_mappings" in each[0]]
    assert len(mappings) == 2
