"""States read from Nova's cells."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from nova_ext_sts.records import RecordsUnavailable, mappings
from nova_ext_sts.states import States
from tests.support.cells import CELL0, Cells
from tests.support.databases import Database

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.proxies import Proxy


@pytest.fixture
def cells(new_database: Callable[[], Database]) -> Cells:
    return Cells(new_database)


@pytest.fixture
def sqlite_cells(tmp_path: Path) -> Cells:
    paths = iter(range(99))
    return Cells(
        lambda: Database(
            sa.engine.make_url(f"sqlite:///{tmp_path}/{next(paths)}")
        )
    )


def build_request(**data: Any) -> str:
    return json.dumps(
        {"nova_object.name": "Instance", "nova_object.data": data}
    )


def test_each_server_is_read_in_its_own_cell(cells: Cells) -> None:
    cells.add("a", 2)
    cells.add("b", 1)
    cells.add("c", None)
    cells.add("d", 2)
    for name, cell in cells.cells.items():
        # A record in a cell that the mapping does not name counts for nothing.
        cell.insert_instances(
            [(server, name, None, 1) for server in ("a", "b", "c")]
        )
    cells.add_request(
        "c",
        build_request(
            vm_state="building", task_state="scheduling", power_state=0
        ),
    )
    records = cells.source().lookup(["a", "b", "c", "d", "e"])
    assert records == {
        "a": States("cell1", None, 1),
        "b": States("cell0", None, 1),
        "c": States("building", "scheduling", 0),
    }
    assert cells.source().lookup(["a"]) == {"a": States("cell1", None, 1)}


def test_servers_of_disabled_cells_have_states(sqlite_cells: Cells) -> None:
    sqlite_cells.add("a", 2)
    sqlite_cells.cells["cell1"].insert_instances([("a", "active", None, 1)])
    sqlite_cells.api.execute("UPDATE cell_mappings SET disabled = 1")
    sqlite_cells.api.execute(
        "UPDATE instance_mappings SET queued_for_delete=1"
    )
    assert sqlite_cells.source().lookup(["a"]) == {
        "a": States("active", None, 1)
    }


def test_build_request_without_states_has_novas_own(
    sqlite_cells: Cells,
) -> None:
    sqlite_cells.add("a", None)
    sqlite_cells.add_request("a", build_request(uuid="a"))
    assert sqlite_cells.source().lookup(["a"]) == {
        "a": States("building", "scheduling", 0)
    }


def test_broken_build_request_is_logged_once(
    sqlite_cells: Cells, caplog: pytest.LogCaptureFixture
) -> None:
    deep = f'{{"nova_object.data": {{"x": {"[" * 9**5}'
    for server, instance in [("a", "{"), ("b", deep), ("c", None)]:
        sqlite_cells.add(server, None)
        sqlite_cells.add_request(server, instance)
    records = sqlite_cells.source()
    for _ in range(2):
        assert records.lookup(["a", "b", "c"]) == {}
    first, second = (record.getMessage() for record in caplog.records)
    assert "server a" in first
    assert "server b" in second


def test_server_between_build_request_and_cell_is_looked_up_once_more(
    sqlite_cells: Cells,
) -> None:
    sqlite_cells.add("a", None)
    sqlite_cells.cells["cell1"].insert_instances([("a", "active", None, 1)])

    def place(*arguments: Any) -> None:
        """Choose a cell right after the first look, as the scheduler does."""
        if "FROM build_requests" in arguments[2]:
            sqlite_cells.api.execute(
                "UPDATE instance_mappings SET cell_id = 2"
            )

    records = sqlite_cells.source()
    sa.event.listen(sa.engine.Engine, "after_cursor_execute", place)
    try:
        assert records.lookup(["a"]) == {"a": States("active", None, 1)}
    finally:
        sa.event.remove(sa.engine.Engine, "after_cursor_execute", place)


def test_server_that_moves_to_another_cell_is_read_there(
    sqlite_cells: Cells,
) -> None:
    sqlite_cells.add("a", 1)
    for name, cell in sqlite_cells.cells.items():
        cell.insert_instances([("a", name, None, 1)])
    records = sqlite_cells.source()
    for number, name in ((1, "cell0"), (2, "cell1"), (1, "cell0")):
        # As a resize across cells does.
        sqlite_cells.api.execute(
            "UPDATE instance_mappings SET cell_id = :cell", cell=number
        )
        assert records.lookup(["a"]) == {"a": States(name, None, 1)}


@pytest.mark.parametrize(
    "template", ["{scheme[x]}://", "{port:d}", "{username:>999999999999}"]
)
def test_odd_template_takes_only_its_own_cell(
    template: str, sqlite_cells: Cells, tmp_path: Path
) -> None:
    sqlite_cells.add_cell(3, "odd", template)
    sqlite_cells.cells["cell1"].insert_instances([("a", "active", None, 1)])
    sqlite_cells.add("a", 2)
    sqlite_cells.add("b", 3)
    records = sqlite_cells.source(connection=f"sqlite:///{tmp_path}/x")
    with pytest.raises(RecordsUnavailable) as raised:
        records.lookup(["a", "b"])
    assert raised.value.records == {"a": States("active", None, 1)}
    assert raised.value.ids == ["b"]


def test_new_cell_needs_no_restart(
    sqlite_cells: Cells, tmp_path: Path
) -> None:
    records = sqlite_cells.source()
    sqlite_cells.add("a", 1)
    sqlite_cells.cells["cell0"].insert_instances([("a", "error", None, 0)])
    assert records.lookup(["a"]) == {"a": States("error", None, 0)}
    new = Database(sa.engine.make_url(f"sqlite:///{tmp_path}/new"))
    new.insert_instances([("b", "active", None, 1)])
    sqlite_cells.add_cell(7, None, new.url)
    sqlite_cells.add("b", 7)
    assert records.lookup(["a", "b"]) == {
        "a": States("error", None, 0),
        "b": States("active", None, 1),
    }


def test_cell_that_has_moved_is_found_again(
    sqlite_cells: Cells, tmp_path: Path
) -> None:
    sqlite_cells.add("a", 1)
    sqlite_cells.cells["cell0"].insert_instances([("a", "error", None, 0)])
    records = sqlite_cells.source()
    assert records.lookup(["a"]) == {"a": States("error", None, 0)}
    sqlite_cells.cells["cell0"].execute("DROP TABLE instances")
    moved = Database(sa.engine.make_url(f"sqlite:///{tmp_path}/moved"))
    moved.insert_instances([("a", "active", None, 1)])
    sqlite_cells.api.execute(
        "UPDATE cell_mappings SET database_connection = :url WHERE id = 1",
        url=moved.url,
    )
    assert records.lookup(["a"]) == {"a": States("active", None, 1)}


def test_cell_that_moves_from_a_silent_server_is_found_again(
    sqlite_cells: Cells, silent: Proxy, pass_time: Callable[[float], None]
) -> None:
    sqlite_cells.add_cell(
        3, "moves", f"mysql+pymysql://u@127.0.0.1:{silent.port}/x"
    )
    sqlite_cells.add("a", 3)
    records = sqlite_cells.source(timeout=0.3)
    with pytest.raises(RecordsUnavailable):
        records.lookup(["a"])
    url = sqlite_cells.cells["cell0"].url
    sqlite_cells.api.execute(
        "UPDATE cell_mappings SET database_connection = :url WHERE id = 3",
        url=url,
    )
    sqlite_cells.cells["cell0"].insert_instances([("a", "error", None, 0)])
    # That response had no time left to look; the next one looks first.
    pass_time(60)
    assert records.lookup(["a"]) == {"a": States("error", None, 0)}


def test_down_cell_takes_only_its_own_servers(
    sqlite_cells: Cells, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite_cells.add_cell(3, "down", "sqlite:////no/such/cell")
    sqlite_cells.add_cell(4, "odd", "sqlight://s3cret@x/y")
    sqlite_cells.add_cell(
        5, "bad", "mysql+pymysql://u:s3cret@x/y?read_timeout=z"
    )
    sqlite_cells.cells["cell1"].insert_instances([("a", "active", None, 1)])
    for server, cell in [
        ("a", 2),
        ("b", 3),
        ("c", 4),
        ("d", 99),
        ("e", 2),
        ("f", 5),
    ]:
        sqlite_cells.add(server, cell)
    records = sqlite_cells.source()
    for _ in range(2):
        with pytest.raises(RecordsUnavailable) as raised:
            records.lookup(["a", "b", "c", "d", "e", "f"])
        assert raised.value.records == {"a": States("active", None, 1)}
        assert raised.value.ids
        assert sorted(raised.value.ids) == ["b", "c", "d", "f"]
    with pytest.raises(RecordsUnavailable) as raised:
        records.lookup(["d"])
    messages = [record.getMessage() for record in caplog.records]
    assert [record.levelno for record in caplog.records] == [
        logging.WARNING
    ] * len(messages)
    assert len(messages) == 4
    assert not any("s3cret" in message for message in messages)


def test_end_of_the_api_database_leaves_what_is_known(
    sqlite_cells: Cells,
) -> None:
    for server, cell in [("a", 2), ("b", 1)]:
        sqlite_cells.add(server, cell)
    sqlite_cells.cells["cell1"].insert_instances([("a", "active", None, 1)])
    sqlite_cells.cells["cell0"].execute("DROP TABLE instances")
    records = sqlite_cells.source()
    records.databases()
    sqlite_cells.api.execute("DROP TABLE cell_mappings")
    with pytest.raises(RecordsUnavailable) as raised:
        records.lookup(["a", "b"])
    assert raised.value.records == {"a": States("active", None, 1)}
    assert raised.value.ids == ["b"]


def test_cells_that_are_not_known_yet_take_their_mappings(
    sqlite_cells: Cells,
) -> None:
    sqlite_cells.add("a", 2)
    sqlite_cells.api.execute("DROP TABLE cell_mappings")
    with pytest.raises(RecordsUnavailable, match="no such table") as raised:
        sqlite_cells.source().lookup(["a"])
    assert raised.value.records == {}
    assert raised.value.ids == ["a"]


def test_slow_cell_is_not_waited_for_beyond_the_timeout(
    cells: Cells, system: str
) -> None:
    if system == "sqlite":
        return  # Reads do not wait for anything.
    cells.add("a", 1)
    cells.add("b", 2)
    cells.cells["cell0"].insert_instances([("a", "error", None, 0)])
    slow = cells.cells["cell1"]
    sleep = "SLEEP(9)" if system == "mysql" else "pg_sleep(9) IS NULL"
    slow.execute("DROP TABLE instances")
    slow.execute(
        "CREATE VIEW instances AS SELECT 'b' AS uuid, 'x' AS vm_state, "
        f"CASE WHEN {sleep} THEN 'x' END AS task_state, 1 AS power_state"
    )
    records = cells.source(timeout=0.5)
    with pytest.raises(RecordsUnavailable) as raised:
        records.lookup(["a", "b"])
    assert raised.value.records == {"a": States("error", None, 0)}
    assert raised.value.ids == ["b"]


def test_cell_connection_that_names_no_cell_is_logged(
    sqlite_cells: Cells, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite_cells.add("a", 2)
    records = sqlite_cells.source(cell_connection="cel1=sqlite://")
    for _ in range(2):
        assert records.lookup(["a"]) == {}
    (record,) = caplog.records
    assert "cel1" in record.getMessage()
    assert "cell_connection" in record.getMessage()


@pytest.mark.parametrize("key", ["cell1", f"{CELL0[:-1]}1"])
def test_cell_can_be_read_with_a_url_of_the_operators(
    sqlite_cells: Cells, key: str
) -> None:
    sqlite_cells.add("a", 2)
    sqlite_cells.cells["cell1"].insert_instances([("a", "active", None, 1)])
    sqlite_cells.api.execute(
        "UPDATE cell_mappings SET database_connection = 'x' WHERE id = 2"
    )
    url = sqlite_cells.cells["cell1"].url
    records = sqlite_cells.source(cell_connection=f"{key}={url}")
    assert records.lookup(["a"]) == {"a": States("active", None, 1)}


def test_urls_need_not_be_readable_where_all_are_the_operators(
    sqlite_cells: Cells,
) -> None:
    sqlite_cells.add("a", 2)
    sqlite_cells.cells["cell1"].insert_instances([("a", "active", None, 1)])
    sqlite_cells.api.execute(
        "ALTER TABLE cell_mappings DROP COLUMN database_connection"
    )
    records = sqlite_cells.source(
        cell_connection=[
            f"{name}={cell.url}" for name, cell in sqlite_cells.cells.items()
        ]
    )
    assert records.lookup(["a"]) == {"a": States("active", None, 1)}


def test_template_is_filled_from_the_instances_url(
    sqlite_cells: Cells,
) -> None:
    sqlite_cells.add("a", 2)
    cell = sqlite_cells.cells["cell1"]
    cell.insert_instances([("a", "active", None, 1)])
    sqlite_cells.api.execute(
        "UPDATE cell_mappings SET database_connection = "
        "'{scheme}:////{path}' WHERE id = 2"
    )
    records = sqlite_cells.source(connection=cell.url)
    assert records.lookup(["a"]) == {"a": States("active", None, 1)}


def test_cell_that_changes_unread_is_dropped(
    sqlite_cells: Cells, pass_time: Callable[[float], None]
) -> None:
    records = sqlite_cells.source()
    records.databases()
    sqlite_cells.api.execute(
        "UPDATE cell_mappings SET database_connection = ''"
    )
    pass_time(mappings.RELOAD)
    _, *cells = records.databases()
    assert [cell.database for cell in cells] == [None, None]


def test_template_without_a_url_to_fill_it_says_what_to_set(
    sqlite_cells: Cells, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite_cells.add("a", 2)
    sqlite_cells.api.execute(
        "UPDATE cell_mappings SET database_connection = "
        "'{scheme}://{hostname}:{port}/x'"
    )
    with pytest.raises(RecordsUnavailable):
        sqlite_cells.source().lookup(["a"])
    message = caplog.records[1].getMessage()
    assert "cell1" in message
    assert "connection in [extended_status]" in message
