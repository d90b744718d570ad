"""Databases that refuse, hang, fail or are lost, and what responses notice."""

import contextlib
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from nova_ext_sts.records import DatabaseUnavailable, RecordsUnavailable
from nova_ext_sts.records import workers as records_workers
from nova_ext_sts.records.database import INSTANCES
from nova_ext_sts.states import States
from tests.functional.conftest import opened
from tests.support.cells import source
from tests.support.databases import PSYCOPG
from tests.support.lookups import (
    full_queue,
    locked,
    slow_down,
    wait_until,
    workers,
)
from tests.support.proxies import Proxy
from tests.support.scripted import close_after, drip, scripted

ACTIVE = States("active", None, 1)
MYSQL, POSTGRESQL = "mysql+pymysql", f"postgresql+{PSYCOPG}"
#: The beginning of MariaDB's greeting: its length promises more than comes.
GREETING = b"\x6e\x00\x00\x00\x0a5.5.5-10.11.6-MariaDB\x00"


@pytest.fixture
def proxy(active):
    """A proxy in front of that database, which its URL names."""
    url = sa.engine.make_url(active.url)
    with contextlib.closing(Proxy((str(url.host), url.port or 0))) as proxy:
        url = url.set(port=proxy.port)
        active.url = url.render_as_string(hide_password=False)
        yield proxy


@pytest.fixture
def wait_for_workers():
    """Return what waits until the test's worker threads have ended."""
    before = workers()
    return lambda: wait_until(lambda: workers() <= before, 4)


def url_of(server, driver=MYSQL):
    return f"{driver}://u:p@127.0.0.1:{server.port}/x"


def fails(records):
    """Return how long a lookup takes that must fail, in seconds."""
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        records.lookup(["a"])
    return time.monotonic() - began


def is_readable(records):
    with contextlib.suppress(RecordsUnavailable):
        return records.lookup(["a"]) == {"a": ACTIVE}
    return False


def test_server_that_refuses_is_tried_again_with_pauses(pass_time, caplog):
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


@pytest.mark.parametrize(
    ("driver", "silent"),
    [
        (MYSQL, lambda: scripted(close_after(60))),
        (MYSQL, lambda: scripted(drip(GREETING, 0.1))),
        (MYSQL, full_queue),
        (POSTGRESQL, lambda: scripted(close_after(60))),
        (POSTGRESQL, full_queue),
    ],
)
def test_silent_handshake_costs_one_timeout_in_all(
    silent, driver, pass_time, wait_for_workers, caplog
):
    with silent() as server:
        records = source(connection=url_of(server, driver), timeout=0.5)
        with ThreadPoolExecutor(20) as threads:
            seconds = list(threads.map(lambda _: fails(records), range(20)))
        # A driver's own time-out, or a second try, would take longer.
        assert max(seconds) < 0.5 + 0.8
        assert sum(fails(records) for _ in range(100)) < 0.5
        # Within the time-out; libpq cannot be interrupted, but for its own.
        wait_for_workers()
        # All were one failure, with the first pause.
        pass_time(1.01)
        assert fails(records) > 0.3
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("outage", "is_connected", "within"),
    [
        ("is_refusing", False, 1),
        ("is_silent", False, 30),
        ("is_silent", True, 30),
    ],
)
def test_states_return_after_an_outage_of_a_minute(
    active,
    proxy,
    pass_time,
    wait_for_workers,
    outage,
    is_connected,
    within,
    caplog,
):
    records = source(connection=active.url, timeout=0.3)
    if is_connected:
        assert records.lookup(["a"]) == {"a": ACTIVE}
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
    _begins, ends = (record.getMessage() for record in caplog.records)
    assert "again" in ends


def test_query_that_fails_late_suspends_queries(active, pass_time, caplog):
    records = source(connection=active.url, timeout=1)
    assert records.lookup(["a"]) == {"a": ACTIVE}
    with locked(active):
        assert fails(records) < 1.8
        assert sum(fails(records) for _ in range(20)) < 0.5
        pass_time(1.01)
        assert fails(records) > 0.7
    # The server's error, and not the silence of one that hangs.
    assert "no answer" not in caplog.text
    pass_time(2.01)
    assert records.lookup(["a"]) == {"a": ACTIVE}


def test_slow_database_fails_only_where_no_connection_is_free(
    active, pass_time, caplog
):
    slow_down(active, 0.4)
    records = source(connection=active.url, timeout=1, max_connections=1)
    for _ in range(2):
        assert records.lookup(["a"]) == {"a": ACTIVE}
    assert not caplog.records
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: is_readable(records), range(8)))
    assert 1 <= sum(answers) <= 3
    # Those that found no free connection have suspended it.
    assert fails(records) < 0.3


def test_connections_that_have_gone_silent_are_one_outage(
    active, proxy, pass_time
):
    slow_down(active, 0.3)
    records = source(connection=active.url, timeout=1, max_connections=3)
    # One after the other, three connections are made.
    with ThreadPoolExecutor(3) as threads:
        while proxy.served < 3:
            list(threads.map(lambda _: is_readable(records), range(3)))
    proxy.forget()
    assert fails(records) > 0.8
    # The other two are not tried in turn.
    pass_time(1.01)
    assert records.lookup(["a"]) == {"a": ACTIVE}


def test_response_with_little_time_blames_no_healthy_database(active, caplog):
    slow_down(active, 0.2)
    database = opened(active.url, timeout=5)
    assert database.query(INSTANCES, ["a"]).rows()
    before = len(workers())
    for _ in range(10):
        for seconds in (0, 0.01):
            assert_out_of_time(database, seconds)
    assert database.query(INSTANCES, ["a"]).rows()
    assert not caplog.records
    # Those that were late leave none behind.
    wait_until(lambda: len(workers()) <= before + 4)


def test_response_with_little_time_blames_no_silent_database(silent):
    database = opened(url_of(silent))
    assert_out_of_time(database, 0.1)


def test_database_that_answers_no_short_query_is_suspended(active):
    slow_down(active, 3)
    database = opened(active.url, timeout=1)
    for _ in range(2):
        deadline = time.monotonic() + 0.4
        with pytest.raises(RecordsUnavailable):
            database.query(INSTANCES, ["a"], deadline=deadline).rows()
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        database.query(INSTANCES, ["a"]).rows()
    assert time.monotonic() - began < 0.3


def assert_out_of_time(database, seconds):
    """Assert that a query fails for want of time, and blames no database."""
    deadline = time.monotonic() + seconds
    with pytest.raises(RecordsUnavailable) as raised:
        database.query(INSTANCES, ["a"], deadline=deadline).rows()
    assert not isinstance(raised.value, DatabaseUnavailable)


def test_connection_that_is_known_late_is_cut():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(5)
        link = records_workers._Link(0)
        guard = threading.Thread(target=link.guard, args=[0])
        guard.start()
        link.connection = ours
        assert theirs.recv(1) == b""
        link.is_made.set()
        guard.join()


def test_process_without_threads_recovers(sqlite, pass_time, monkeypatch):
    sqlite.insert_instances([("a", *ACTIVE)])
    records = source(connection=sqlite.url)

    def start(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        assert fails(records) < 0.3
    pass_time(0.11)
    assert records.lookup(["a"]) == {"a": ACTIVE}


def test_fork_while_threads_look_up(active):
    """Some forks copy a lock that is held, and connections in use."""
    records = source(connection=active.url, timeout=5)
    ended = threading.Event()

    def look_up():
        found = []
        while not ended.is_set():
            found.append(is_readable(records))
        return all(found)

    with ThreadPoolExecutor(4) as threads:
        parents = [threads.submit(look_up) for _ in range(4)]
        try:
            for _ in range(20):
                assert forked(records) == 0
        finally:
            ended.set()
        assert all(parent.result() for parent in parents)


def forked(records):
    """Return the exit status of a child process: 0 if it reads states."""
    child = os.fork()
    if child == 0:  # pragma: no cover - in the child, which is not measured
        status = 1
        try:
            signal.alarm(30)
            status = 0 if is_readable(records) else 2
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]
