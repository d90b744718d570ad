"""A list of 20 servers from gunicorn, with and without the filter."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import bodies
from benchmarks.lookup import filled
from benchmarks.report import Row
from benchmarks.turns import ratios
from nova_ext_sts import filter_factory
from tests.support.applications import answering

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed.wsgi import WSGIApplication

TURNS = 3
SECONDS = 10


def bare() -> WSGIApplication:
    """Return an API that only writes a body."""
    return answering(bodies.plain(20))


def extended(connection: str) -> WSGIApplication:
    return filter_factory({}, connection=connection)(bare())


def rows() -> Iterator[Row]:
    rates: dict[str, list[float]] = {"without": [], "with": []}
    with filled("sqlite", 1000) as database:
        for _ in range(TURNS):
            rates["without"].append(_rate("bare()"))
            rates["with"].append(_rate(f"extended('{database.url}')"))
    for name, values in rates.items():
        yield Row(
            "gunicorn, 2 workers",
            f"list of 20, {name} the filter",
            "requests/s",
            values,
        )
    yield Row(
        "gunicorn, 2 workers",
        "list of 20: requests/s with the filter, of without",
        "times",
        ratios(rates, "with", "without"),
    )


def _rate(factory: str) -> float:
    """Return how many requests gunicorn answers in a second."""
    with _serving(factory) as url:
        output = subprocess.run(
            ["wrk", "-t1", "-c4", f"-d{SECONDS}s", f"{url}/v2.1/servers"],
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout
    assert "Non-2xx" not in output
    match = re.search(r"Requests/sec: +([\d.]+)", output)
    assert match
    return float(match[1])


@contextlib.contextmanager
def _serving(factory: str) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = "{}:{}".format(*free.getsockname())
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "--no-control-socket"),
            *("--preload", "--workers=2", "--log-level=error"),
            *(f"--bind={address}", f"benchmarks.throughput:{factory}"),
        ],
        cwd=Path(__file__).parents[1],
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                host, port = address.split(":")
                socket.create_connection((host, int(port)), 1).close()
                break
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(30)
