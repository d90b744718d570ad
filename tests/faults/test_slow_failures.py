"""Databases that fail late, are too slow, silent, or send single bytes."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.applications import answering, filtered
from tests.support.load import load
from tests.support.lookups import (
    EXTENDED,
    LATE,
    LIST,
    client_of,
    process_of_two_lookups,
    slow_down,
    wait_for_states,
)
from tests.support.proxies import Proxy
from tests.support.scripted import close_after, drip, scripted

if TYPE_CHECKING:
    from tests.support.account import Account
    from tests.support.databases import Database
    from tests.support.servers import Server

#: The beginning of MariaDB's greeting: its length promises more than comes.
GREETING = b"\x6e\x00\x00\x00\x0a5.5.5-10.11.6-MariaDB\x00"
#: PostgreSQL's answer that it has no TLS, and a part of a message.
NO_TLS = b"NR\x00\x00\x00\x0c"


def workers() -> list[threading.Thread]:
    """Return the threads that the filter reads databases with."""
    names = ("extended-status",)
    return [
        each for each in threading.enumerate() if each.name.startswith(names)
    ]


def wait_until(condition: object, seconds: float) -> None:
    """Wait for what another thread does, and fail if it does not."""
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until, condition
        time.sleep(0.02)


def test_server_that_closes_late_delays_few_responses(
    driver: str, account: Account
) -> None:
    with scripted(close_after(1.9)) as server:
        url = f"{driver}://u:p@127.0.0.1:{server.port}/x"
        client = filtered(answering(LIST), connection=url)
        waited = 0
        for _ in range(8):
            began = time.monotonic()
            assert account.get(client.get_list).body == LIST
            waited += time.monotonic() - began > 0.1
            time.sleep(0.5)
    assert waited <= 3


@pytest.mark.parametrize("driver", ["mysql+pymysql"], indirect=True)
def test_overloaded_database_does_not_delay_every_response(
    server: Server, database: Database, account: Account
) -> None:
    slow_down(database, 0.7)
    client = client_of(database, timeout=1)
    loaded = load(lambda: account.get(client.get_list), threads=64, seconds=12)
    assert loaded.slowest < 1 + LATE
    # Most find it suspended, and others have their states.
    assert loaded.share(lambda each: each.seconds > 0.9) < 0.5
    assert any(each.response.body == EXTENDED for each in loaded.samples)


def test_slow_database_is_no_failure(
    server: Server,
    database: Database,
    account: Account,
    caplog: pytest.LogCaptureFixture,
) -> None:
    slow_down(database, 0.7)
    client = client_of(database, timeout=1)
    for _ in range(3):
        assert account.get(client.get_list).body == EXTENDED
    assert not caplog.records


@pytest.mark.parametrize(
    ("driver", "data"),
    [("mysql+pymysql", GREETING), ("mysql+pymysql", b"")],
    ids=["drips", "is silent"],
    indirect=["driver"],
)
def test_handshake_that_never_ends_frees_its_thread(
    driver: str, data: bytes, account: Account
) -> None:
    with scripted(drip(data, 0.2) if data else close_after(60)) as server:
        client = filtered(
            answering(LIST),
            connection=f"{driver}://u:p@127.0.0.1:{server.port}/x",
            timeout=1,
        )
        before = len(workers())
        assert account.get(client.get_list).body == LIST
        assert account.slowest < 1 + LATE
        wait_until(lambda: len(workers()) <= before, 1)


@pytest.mark.parametrize(
    ("driver", "data"),
    [
        ("mysql+pymysql", GREETING),
        ("mysql+mysqldb", GREETING),
        ("postgresql+psycopg", NO_TLS),
        ("postgresql+psycopg2", NO_TLS),
    ],
    indirect=["driver"],
)
def test_process_ends_although_a_server_drips(
    driver: str, data: bytes
) -> None:
    with scripted(drip(data, 0.2)) as server:
        url = f"{driver}://u:p@127.0.0.1:{server.port}/x"
        assert process_of_two_lookups(url, timeout=1) < 1 + 5


@pytest.mark.parametrize(
    "driver", ["mysql+pymysql", "postgresql+psycopg"], indirect=True
)
def test_states_return_after_a_silent_handshake(
    server: Server, database: Database, account: Account
) -> None:
    proxy = Proxy(("127.0.0.1", server.port))
    try:
        proxy.is_silent = True
        url = database.url.replace(str(server.port), str(proxy.port))
        client = filtered(answering(LIST), connection=url, timeout=1)
        for _ in range(20):
            assert account.get(client.get_list).body == LIST
        proxy.is_silent = False
        # Two suspensions at the most, and libpq's own two seconds.
        wait_for_states(lambda: account.get(client.get_list), 8)
    finally:
        proxy.close()
