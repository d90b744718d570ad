"""Databases that refuse, hang, fail or are lost, and what responses notice."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from nova_ext_sts import settings
from nova_ext_sts.records import (
    DatabaseUnavailable,
    RecordsUnavailable,
    SchemaMismatch,
    Unreachable,
    engine,
)
from nova_ext_sts.records.database import INSTANCES
from nova_ext_sts.states import States
from tests.support.applications import answering, filtered
from tests.support.cells import Cells, source
from tests.support.databases import SERVERS, Database, made
from tests.support.lookups import slow_down
from tests.support.proxies import Proxy
from tests.support.scripted import Scripted, close_after, scripted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nova_ext_sts.records import RecordSource

    Passes = Callable[[float], None]

LIST = b'{"servers": [{"id": "a"}]}'
ACTIVE = States("active", None, 1)
DRIVERS = {"mysql": "mysql+pymysql", "postgresql": "postgresql+psycopg"}

both_drivers = pytest.mark.parametrize("driver", DRIVERS.values())
both_servers = pytest.mark.parametrize("served", DRIVERS, indirect=True)


@pytest.fixture
def served(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Database, str, Proxy]]:
    """A database with the server a, its URL by a proxy, and the proxy."""
    system: str = request.param
    server = SERVERS[system]
    with made(system, tmp_path) as database:
        database.insert_instances([("a", *ACTIVE)])
        proxy = Proxy((str(server.host), int(server.port or 0)))
        url = sa.engine.make_url(database.url).set(port=proxy.port)
        yield database, url.render_as_string(hide_password=False), proxy
        proxy.close()


def url_of(server: Scripted | Proxy, driver: str = "mysql+pymysql") -> str:
    return f"{driver}://u:p@127.0.0.1:{server.port}/x"


def fails(
    records: RecordSource,
    kind: type[RecordsUnavailable] = DatabaseUnavailable,
) -> float:
    """Return how long a lookup takes that must fail, in seconds."""
    began = time.monotonic()
    with pytest.raises(kind):
        records.lookup(["a"])
    return time.monotonic() - began


@both_drivers
def test_silent_server_delays_a_response_by_the_timeout(
    silent: Proxy, driver: str
) -> None:
    client = filtered(
        answering(LIST), connection=url_of(silent, driver), timeout=1
    )
    began = time.monotonic()
    assert client.get_list().body == LIST
    # A driver's own time-out, or a second try, would take two.
    assert time.monotonic() - began < 1.8


def test_server_that_refuses_is_tried_again_with_pauses(
    pass_time: Passes, caplog: pytest.LogCaptureFixture
) -> None:
    with scripted(close_after(0)) as server:
        records = source(connection=url_of(server))
        for pause in (0.1, 0.2, 0.4, 0.8, 1, 1):
            before = server.accepted
            for _ in range(20):
                fails(records)
            assert server.accepted == before + 1
            pass_time(pause - 0.01)
            fails(records)
            assert server.accepted == before + 1
            pass_time(0.02)
    assert len(caplog.records) == 1


@both_drivers
def test_server_that_fails_late_is_tried_again_with_long_pauses(
    driver: str, pass_time: Passes, wait_for_workers: Callable[[], None]
) -> None:
    with scripted(close_after(0.7)) as server:
        records = source(connection=url_of(server, driver), timeout=5)
        assert fails(records) < 2
        for pause in (1, 2, 4):
            before = server.accepted
            for _ in range(20):
                assert fails(records) < 0.3
            assert server.accepted == before
            pass_time(pause + 0.01)
            assert fails(records) > 0.6
            wait_for_workers()
            assert server.accepted == before + 1


@pytest.fixture
def wait_for_workers() -> Callable[[], None]:
    """Return what waits until the test's worker threads have ended."""

    def workers() -> set[threading.Thread]:
        return {
            thread
            for thread in threading.enumerate()
            if thread.name == "extended-status"
        }

    before = workers()
    return lambda: wait_until(lambda: workers() <= before, 3)


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_silent_server_is_suspended(
    silent: Proxy, pass_time: Passes, caplog: pytest.LogCaptureFixture
) -> None:
    records = source(connection=url_of(silent), timeout=0.5)
    assert 0.4 < fails(records) < 1.3
    assert sum(fails(records) for _ in range(100)) < 0.5
    (record,) = caplog.records
    assert "no connection in 0.5 s" in record.getMessage()


def test_threads_that_wait_together_are_one_failure(
    silent: Proxy, pass_time: Passes, wait_for_workers: Callable[[], None]
) -> None:
    records = source(connection=url_of(silent), timeout=0.5)
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(lambda _: fails(records), range(20)))
    wait_for_workers()
    pass_time(1.01)
    # The next try, after the first pause.
    assert fails(records) > 0.3


@both_servers
def test_states_return_when_a_silent_server_speaks(
    served: tuple[Database, str, Proxy],
    pass_time: Passes,
    wait_for_workers: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    _, url, proxy = served
    # All its connections are silent at once.
    records = source(connection=url, timeout=0.5, max_connections=1)
    assert records.lookup(["a"]) == {"a": ACTIVE}
    proxy.is_silent = True
    fails(records)
    proxy.is_silent = False
    wait_for_workers()
    for _ in range(100):
        pass_time(1.01)
        with contextlib.suppress(RecordsUnavailable):
            assert records.lookup(["a"]) == {"a": ACTIVE}
            break
    else:
        pytest.fail("the server is not tried again")
    begins, ends = (record.getMessage() for record in caplog.records)
    assert "no answer in 0.5 s" in begins
    assert "again" in ends


@both_servers
@pytest.mark.parametrize(
    ("outage", "within"), [("is_refusing", 1), ("is_silent", 30)]
)
def test_states_return_after_an_outage_of_a_minute(
    served: tuple[Database, str, Proxy],
    pass_time: Passes,
    wait_for_workers: Callable[[], None],
    outage: str,
    within: float,
) -> None:
    _, url, proxy = served
    records = source(connection=url, timeout=0.3)
    setattr(proxy, outage, True)
    for _ in range(60):
        fails(records)
        pass_time(1)
    wait_for_workers()  # libpq's handshake takes two seconds, of real time.
    setattr(proxy, outage, False)
    for _ in range(10):
        if is_readable(records):
            break
        pass_time(within / 10)
    else:
        pytest.fail("the states do not return")


@both_servers
def test_query_that_fails_late_suspends_queries(
    served: tuple[Database, str, Proxy], pass_time: Passes
) -> None:
    database, url, _ = served
    records = source(connection=url, timeout=1)
    assert records.lookup(["a"]) == {"a": ACTIVE}
    lock = {
        "mysql": "LOCK TABLES instances WRITE",
        "postgresql": "LOCK TABLE instances IN ACCESS EXCLUSIVE MODE",
    }
    with database.connect() as connection:
        connection.execute(sa.text(lock[connection.dialect.name]))
        assert fails(records) < 1.8
        assert sum(fails(records) for _ in range(20)) < 0.5
        pass_time(1.01)
        assert fails(records) > 0.7
    pass_time(2.01)
    assert records.lookup(["a"]) == {"a": ACTIVE}


def is_readable(records: RecordSource) -> bool:
    with contextlib.suppress(RecordsUnavailable):
        return records.lookup(["a"]) == {"a": ACTIVE}
    return False


def test_failure_that_is_fast_suspends_nothing(
    sqlite: Database, pass_time: Passes
) -> None:
    sqlite.execute("ALTER TABLE instances RENAME TO hidden")
    records = source(connection=sqlite.url)
    fails(records, SchemaMismatch)
    sqlite.execute("ALTER TABLE hidden RENAME TO instances")
    assert records.lookup(["a"]) == {}


def test_missing_server_is_unreachable(system: str) -> None:
    url = {
        "sqlite": "sqlite:////no/such/file",
        "mysql": "mysql+pymysql://u:s3cret@127.0.0.1:1/x",
        "postgresql": "postgresql+psycopg://u:s3cret@127.0.0.1:1/x",
    }[system]
    with pytest.raises(Unreachable) as raised:
        source(connection=url).lookup(["a"])
    assert "s3cret" not in str(raised.value)


@both_servers
def test_too_slow_a_database_does_not_make_all_wait(
    served: tuple[Database, str, Proxy], pass_time: Passes
) -> None:
    database, url, _ = served
    slow_down(database, 0.4)
    records = source(connection=url, timeout=1, max_connections=1)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: is_readable(records), range(8)))
    assert 1 <= sum(answers) <= 3
    # Those that found no free connection have suspended it.
    assert fails(records) < 0.3


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


#: What the database of a failing cell does.
FAILURES: dict[str, Callable[[], contextlib.AbstractContextManager[Any]]] = {
    "refuses": closed_port,
    "is silent": lambda: scripted(close_after(60)),
    "closes at once": lambda: scripted(close_after(0)),
    "closes late": lambda: scripted(close_after(0.4)),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_failing_cell_takes_no_other_cells_states(
    failure: Callable[[], contextlib.AbstractContextManager[Any]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    paths = iter(range(9))
    cells = Cells(
        lambda: Database(
            sa.engine.make_url(f"sqlite:///{tmp_path}/{next(paths)}")
        )
    )
    for server, cell in [("a", 1), ("b", 2), ("c", 3)]:
        cells.add(server, cell)
    for database in cells.cells.values():
        database.insert_instances([("a", *ACTIVE), ("b", *ACTIVE)])
    missed: list[Any] = []
    statements: list[str] = []

    def count(*arguments: Any) -> None:
        statements.append(arguments[2])

    with failure() as failing:
        port = getattr(failing, "port", failing)
        cells.add_cell(3, "x", f"mysql+pymysql://u:p@127.0.0.1:{port}/x")
        records = cells.source(timeout=1)

        def ask() -> None:
            for _ in range(5):
                try:
                    records.lookup(["a", "b", "c"])
                except RecordsUnavailable as error:
                    if error.records.keys() != {"a", "b"} or error.ids != [
                        "c"
                    ]:
                        missed.append(error)

        sa.event.listen(sa.engine.Engine, "before_cursor_execute", count)
        try:
            threads = [threading.Thread(target=ask) for _ in range(48)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sa.event.remove(sa.engine.Engine, "before_cursor_execute", count)
    assert not missed
    assert sum("FROM instance_mappings" in each for each in statements) == 240
    # The mappings are loaded, and reloaded once: ids and names, then URLs.
    assert sum("FROM cell_mappings" in each for each in statements) <= 4
    assert caplog.records
    for record in caplog.records:
        assert "API database" not in record.getMessage()


def test_time_used_up_elsewhere_is_no_failure_of_a_database(
    sqlite: Database, silent: Proxy
) -> None:
    for url, seconds in ((sqlite.url, 0), (url_of(silent), 0.1)):
        opened = engine.Database(settings.Database(name="x", url=url))
        deadline = time.monotonic() + seconds
        query = opened.query(INSTANCES, ["a"], deadline=deadline)
        with pytest.raises(RecordsUnavailable) as raised:
            query.rows()
        assert not isinstance(raised.value, DatabaseUnavailable)


@both_servers
def test_connections_that_have_gone_silent_are_one_outage(
    served: tuple[Database, str, Proxy], pass_time: Passes
) -> None:
    database, url, proxy = served
    slow_down(database, 0.3)
    records = source(connection=url, timeout=1, max_connections=3)
    # One after the other, three connections are made.
    with ThreadPoolExecutor(3) as threads:
        while proxy.served < 3:
            list(threads.map(lambda _: is_readable(records), range(3)))
    proxy.forget()
    assert fails(records) > 0.8
    # The other two are not tried in turn.
    pass_time(1.01)
    assert records.lookup(["a"]) == {"a": ACTIVE}


def test_late_responses_leave_no_threads(tmp_path: Path) -> None:
    with made("mysql", tmp_path) as database:
        database.insert_instances([("a", *ACTIVE)])
        slow_down(database, 0.1)
        opened = engine.Database(
            settings.Database(name="x", url=database.url, timeout=5)
        )
        opened.query(INSTANCES, ["a"]).rows()
        before = threading.active_count()
        for _ in range(20):
            deadline = time.monotonic() + 0.01
            with pytest.raises(RecordsUnavailable):
                opened.query(INSTANCES, ["a"], deadline=deadline).rows()
        wait_until(lambda: threading.active_count() <= before + 4, 3)
