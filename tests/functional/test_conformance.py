"""The contract of record sources, kept by those that are built in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from nova_ext_sts.records.testing import RecordSourceConformance
from tests.support.cells import Cells, source
from tests.support.databases import INSTANCES

if TYPE_CHECKING:
    from collections.abc import Callable

    from nova_ext_sts.records import RecordSource
    from nova_ext_sts.states import States
    from tests.support.databases import Database

    Keep = Callable[[str, States], object]

#: How a system's URL is when nobody is there.
NOBODY = {
    "sqlite": "sqlite:////no/such/file",
    "mysql": "mysql+pymysql://u@127.0.0.1:1/x",
    "postgresql": "postgresql+psycopg://u@127.0.0.1:1/x",
}


@pytest.fixture
def timeout() -> float:
    return 1.0


def kept(database: Database, server_id: str, states: States) -> None:
    """Keep states in a table of instances, in the place of older ones."""
    with database.connect() as connection:
        connection.execute(
            sa.delete(INSTANCES).where(INSTANCES.c.uuid == server_id)
        )
        connection.execute(
            sa.insert(INSTANCES).values(uuid=server_id, **states._asdict())
        )
        connection.commit()


class TestDatabase(RecordSourceConformance):
    @pytest.fixture
    def source(self, database: Database) -> RecordSource:
        return source(connection=database.url)

    @pytest.fixture
    def keep(self, database: Database) -> Keep:
        return lambda server_id, states: kept(database, server_id, states)

    @pytest.fixture
    def unreachable(self, system: str, timeout: float) -> RecordSource:
        return source(connection=NOBODY[system], timeout=timeout)


class TestCells(RecordSourceConformance):
    @pytest.fixture
    def cells(self, new_database: Callable[[], Database]) -> Cells:
        return Cells(new_database)

    @pytest.fixture
    def source(self, cells: Cells) -> RecordSource:
        return cells.source()

    @pytest.fixture
    def keep(self, cells: Cells) -> Keep:
        mapped: set[str] = set()

        def keep(server_id: str, states: States) -> None:
            cell = len(server_id) % 2
            if server_id not in mapped:
                mapped.add(server_id)
                cells.add(server_id, 1 + cell)
            kept(cells.cells[f"cell{cell}"], server_id, states)

        return keep

    @pytest.fixture
    def unreachable(self, system: str, timeout: float) -> RecordSource:
        return source(api_connection=NOBODY[system], timeout=timeout)
