"""Databases that keep a response waiting."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from nova_ext_sts.records import RecordsUnavailable
from nova_ext_sts.records.outage import Outage
from nova_ext_sts.states import States
from tests.support.applications import answering, filtered
from tests.support.cells import Cells, source
from tests.support.databases import SERVERS, Database, made
from tests.support.proxies import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LIST = b'{"servers": [{"id": "a"}]}'
ACTIVE = States("active", None, 1)
DRIVERS = {"mysql": "mysql+pymysql", "postgresql": "postgresql+psycopg"}


@pytest.fixture
def served(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[str, Proxy]]:
    """A database with the server a behind a proxy: its URL, and the proxy."""
    system: str = request.param
    server = SERVERS[system]
    with made(system, tmp_path) as database:
        database.insert_instances([("a", *ACTIVE)])
        proxy = Proxy((str(server.host), int(server.port or 0)))
        url = sa.make_url(database.url).set(port=proxy.port)
        yield url.render_as_string(hide_password=False), proxy
        proxy.close()


@pytest.mark.parametrize("driver", DRIVERS.values())
def test_silent_server_keeps_a_response_no_longer_than_the_timeout(
    silent: Proxy, driver: str
) -> None:
    client = filtered(
        answering(LIST),
        connection=f"{driver}://u@127.0.0.1:{silent.port}/x",
        timeout=1,
    )
    began = time.monotonic()
    assert client.get("/servers").body == LIST
    # A driver's own waiting, and a second try, would take two.
    assert time.monotonic() - began < 1.8


def test_silent_server_is_left_alone_for_a_while(
    silent: Proxy,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nova_ext_sts.records.outage.FIRST_PAUSE", 60.0)
    monkeypatch.setattr("nova_ext_sts.records.outage.LONGEST_PAUSE", 60.0)
    client = filtered(
        answering(LIST),
        connection=f"mysql+pymysql://u@127.0.0.1:{silent.port}/x",
        timeout=0.3,
    )
    began = time.monotonic()
    for _ in range(100):
        assert client.get("/servers").body == LIST
    assert time.monotonic() - began < 5  # and not 30
    (record,) = caplog.records
    assert "no answer in 0.3 s" in record.getMessage()


@pytest.mark.parametrize("served", DRIVERS, indirect=True)
def test_server_that_falls_silent_is_read_again_once_it_speaks(
    served: tuple[str, Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nova_ext_sts.records.outage.FIRST_PAUSE", 0.05)
    url, proxy = served
    # All its connections go silent at once.
    records = source(connection=url, timeout=0.5, max_connections=1)
    assert records.lookup(["a"]) == {"a": ACTIVE}
    proxy.is_silent = True
    with pytest.raises(RecordsUnavailable):
        records.lookup(["a"])
    proxy.is_silent = False
    for _ in range(100):
        time.sleep(0.1)
        with contextlib.suppress(RecordsUnavailable):
            assert records.lookup(["a"]) == {"a": ACTIVE}
            break
    else:
        pytest.fail("the thread or its connection was never free again")


def test_waiting_for_a_free_connection_is_no_silence(
    tmp_path: Path,
) -> None:
    with made("postgresql", tmp_path) as database:
        database.execute(
            "DROP TABLE instances; CREATE VIEW instances AS SELECT 'a' AS "
            "uuid, 'active' AS vm_state, NULL AS task_state, CASE WHEN "
            "pg_sleep(0.2) IS NOT NULL THEN 1 END AS power_state"
        )
        records = source(connection=database.url, timeout=2, max_connections=1)
        reasons: list[str] = []

        def ask() -> None:
            try:
                records.lookup(["a"])
            except RecordsUnavailable as error:
                reasons.append(error.reason)

        threads = [threading.Thread(target=ask) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert reasons
        assert not any("left alone" in reason for reason in reasons)
        time.sleep(0.4)  # the one that had begun
        assert records.lookup(["a"]) == {"a": ACTIVE}


def test_hanging_cell_keeps_no_other_cell_from_answering(
    silent: Proxy, tmp_path: Path
) -> None:
    paths = iter(range(9))
    cells = Cells(
        lambda: Database(sa.make_url(f"sqlite:///{tmp_path}/{next(paths)}"))
    )
    hanging = f"mysql+pymysql://u@127.0.0.1:{silent.port}/x"
    cells.add_cell(3, "hanging", hanging)
    for server, cell in [("a", 1), ("b", 2), ("c", 3)]:
        cells.add(server, cell)
    for database in cells.cells.values():
        database.insert_instances([("a", *ACTIVE), ("b", *ACTIVE)])
    records = cells.source(timeout=0.5)
    missed: list[Any] = []

    def ask() -> None:
        for _ in range(5):
            try:
                records.lookup(["a", "b", "c"])
            except RecordsUnavailable as error:
                if error.records.keys() != {"a", "b"} or error.ids != ["c"]:
                    missed.append(error)

    before = threading.active_count()
    threads = [threading.Thread(target=ask) for _ in range(48)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not missed
    # Five for each of the three cells and the API database, at most.
    assert threading.active_count() - before <= 20
    assert records.lookup(["a", "b"]) == {"a": ACTIVE, "b": ACTIVE}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let time pass only when told to."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def passes(seconds: float) -> None:
        now[0] += seconds

    return passes


def test_pause_doubles_with_each_trial_up_to_its_limit(
    clock: Callable[[float], None],
) -> None:
    outage = Outage("x")
    assert not outage.is_left_alone()
    outage.failed("slow", slow=True)
    for pause in (1, 2, 4, 8, 16, 30, 30):
        # Others that had waited at the same time change nothing.
        outage.failed("slow", slow=True)
        clock(pause - 0.1)
        assert outage.is_left_alone()
        clock(0.2)
        assert not outage.is_left_alone()  # the trial
        assert outage.is_left_alone()  # everybody else
        clock(5 if pause < 30 else 0)
        outage.failed("slow", slow=True)
    outage.succeeded()
    assert not outage.is_left_alone()


def test_trial_that_is_never_heard_of_is_followed_by_another(
    clock: Callable[[float], None],
) -> None:
    outage = Outage("x")
    outage.failed("slow", slow=True)
    clock(1.1)
    assert not outage.is_left_alone()
    clock(29)
    assert outage.is_left_alone()
    clock(2)
    assert not outage.is_left_alone()


def test_lookup_that_was_hardly_begun_changes_no_pause(
    clock: Callable[[float], None],
) -> None:
    outage = Outage("x")
    outage.failed("no connection was free", slow=None)
    assert not outage.is_left_alone()
    outage.failed("slow", slow=True)
    outage.failed("no connection was free", slow=None)
    assert outage.is_left_alone()
    clock(1.1)
    assert not outage.is_left_alone()  # the trial
    outage.failed("no connection was free", slow=None)
    clock(1.9)
    assert outage.is_left_alone()
    clock(0.2)
    assert not outage.is_left_alone()


def test_failure_that_costs_nothing_ends_the_pause(
    clock: Callable[[float], None],
) -> None:
    outage = Outage("x")
    outage.failed("slow", slow=True)
    outage.failed("refused")
    assert not outage.is_left_alone()


def test_source_that_fails_every_other_time_does_not_fill_the_log(
    clock: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    outage = Outage("x")
    for _ in range(100):
        outage.failed("refused")
        clock(0.01)
        outage.succeeded()
    clock(10)
    outage.failed("refused")
    outage.succeeded()
    begun, ended, begun_again, ended_again = (
        record.getMessage() for record in caplog.records
    )
    assert begun == begun_again
    assert begun.startswith("States cannot be read from x: refused.")
    assert "after 1 failed lookups" in ended
    # The others are counted where the next line is written.
    assert "after 100 failed lookups" in ended_again
