"""The database users of the documentation, who may read and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from nova_ext_sts.records import RecordsUnavailable
from nova_ext_sts.states import States
from tests.support.cells import Cells, source
from tests.support.databases import SERVERS, Database, made
from tests.support.readers import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACTIVE = States("active", None, 1)


@pytest.fixture(params=SERVERS)
def system(request: pytest.FixtureRequest) -> str:
    """Each system that has users."""
    name: str = request.param
    return name


@pytest.fixture
def reader(system: str, tmp_path: Path) -> Iterator[Reader]:
    with made(system, tmp_path):
        reader = Reader(system)
    yield reader
    reader.drop()


@pytest.fixture
def readable(
    system: str, tmp_path: Path, reader: Reader
) -> Iterator[Database]:
    """A database whose instances the user may read."""
    with made(system, tmp_path) as database:
        database.insert_instances([("a", *ACTIVE)])
        reader.may_read(database, "instances")
        yield database


@pytest.fixture
def cells(
    system: str, tmp_path: Path, reader: Reader, readable: Database
) -> Iterator[Cells]:
    """Cells with the server ``a`` in the readable database."""
    with made(system, tmp_path) as api, made(system, tmp_path) as cell0:
        databases = iter((api, cell0, readable))
        cells = Cells(lambda: next(databases))
        cells.add("a", 2)
        reader.may_read(api, "api")
        yield cells


def test_user_reads_one_database(reader: Reader, readable: Database) -> None:
    records = source(connection=reader.url(readable))
    assert records.lookup(["a"]) == {"a": ACTIVE}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE instances SET vm_state = 'error'",
        "DELETE FROM instances",
        "INSERT INTO instances (uuid) VALUES ('b')",
        "SELECT id FROM instances",
        "SELECT instance_uuid FROM instance_mappings",
    ],
)
def test_user_may_do_nothing_else(
    reader: Reader, readable: Database, statement: str
) -> None:
    engine = sa.create_engine(reader.url(readable), poolclass=sa.NullPool)
    with (
        engine.connect() as connection,
        pytest.raises(sa.exc.DBAPIError, match=r"denied"),
    ):
        connection.execute(sa.text(statement))


def test_user_reads_cells_without_the_column_of_urls(
    reader: Reader, cells: Cells, readable: Database
) -> None:
    records = source(
        api_connection=reader.url(cells.api),
        cell_connection=[
            f"cell1={reader.url(readable)}",
            f"cell0={reader.url(cells.cells['cell0'])}",
        ],
    )
    assert records.lookup(["a"]) == {"a": ACTIVE}
    # The column is needed for a cell that is not named, and for no other.
    cells.add("b", 1)
    records = source(
        api_connection=reader.url(cells.api),
        cell_connection=f"cell1={reader.url(readable)}",
    )
    with pytest.raises(RecordsUnavailable) as raised:
        records.lookup(["a", "b"])
    assert raised.value.records == {"a": ACTIVE}
    assert raised.value.ids == ["b"]


def test_user_reads_cells_with_templates(
    reader: Reader, cells: Cells, readable: Database
) -> None:
    name = sa.make_url(readable.url).database
    cells.api.execute(
        "UPDATE cell_mappings SET database_connection = :url WHERE id = 2",
        url="{scheme}://{username}:{password}@{hostname}:{port}/" + str(name),
    )
    reader.may_read(cells.api, "urls")
    records = source(
        connection=reader.url(cells.cells["cell0"]),
        api_connection=reader.url(cells.api),
    )
    assert records.lookup(["a"]) == {"a": ACTIVE}
    with cells.api.connect() as connection:
        # As that user, and not as the one who made the cell.
        assert reader.name in str(
            connection.execute(
                sa.text(
                    "SELECT user FROM information_schema.processlist"
                    if connection.dialect.name == "mysql"
                    else "SELECT usename FROM pg_stat_activity"
                )
            ).all()
        )


def test_user_reads_building_servers(reader: Reader, cells: Cells) -> None:
    cells.add("b", None)
    cells.add_request("b", '{"nova_object.data": {}}')
    records = source(
        api_connection=reader.url(cells.api),
        cell_connection=["cell0=sqlite://", "cell1=sqlite://"],
    )
    assert records.lookup(["b"]) == {"b": States("building", "scheduling", 0)}
