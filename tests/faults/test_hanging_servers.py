"""Servers that accept connections and then say nothing."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tests.support.lookups import (
    EXTENDED,
    LATE,
    LIST,
    client_of,
    process_of_two_lookups,
    slow_down,
    wait_for_states,
)

if TYPE_CHECKING:
    import pytest

    from tests.support.account import Account
    from tests.support.databases import Database
    from tests.support.servers import Server


def test_frozen_server_costs_one_timeout_in_all(
    server: Server,
    database: Database,
    account: Account,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = client_of(database, timeout=1)
    assert account.get(lambda: client.get("/servers")).body == EXTENDED
    began = time.monotonic()
    with server.frozen():
        for _ in range(100):
            assert account.get(lambda: client.get("/servers")).body == LIST
        assert time.monotonic() - began < 1 + LATE
    wait_for_states(lambda: account.get(client.get_list), 4)
    begins, ends = (record.getMessage() for record in caplog.records)
    assert "no answer in 1.0 s" in begins
    assert "again" in ends


def test_server_is_frozen_before_the_first_connection(
    server: Server, database: Database, account: Account
) -> None:
    client = client_of(database, timeout=1)
    with server.frozen():
        assert account.get(lambda: client.get("/servers")).body == LIST
    assert account.slowest < 1 + LATE
    wait_for_states(lambda: account.get(client.get_list), 4)


def test_server_is_frozen_in_the_middle_of_a_query(
    server: Server, database: Database, account: Account
) -> None:
    client = client_of(database, timeout=1)
    assert account.get(lambda: client.get("/servers")).body == EXTENDED
    slow_down(database, 0.4)
    timer = threading.Timer(0.2, server.freeze)
    timer.start()
    try:
        assert account.get(lambda: client.get("/servers")).body == LIST
    finally:
        timer.join()
        server.thaw()
    assert account.slowest < 1 + LATE
    wait_for_states(lambda: account.get(client.get_list), 4)


def test_frozen_server_keeps_many_requests_no_longer_than_one(
    server: Server, database: Database, account: Account
) -> None:
    client = client_of(database, timeout=1, max_connections=3)
    assert account.get(lambda: client.get("/servers")).body == EXTENDED
    before = threading.active_count()
    with server.frozen():
        most = 0
        began = time.monotonic()
        for _ in range(6):
            threads = [
                threading.Thread(
                    target=account.get, args=[lambda: client.get("/servers")]
                )
                for _ in range(50)
            ]
            for thread in threads:
                thread.start()
            most = max(most, threading.active_count() - 50)
            for thread in threads:
                thread.join()
        # Only the first fifty have waited: those after them find it left
        # alone, but for a trial.
        assert time.monotonic() - began < 3
        # Two more that read, besides the one that has.
        assert most <= before + 2
    assert account.slowest < 1 + LATE
    assert (account.made, account.extended) == (301, 1)


def test_locked_table_is_left_alone(
    database: Database, account: Account
) -> None:
    client = client_of(database, timeout=1)
    assert account.get(lambda: client.get("/servers")).body == EXTENDED
    lock = {
        "mysql": "LOCK TABLES instances WRITE",
        "postgresql": "LOCK TABLE instances IN ACCESS EXCLUSIVE MODE",
    }
    with database.connect() as connection:
        connection.execute(sa.text(lock[connection.dialect.name]))
        began = time.monotonic()
        for _ in range(20):
            assert account.get(lambda: client.get("/servers")).body == LIST
        # Not twenty times: an error that took long is as good as silence.
        assert time.monotonic() - began < 1 + LATE
    wait_for_states(lambda: account.get(client.get_list), 4)


def test_process_ends_while_a_server_is_frozen(
    server: Server, database: Database, account: Account
) -> None:
    with server.frozen():
        assert process_of_two_lookups(database.url, timeout=1) < 1 + 5
    client = client_of(database)
    assert account.get(lambda: client.get("/servers")).body == EXTENDED
