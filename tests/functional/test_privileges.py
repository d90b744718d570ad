"""The database user of the documentation can read states and nothing else."""

import pytest
import sqlalchemy as sa

from nova_ext_sts.records import RecordsUnavailable
from nova_ext_sts.states import States
from tests.support.cells import source
from tests.support.databases import SERVERS

ACTIVE = States("active", None, 1)

pytestmark = pytest.mark.parametrize("system", SERVERS)


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
def test_user_can_only_read_states(reader, database, statement):
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


def test_cell_connection_replaces_the_column_of_urls(reader, cells):
    cells.cells["cell1"].insert_instances([("a", *ACTIVE)])
    for server, cell in (("a", 2), ("b", 1), ("c", None)):
        cells.add(server, cell)
    cells.add_request("c", '{"nova_object.data": {}}')
    reader.may_read(cells.api, "api")
    reader.may_read(cells.cells["cell1"], "instances")
    records = source(
        api_connection=reader.url(cells.api),
        cell_connection=f"cell1={reader.url(cells.cells['cell1'])}",
    )
    expected = {"a": ACTIVE, "c": States("building", "scheduling", 0)}
    assert records.lookup(["a", "c"]) == expected
    # cell_connection does not name cell0, and its URL cannot be read.
    with pytest.raises(RecordsUnavailable) as raised:
        records.lookup(["a", "b", "c"])
    assert raised.value.records == expected
    assert raised.value.ids == ["b"]
