"""The database user of the documentation can read, and do nothing else."""

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
    from collections.abc import Callable, Iterator
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
def cells(reader: Reader, new_database: Callable[[], Database]) -> Cells:
    """Cells with server a in cell1, which the user may read, b, and c."""
    cells = Cells(new_database)
    cells.cells["cell1"].insert_instances([("a", *ACTIVE)])
    cells.add("a", 2)
    cells.add("b", 1)
    cells.add("c", None)
    cells.add_request("c", '{"nova_object.data": {}}')
    reader.may_read(cells.api, "api")
    reader.may_read(cells.cells["cell1"], "instances")
    return cells


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
def test_user_can_read_states_and_do_nothing_else(
    reader: Reader, database: Database, statement: str
) -> None:
    database.insert_instances([("a", *ACTIVE)])
    reader.may_read(database, "instances")
    url = reader.url(database)
    assert source(connection=url).lookup(["a"]) == {"a": ACTIVE}
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with (
        engine.connect() as connection,
        pytest.raises(sa.exc.DBAPIError, match="denied"),
    ):
        connection.execute(sa.text(statement))


def test_column_of_urls_is_not_needed_with_cell_connection(
    reader: Reader, cells: Cells
) -> None:
    records = source(
        api_connection=reader.url(cells.api),
        cell_connection=f"cell1={reader.url(cells.cells['cell1'])}",
    )
    expected = {"a": ACTIVE, "c": States("building", "scheduling", 0)}
    assert records.lookup(["a", "c"]) == expected
    # Of cell0, which is not named, the URL cannot be read.
    with pytest.raises(RecordsUnavailable) as raised:
        records.lookup(["a", "b", "c"])
    assert raised.value.records == expected
    assert raised.value.ids == ["b"]


def test_template_is_filled_with_the_user(
    reader: Reader, cells: Cells
) -> None:
    name = sa.engine.make_url(cells.cells["cell1"].url).database
    cells.api.execute(
        "UPDATE cell_mappings SET database_connection = :url WHERE id = 2",
        url=f"{{scheme}}://{{username}}:{{password}}@{{hostname}}/{name}",
    )
    reader.may_read(cells.api, "urls")
    records = source(
        connection=reader.url(cells.cells["cell0"]),
        api_connection=reader.url(cells.api),
    )
    assert records.lookup(["a"]) == {"a": ACTIVE}
    users = {
        "mysql": "SELECT user FROM information_schema.processlist "
        "WHERE db = :name",
        "postgresql": "SELECT usename FROM pg_stat_activity "
        "WHERE datname = :name",
    }
    with cells.api.connect() as connection:
        statement = sa.text(users[connection.dialect.name])
        assert {*connection.scalars(statement, {"name": name})} == {
            reader.name
        }
