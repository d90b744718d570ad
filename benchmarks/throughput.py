"""A list of 20 servers from gunicorn, with and without the filter."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import bodies
from benchmarks.lookup import filled
from benchmarks.report import Row
from benchmarks.turns import ratios
from nova_ext_sts import filter_factory
from tests.servers.adapters import WSGIServer
from tests.support.applications import answering

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed.wsgi import WSGIApplication

ROOT = Path(__file__).parents[1]
TURNS = 3
SECONDS = 10


class Gunicorn(WSGIServer):
    command = """
        gunicorn --no-control-socket --preload --workers=2 --log-level=error
        --bind=127.0.0.1:{self.port}
    """


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
    application = f"benchmarks.throughput:{factory}"
    with Gunicorn(f"--chdir={ROOT}", application) as server:
        url = f"http://127.0.0.1:{server.port}/v2.1/servers"
        output = subprocess.run(
            ["wrk", "-t1", "-c4", f"-d{SECONDS}s", url],
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout
    assert "Non-2xx" not in output
    match = re.search(r"Requests/sec: +([\d.]+)", output)
    assert match
    return float(match[1])
