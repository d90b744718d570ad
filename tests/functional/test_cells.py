"""States read from Nova's cells."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import options as db_options

from nova_ext_sts.records import RecordsUnavailable, mappings
from nova_ext_sts.states import States
from tests.support.cells import CELL0, Cells
from tests.support.databases import SERVERS, statements
from tests.support.lookups import closed_port, slow_down
from tests.support.scripted import close_after, scripted

ACTIVE = States("active", None, 1)


@pytest.fixture
def sqlite_cells(tmp_path):
    """Cells in SQLite, with an active server ``a`` in the second."""
    cells = Cells.in_sqlite(tmp_path)
    cells.add("a", 2, *ACTIVE)
    return cells


def assert_only(found, lost, records):
    """Look all ids up: some are found, and the others are unavailable."""
    with pytest.raises(RecordsUnavailable) as raised:
        records.lookup([*found, *lost])
    assert raised.value.records == found
    assert sorted(raised.value.ids or ()) == sorted(lost)


def build_request(**states):
    return json.dumps(
        {"nova_object.name": "Instance", "nova_object.data": states}
    )


def test_each_server_is_read_in_its_own_cell(cells):
    for server, cell in [("a", 2), ("b", 1), ("c", None), ("d", 2)]:
        cells.add(server, cell)
    for name, database in cells.cells.items():
        # Records in a cell that the mapping does not name are ignored.
        database.insert_instances(
            [(server, name, None, 1) for server in ("a", "b", "c")]
        )
    # Disabled cells, and servers that are being deleted, make no difference.
    cells.api.execute("UPDATE cell_mappings SET disabled = (1 = 1)")
    cells.api.execute(
        "UPDATE instance_mappings SET queued_for_delete = (1 = 1)"
    )
    # A build request has Nova's states, or none at first.
    cells.add_request("c", build_request())
    cells.add("f", None)
    active = States("active", "networking", 1)
    cells.add_request("f", build_request(uuid="f", **active._asdict()))
    assert cells.source().lookup(["a", "b", "c", "d", "e", "f"]) == {
        "a": States("cell1", None, 1),
        "b": States("cell0", None, 1),
        "c": States("building", "scheduling", 0),
        "f": active,
    }


def test_broken_build_request_is_logged_once(sqlite_cells, caplog):
    deep = f'{{"nova_object.data": {{"x": {"[" * 9**5}'
    for server, instance in [("b", "{"), ("c", deep), ("d", None)]:
        sqlite_cells.add(server, None)
        sqlite_cells.add_request(server, instance)
    records = sqlite_cells.source()
    for _ in range(2):
        assert records.lookup(["b", "c", "d"]) == {}
    first, second = (record.getMessage() for record in caplog.records)
    assert "server b" in first
    assert "server c" in second


def test_unreadable_build_requests_cost_no_states_of_cells(
    sqlite_cells, pass_time, caplog
):
    sqlite_cells.add("b", None)
    sqlite_cells.api.execute("DROP TABLE build_requests")
    records = sqlite_cells.source()
    for _ in range(3):
        assert_only({"a": ACTIVE}, ["b"], records)
        assert_only({}, ["b"], records)
        pass_time(20)
    # That other tables can be read does not end this outage.
    (logged,) = caplog.records
    assert "build_requests" in logged.getMessage()


def test_server_between_build_request_and_cell_is_looked_up_once_more(
    sqlite_cells,
):
    api = sqlite_cells.api
    api.execute("UPDATE instance_mappings SET cell_id = NULL")

    def place(*arguments):
        """Choose a cell right after the first look, as the scheduler does."""
        if "FROM build_requests" in arguments[2]:
            api.execute("UPDATE instance_mappings SET cell_id = 2")

    records = sqlite_cells.source()
    sa.event.listen(sa.engine.Engine, "after_cursor_execute", place)
    try:
        assert records.lookup(["a"]) == {"a": ACTIVE}
    finally:
        sa.event.remove(sa.engine.Engine, "after_cursor_execute", place)


def test_server_that_moves_to_another_cell_is_read_there(sqlite_cells):
    # As a resize across cells does.
    stopped = States("stopped", None, 4)
    sqlite_cells.cells["cell0"].insert_instances([("a", *stopped)])
    records = sqlite_cells.source()
    for cell, states in ((2, ACTIVE), (1, stopped), (2, ACTIVE)):
        sqlite_cells.api.execute(
            "UPDATE instance_mappings SET cell_id = :cell", cell=cell
        )
        assert records.lookup(["a"]) == {"a": states}


def test_new_and_moved_cells_need_no_restart(sqlite_cells, sqlite, pass_time):
    records = sqlite_cells.source()
    assert records.lookup(["a"]) == {"a": ACTIVE}
    sqlite.insert_instances([("b", *ACTIVE)])
    sqlite_cells.add_cell(7, None, sqlite.url)
    sqlite_cells.add("b", 7)
    assert records.lookup(["a", "b"]) == {"a": ACTIVE, "b": ACTIVE}
    sqlite_cells.cells["cell1"].execute("DROP TABLE instances")
    stopped = States("stopped", None, 4)
    sqlite.insert_instances([("a", *stopped)])
    sqlite_cells.move_cell(2, sqlite.url)
    pass_time(mappings.RELOAD)
    assert records.lookup(["a"]) == {"a": stopped}


def test_cell_that_moves_from_a_silent_server_is_found_again(
    sqlite_cells, silent, pass_time
):
    url = f"mysql+pymysql://u@127.0.0.1:{silent.port}/x"
    sqlite_cells.move_cell(2, url)
    records = sqlite_cells.source(timeout=0.3)
    assert_only({}, ["a"], records)
    sqlite_cells.move_cell(2, sqlite_cells.cells["cell1"].url)
    # That response had no time left to look; the next one looks first.
    pass_time(60)
    assert records.lookup(["a"]) == {"a": ACTIVE}


@pytest.mark.parametrize(
    ("url", "keyword"),
    [
        ("sqlite:////no/such/cell", "unable to open"),
        ("sqlight://s3cret@x/y", "sqlight"),
        ("mysql://s3cret@x", "(database_connection of its cell mapping)"),
        ("mysql+pymysql://u:s3cret@x/y?read_timeout=z", "parameter"),
        ("{scheme[x]}://", "template"),
        (None, "no cell mapping"),
    ],
)
def test_unusable_cell_affects_only_its_own_servers(
    sqlite_cells, sqlite, url, keyword, caplog
):
    sqlite_cells.add("b", 3)
    if url:
        sqlite_cells.add_cell(3, "odd", url)
    records = sqlite_cells.source(connection=sqlite.url)
    for _ in range(2):
        assert_only({"a": ACTIVE}, ["b"], records)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert keyword in record.getMessage()
    assert "s3cret" not in record.getMessage()


#: What the database of a failing cell does.
FAILURES = {
    "refuses": closed_port,
    "is silent": lambda: scripted(close_after(60)),
    "closes at once": lambda: scripted(close_after(0)),
    "closes late": lambda: scripted(close_after(0.4)),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_failing_cell_takes_no_other_cells_states(
    failure, sqlite_cells, caplog
):
    sqlite_cells.add("b", 1, *ACTIVE)
    sqlite_cells.add("c", 3)
    with failure() as failing, statements() as seen:
        url = f"mysql+pymysql://u:p@127.0.0.1:{failing.port}/x"
        sqlite_cells.add_cell(3, "x", url)
        records = sqlite_cells.source(timeout=1)

        def look_up(_):
            assert_only({"a": ACTIVE, "b": ACTIVE}, ["c"], records)

        with ThreadPoolExecutor(48) as threads:
            list(threads.map(look_up, range(240)))
    assert sum("FROM instance_mappings" in each for each in seen) == 240
    # The mappings are loaded, and reloaded once: ids and names, then URLs.
    assert sum("FROM cell_mappings" in each for each in seen) <= 4
    assert caplog.records
    for record in caplog.records:
        assert "API database" not in record.getMessage()


def test_mappings_are_reloaded_at_intervals(sqlite_cells, pass_time):
    sqlite_cells.move_cell(2, "sqlite:////no/such/cell")
    records = sqlite_cells.source()

    def loads():
        with statements() as seen:
            for _ in range(5):
                assert_only({}, ["a"], records)
        return sum(" name FROM cell_mappings" in each for each in seen)

    # The first time, and once more after a cell has failed.
    assert loads() == 2
    pass_time(mappings.RELOAD - 0.01)
    assert loads() == 0
    pass_time(0.02)
    assert loads() == 1


def test_mappings_that_can_no_longer_be_read_are_kept(sqlite_cells):
    sqlite_cells.add("b", 1)
    sqlite_cells.cells["cell0"].execute("DROP TABLE instances")
    records = sqlite_cells.source()
    assert_only({"a": ACTIVE}, ["b"], records)
    sqlite_cells.api.execute("DROP TABLE cell_mappings")
    assert_only({"a": ACTIVE}, ["b"], records)
    # Without any there are no states.
    assert_only({}, ["a"], sqlite_cells.source())


def test_api_database_that_fails_and_returns_is_logged_once(
    sqlite_cells, caplog
):
    records = sqlite_cells.source()
    assert records.lookup(["a"]) == {"a": ACTIVE}
    sqlite_cells.api.execute("ALTER TABLE instance_mappings RENAME TO x")
    for _ in range(3):
        with pytest.raises(RecordsUnavailable, match="API database"):
            records.lookup(["a"])
    sqlite_cells.api.execute("ALTER TABLE x RENAME TO instance_mappings")
    assert records.lookup(["a"]) == {"a": ACTIVE}
    assert len(caplog.records) == 2
    assert all("API database" in each.getMessage() for each in caplog.records)


@pytest.mark.parametrize("system", SERVERS)
def test_cells_are_read_side_by_side_within_the_timeout(cells):
    cells.add("a", 1, *ACTIVE)
    cells.add("b", 2, *ACTIVE)
    for database in cells.cells.values():
        slow_down(database, 1)
    # One after the other would take longer.
    both = {"a": ACTIVE, "b": ACTIVE}
    assert cells.source(timeout=1.9).lookup(["a", "b"]) == both
    slow_down(cells.cells["cell1"], 9)
    assert_only({"a": ACTIVE}, ["b"], cells.source(timeout=1.9))


@pytest.mark.parametrize("key", ["cell1", f"{CELL0[:-1]}1"])
def test_cell_can_be_read_with_a_url_of_the_operators(sqlite_cells, key):
    conf = cfg.ConfigOpts()
    conf.register_opts(db_options.database_opts, group="database")
    # They apply to the URL in Nova's mapping alone.
    conf.set_override("connection_parameters", "timeout=x", group="database")
    url = sqlite_cells.cells["cell1"].url
    records = sqlite_cells.source(conf=conf, cell_connection=f"{key}={url}")
    assert records.lookup(["a"]) == {"a": ACTIVE}
    assert_only({}, ["a"], sqlite_cells.source(conf=conf))


def test_cell_connection_that_names_no_cell_is_logged(sqlite_cells, caplog):
    records = sqlite_cells.source(cell_connection="cel1=sqlite://")
    for _ in range(2):
        assert records.lookup(["a"]) == {"a": ACTIVE}
    (record,) = caplog.records
    assert "cel1" in record.getMessage()
    assert "cell_connection" in record.getMessage()


def test_template_is_filled_from_the_instances_url(sqlite_cells, caplog):
    sqlite_cells.move_cell(2, "{scheme}:////{path}")
    url = sqlite_cells.cells["cell1"].url
    records = sqlite_cells.source(connection=url)
    assert records.lookup(["a"]) == {"a": ACTIVE}
    # Without one, the log says what to set.
    assert_only({}, ["a"], sqlite_cells.source())
    (record,) = caplog.records
    assert "cell1" in record.getMessage()
    assert "connection in [extended_status]" in record.getMessage()


def test_cell_whose_url_is_removed_is_dropped(sqlite_cells, pass_time):
    records = sqlite_cells.source()
    assert all(each.database for each in records.databases())
    sqlite_cells.move_cell(2, "")
    pass_time(mappings.RELOAD)
    _, *cells = records.databases()
    assert [bool(cell.database) for cell in cells] == [True, False]
