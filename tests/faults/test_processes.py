"""Threads, processes that fork, and processes whose threads are green."""

from __future__ import annotations

import contextlib
import http.client
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.applications import Client, Response
from tests.support.lookups import (
    EXTENDED,
    LATE,
    LIST,
    administrator,
    client_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.account import Account
    from tests.support.databases import Database
    from tests.support.servers import Server

WORKERS = 4

#: How each server is told to load the application before it forks.
PREFORK = {
    "gunicorn": [
        *("-m", "gunicorn", "--preload", "--no-control-socket"),
        *("--workers", str(WORKERS), "--bind", "127.0.0.1:{port}"),
        "tests.faults.served:application",
    ],
    "gunicorn with threads": [
        *("-m", "gunicorn", "--preload", "--no-control-socket"),
        *("--workers", str(WORKERS), "--threads", "4"),
        *("--bind", "127.0.0.1:{port}"),
        "tests.faults.served:application",
    ],
    "uwsgi": [
        *("-c", "import pyuwsgi; pyuwsgi.run()"),
        *("--master", "--need-app", "--die-on-term", "--disable-logging"),
        *("--processes", str(WORKERS), "--http-socket", "127.0.0.1:{port}"),
        *("--module", "tests.faults.served:application"),
    ],
    "uwsgi with threads": [
        *("-c", "import pyuwsgi; pyuwsgi.run()"),
        *("--master", "--need-app", "--die-on-term", "--disable-logging"),
        *("--processes", str(WORKERS), "--http-socket", "127.0.0.1:{port}"),
        *("--threads", "4", "--module", "tests.faults.served:application"),
    ],
}


@contextlib.contextmanager
def serving(
    arguments: Sequence[str], url: str, directory: Path
) -> Iterator[int]:
    """Run a server of ``served``, and give its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    output = directory / "output"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                *(argument.format(port=port) for argument in arguments),
            ],
            env={**os.environ, "INSTANCES": url},
            cwd=Path(__file__).parents[2],
            stdout=log,
            stderr=log,
        )
    try:
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, output.read_text()
                assert time.monotonic() < until, output.read_text()
                time.sleep(0.05)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def asked(port: int) -> Response:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/servers")
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return Response(f"{response.status} ", response.getheaders(), body)


@pytest.mark.parametrize("name", PREFORK)
@pytest.mark.parametrize(
    "driver", ["mysql+pymysql", "postgresql+psycopg"], indirect=True
)
def test_thousand_requests_over_workers_that_were_forked(
    name: str, database: Database, account: Account, tmp_path: Path
) -> None:
    with (
        serving(PREFORK[name], database.url, tmp_path) as port,
        ThreadPoolExecutor(8) as threads,
        administrator(database) as connections,
    ):
        # Loaded in the parent, where nothing connects.
        assert connections.connections() == []
        responses = [
            threads.submit(account.get, lambda: asked(port))
            for _ in range(1000)
        ]
        for response in responses:
            assert response.result().body == EXTENDED
        assert 2 <= len(connections.connections()) <= WORKERS * 5
    assert account.extended == 1000


def work(client: Client) -> tuple[int, bool]:
    return os.getpid(), client.get("/servers").body == EXTENDED


def test_processes_forked_by_multiprocessing_share_no_connection(
    database: Database, account: Account
) -> None:
    client = client_of(database)
    # The parent has a connection, which the children must not touch.
    assert account.get(lambda: client.get("/servers")).body == EXTENDED
    results: list[tuple[int, bool]] = []

    def fork_and_ask() -> None:
        context = multiprocessing.get_context("fork")
        children = context.Process
        queue = context.SimpleQueue()

        def child() -> None:
            for _ in range(250):
                queue.put(work(client))

        processes = [children(target=child) for _ in range(WORKERS)]
        for process in processes:
            process.start()
        for _ in range(250 * WORKERS):
            results.append(queue.get())
        for process in processes:
            process.join()

    fork_and_ask()
    assert len({pid for pid, _ in results}) == WORKERS
    assert all(is_right for _, is_right in results)
    account.made += len(results)
    account.answered += len(results)
    account.extended += len(results)
    assert account.get(lambda: client.get("/servers")).body == EXTENDED


def test_threads_share_one_filter(
    database: Database, account: Account
) -> None:
    client = client_of(database)
    wrong = []

    def ask() -> None:
        for _ in range(200):
            response = account.get(lambda: client.get("/servers"))
            if response.body != EXTENDED:
                wrong.append(response)

    threads = [threading.Thread(target=ask) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert account.extended == 32 * 200


def green_process(url: str) -> tuple[dict[str, int], float]:
    """Return what ``green`` writes."""
    output = subprocess.run(
        [sys.executable, "-m", "tests.faults.green", url],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    ).stdout
    bodies, gap = json.loads(output)
    return bodies, gap


@pytest.mark.parametrize("driver", ["mysql+pymysql"], indirect=True)
def test_green_threads_go_on_while_a_database_is_read(
    server: Server, database: Database
) -> None:
    bodies, gap = green_process(database.url)
    assert bodies == {EXTENDED.decode(): 20}
    assert gap < LATE
    with server.frozen():
        bodies, gap = green_process(database.url)
    assert bodies == {LIST.decode(): 20}
    # And not a second, which the lookups took.
    assert gap < LATE
