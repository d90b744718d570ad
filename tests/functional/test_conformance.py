"""The contract of record sources, kept by those that are built in."""

import functools

import pytest

from nova_ext_sts.records.testing import RecordSourceConformance
from tests.support.cells import source
from tests.support.databases import PSYCOPG

#: How a system's URL is when nobody is there.
NOBODY = {
    "sqlite": "sqlite:////no/such/file",
    "mysql": "mysql+pymysql://u@127.0.0.1:1/x",
    "postgresql": f"postgresql+{PSYCOPG}://u@127.0.0.1:1/x",
}


@pytest.fixture
def timeout():
    return 1.0


class TestDatabase(RecordSourceConformance):
    @pytest.fixture
    def source(self, database):
        return source(connection=database.url)

    @pytest.fixture
    def keep(self, database):
        return database.keep

    @pytest.fixture
    def unreachable(self, system, timeout):
        return source(connection=NOBODY[system], timeout=timeout)


class TestCells(RecordSourceConformance):
    @pytest.fixture
    def source(self, cells):
        return cells.source()

    @pytest.fixture
    def keep(self, cells):
        add = functools.cache(cells.add)

        def keep(server_id, states):
            cell = len(server_id) % 2
            add(server_id, 1 + cell)
            cells.cells[f"cell{cell}"].keep(server_id, states)

        return keep

    @pytest.fixture
    def unreachable(self, system, timeout):
        return source(api_connection=NOBODY[system], timeout=timeout)
