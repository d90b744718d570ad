"""Connections that are lost between two requests, or in the middle of one."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.support.lookups import (
    EXTENDED,
    LIST,
    administrator,
    client_of,
    slow_down,
    wait_for_states,
)

if TYPE_CHECKING:
    from tests.support.account import Account
    from tests.support.databases import Database
    from tests.support.servers import Server


def test_server_is_killed_between_requests(
    server: Server,
    database: Database,
    account: Account,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = client_of(database)
    assert account.get(lambda: client.get("/servers")).body == EXTENDED
    with server.killed():
        for _ in range(20):
            assert account.get(lambda: client.get("/servers")).body == LIST
    for _ in range(20):
        assert account.get(lambda: client.get("/servers")).body == EXTENDED
    begins, ends = (record.getMessage() for record in caplog.records)
    assert "the instances' database" in begins
    assert "after 20 failed lookups" in ends


def test_server_is_restarted_between_requests(
    server: Server,
    database: Database,
    account: Account,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = client_of(database)
    assert account.get(lambda: client.get("/servers")).body == EXTENDED
    with server.killed():
        pass
    assert account.get(lambda: client.get("/servers")).body == EXTENDED
    assert not caplog.records


def test_server_is_killed_in_the_middle_of_a_query(
    server: Server, database: Database, account: Account
) -> None:
    slow_down(database, 1)
    client = client_of(database)
    with ThreadPoolExecutor() as thread:
        response = thread.submit(account.get, lambda: client.get("/servers"))
        time.sleep(0.4)
        with server.killed():
            assert response.result().body == LIST
    assert account.slowest < 5
    wait_for_states(lambda: account.get(client.get_list), 4)


def test_connection_is_killed_in_the_middle_of_a_query(
    database: Database, account: Account
) -> None:
    slow_down(database, 1)
    client = client_of(database)
    with ThreadPoolExecutor() as thread:
        response = thread.submit(account.get, lambda: client.get("/servers"))
        time.sleep(0.4)
        with administrator(database) as connections:
            connections.end_all()
        # Read once more, within the time-out.
        assert response.result().body == EXTENDED


def test_connections_are_killed_a_thousand_times(
    database: Database,
    account: Account,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = client_of(database)
    account.get(lambda: client.get("/servers"))
    with administrator(database) as connections:
        before = len(connections.connections())
        for _ in range(1000):
            connections.end_all()
            assert account.get(lambda: client.get("/servers")).body == EXTENDED
        assert len(connections.connections()) == before == 1
    assert not caplog.records
