"""Ten cells, of which one does not answer, or whose API database does not."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from nova_ext_sts.states import States
from tests.support.account import is_extended, servers_of
from tests.support.applications import Client, Response, answering, filtered
from tests.support.cells import Cells
from tests.support.databases import Database, made
from tests.support.lookups import LATE, administrator, slow_down

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.account import Account
    from tests.support.servers import Server

PAGE = [f"server-{number}" for number in range(1, 11)]
LIST = json.dumps({"servers": [{"id": server} for server in PAGE]}).encode()

pytestmark = pytest.mark.parametrize(
    "driver", ["mysql+pymysql", "postgresql+psycopg"], indirect=True
)


class Deployment:
    """Ten cells with a server in each, on the server of all tests.

    :param frail: which database is on the server that is made to fail: 0 for
        the API database, 10 for the last cell's
    """

    def __init__(
        self,
        stack: contextlib.ExitStack,
        server: Server,
        directory: Path,
        frail: int,
    ) -> None:
        system = server.url.get_backend_name()
        self.databases: list[Database] = []

        def new_database() -> Database:
            is_frail = len(self.databases) == frail
            url = server.url if is_frail else None
            database = stack.enter_context(made(system, directory, url))
            self.databases.append(database)
            return database

        cells = Cells(new_database)
        for number in range(3, 11):
            cells.add_cell(
                number,
                f"cell{number}",
                new_database().url,
                f"{number:08}-0000-0000-0000-000000000000",
            )
        for number, server_id in enumerate(PAGE, 1):
            cells.add(server_id, number)
            self.databases[number].insert_instances(
                [(server_id, *States("active", None, 1))]
            )

    def client(self, **options: Any) -> Client:
        return filtered(
            answering(LIST),
            api_connection=self.databases[0].url,
            **options,
        )

    def connections(self) -> list[int]:
        """Return how many connections each database has."""
        with contextlib.ExitStack() as stack:
            return [
                len(stack.enter_context(administrator(each)).connections())
                for each in self.databases
            ]


@pytest.fixture
def frail_cell(
    server: Server, driver: str, tmp_path: Path
) -> Iterator[Deployment]:
    with contextlib.ExitStack() as stack:
        yield Deployment(stack, server, tmp_path, 10)


@pytest.fixture
def frail_api(
    server: Server, driver: str, tmp_path: Path
) -> Iterator[Deployment]:
    with contextlib.ExitStack() as stack:
        yield Deployment(stack, server, tmp_path, 0)


def extended(response: Response) -> list[str]:
    """Return the ids of the servers that have all fields."""
    return [
        str(server["id"])
        for server in servers_of(response) or ()
        if is_extended(server)
    ]


def test_one_cell_of_ten_is_down(
    server: Server,
    frail_cell: Deployment,
    account: Account,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = frail_cell.client()
    assert extended(account.get(lambda: client.get("/servers"))) == PAGE
    with server.killed():
        for _ in range(20):
            response = account.get(lambda: client.get("/servers"))
            assert extended(response) == PAGE[:9]
        fault = frail_cell.client(on_error="fail").get("/servers")
        assert fault.status == "503 Service Unavailable"
    assert extended(account.get(lambda: client.get("/servers"))) == PAGE
    # Of both filters: they share what they know of a database.
    begins, ends = (record.getMessage() for record in caplog.records)
    assert "the cell cell10 (" in begins
    assert "after 21 failed lookups" in ends


def test_one_cell_of_ten_is_frozen(
    server: Server, frail_cell: Deployment, account: Account
) -> None:
    client = frail_cell.client(timeout=1)
    assert extended(account.get(lambda: client.get("/servers"))) == PAGE
    before = threading.active_count()

    def ask() -> None:
        response = account.get(lambda: client.get("/servers"))
        assert extended(response) == PAGE[:9]

    with server.frozen():
        counts = []
        for _ in range(3):
            threads = [threading.Thread(target=ask) for _ in range(50)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            counts.append(threading.active_count())
    assert account.slowest < 1 + LATE
    # As many threads as connections, whatever the number of requests.
    assert max(counts) - before <= 11 * 5
    # The pause may have doubled meanwhile.
    until = time.monotonic() + 10
    while extended(client.get("/servers")) != PAGE:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert extended(account.get(lambda: client.get("/servers"))) == PAGE


def test_one_cell_of_ten_is_slow(
    frail_cell: Deployment, account: Account
) -> None:
    client = frail_cell.client(timeout=1)
    slow_down(frail_cell.databases[10], 3)
    assert extended(account.get(lambda: client.get("/servers"))) == PAGE[:9]
    assert account.slowest < 1 + LATE


def test_cells_are_asked_side_by_side(
    frail_cell: Deployment, account: Account
) -> None:
    for database in frail_cell.databases[1:]:
        slow_down(database, 0.3)
    client = frail_cell.client()
    assert extended(account.get(lambda: client.get("/servers"))) == PAGE
    assert account.slowest < 10 * 0.3 - LATE


def test_api_database_is_down(
    server: Server, frail_api: Deployment, account: Account
) -> None:
    client = frail_api.client()
    assert extended(account.get(lambda: client.get("/servers"))) == PAGE
    with server.killed():
        for _ in range(20):
            response = account.get(lambda: client.get("/servers"))
            assert response.body == LIST
    assert extended(account.get(lambda: client.get("/servers"))) == PAGE


def test_api_database_is_frozen(
    server: Server, frail_api: Deployment, account: Account
) -> None:
    client = frail_api.client(timeout=1)
    assert extended(account.get(lambda: client.get("/servers"))) == PAGE
    began = time.monotonic()
    with server.frozen():
        for _ in range(100):
            response = account.get(lambda: client.get("/servers"))
            assert response.body == LIST
    assert time.monotonic() - began < 1 + LATE
    until = time.monotonic() + 4
    while extended(account.get(client.get_list)) != PAGE:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_connections_are_as_many_as_allowed(
    frail_cell: Deployment, account: Account
) -> None:
    # Two filters, as in Nova's two pipelines: they share the connections. And
    # threads that all find the cells unknown.
    clients = [frail_cell.client(max_connections=2) for _ in range(2)]
    assert frail_cell.connections() == [0] * 11
    seen: list[list[int]] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            seen.append(frail_cell.connections())

    wrong: list[Response] = []

    def ask(client: Client) -> None:
        for _ in range(10):
            response = account.get(lambda: client.get("/servers"))
            if extended(response) != PAGE:
                wrong.append(response)

    watcher = threading.Thread(target=watch)
    watcher.start()
    threads = [
        threading.Thread(target=ask, args=[clients[number % 2]])
        for number in range(32)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended.set()
    watcher.join()
    assert not wrong
    # They are kept for the next requests.
    seen.append(frail_cell.connections())
    assert min(seen[-1]) > 0
    assert max(map(max, seen)) <= 2
