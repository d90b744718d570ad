"""Processes that fork, and processes with green threads."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.lookups import (
    EXTENDED,
    LATE,
    LIST,
    connections_of,
    wait_until,
)
from tests.support.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.databases import Database
    from tests.support.servers import Server

WORKERS = 4
ROOT = Path(__file__).parents[2]

#: How each server loads the application before it forks.
PREFORK = {
    "gunicorn": [
        *("-m", "gunicorn", "--preload", "--no-control-socket"),
        *("--workers", str(WORKERS), "--threads", "4"),
        *("--bind", "127.0.0.1:{port}", "tests.faults.served:application"),
    ],
    "uwsgi": [
        *("-c", "import pyuwsgi; pyuwsgi.run()"),
        *("--master", "--need-app", "--die-on-term", "--disable-logging"),
        *("--processes", str(WORKERS), "--threads", "4"),
        *("--http-socket", "127.0.0.1:{port}"),
        *("--module", "tests.faults.served:application"),
    ],
}


@contextlib.contextmanager
def serving(arguments: Sequence[str], url: str) -> Iterator[int]:
    """Run a server of ``served``, and give its port."""
    port = free_port()
    with subprocess.Popen(
        [sys.executable, *(each.format(port=port) for each in arguments)],
        env={**os.environ, "INSTANCES": url},
        cwd=ROOT,
    ) as process:

        def answers() -> bool:
            assert process.poll() is None
            with contextlib.suppress(OSError):
                connection = http.client.HTTPConnection("127.0.0.1", port)
                connection.connect()
                connection.close()
                return True
            return False

        try:
            wait_until(answers, 30)
            yield port
        finally:
            process.terminate()


def get(port: int) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/servers")
        return connection.getresponse().read()


@pytest.mark.parametrize("name", PREFORK)
@pytest.mark.parametrize(
    "driver", ["mysql+pymysql", "postgresql+psycopg"], indirect=True
)
def test_workers_that_were_forked_have_their_own_connections(
    name: str, active: Database
) -> None:
    with (
        serving(PREFORK[name], active.url) as port,
        ThreadPoolExecutor(8) as threads,
    ):
        # Loaded in the parent, where nothing connects.
        assert connections_of(active) == []
        bodies = threads.map(lambda _: get(port), range(500))
        assert set(bodies) == {EXTENDED}
        assert 2 <= len(connections_of(active)) <= WORKERS * 5


def green_process(url: str) -> tuple[dict[str, int], float]:
    """Return what ``green`` writes."""
    output = subprocess.run(
        [sys.executable, "-m", "tests.faults.green", url],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    ).stdout
    bodies, gap = json.loads(output)
    return bodies, gap


@pytest.mark.parametrize("driver", ["mysql+pymysql"], indirect=True)
def test_green_threads_go_on_while_a_database_is_read(
    server: Server, active: Database
) -> None:
    bodies, gap = green_process(active.url)
    assert bodies == {EXTENDED.decode(): 20}
    assert gap < LATE
    with server.frozen():
        bodies, gap = green_process(active.url)
    assert bodies == {LIST.decode(): 20}
    # And not a second, which the lookups took.
    assert gap < LATE
