"""The contract of record sources, kept by those that are built in."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from nova_ext_sts.records.testing import RecordSourceConformance
from tests.support.cells import Cells, source
from tests.support.databases import PSYCOPG

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
    "postgresql": f"postgresql+{PSYCOPG}://u@127.0.0.1:1/x",
}


@pytest.fixture
def timeout() -> float:
    return 1.0


class TestDatabase(RecordSourceConformance):
    @pytest.fixture
    def source(self, database: Database) -> RecordSource:
        return source(connection=database.url)

    @pytest.fixture
    def keep(self, database: Database) -> Keep:
        return database.keep

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
        add = functools.cache(cells.add)

        def keep(server_id: str, states: States) -> None:
            cell = len(server_id) % 2
            add(server_id, 1 + cell)
            cells.cells[f"cell{cell}"].keep(server_id, states)

        return keep

    @pytest.fixture
    def unreachable(self, system: str, timeout: float) -> RecordSource:
        return source(api_connection=NOBODY[system], timeout=timeout)
