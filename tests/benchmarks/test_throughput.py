"""The demo's API with the filter and without: in process, and served."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nova_ext_sts import filter_factory
from nova_ext_sts.demo import api
from tests.benchmarks.rows import Row, noted, ratio
from tests.benchmarks.turns import in_turns
from tests.support.applications import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.conftest import Measure, Note

ROOT = Path(__file__).parents[2]
PATHS = {
    "list of 20": "/v2.1/servers",
    "detail of 20": "/v2.1/servers/detail",
}
SECONDS = 10

ROWS = [
    *(
        Row(
            "the demo's API, in process",
            f"{page}: with the filter, of without",
            "times",
            ratio(page, "extended", "bare"),
        )
        for page in PATHS
    ),
    *(
        Row(
            "gunicorn, 2 workers",
            f"list of 20, {name} the filter",
            "requests/s",
            noted("gunicorn", application),
        )
        for name, application in (("without", "bare"), ("with", "extended"))
    ),
    Row(
        "gunicorn, 2 workers",
        "list of 20: requests/s with the filter, of without",
        "times",
        ratio("gunicorn", "extended", "bare"),
    ),
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "demo.sqlite"


@in_turns("bare", "extended")
@pytest.mark.parametrize("page", PATHS)
@pytest.mark.benchmark(max_time=0.3, min_rounds=10)
def test_in_process(
    measure: Measure, database: Path, page: str, turn: int, contender: str
) -> None:
    connection = f"sqlite:///{database}"
    application: Any = api.app_factory({}, connection=connection)
    if contender == "extended":
        application = filter_factory({}, connection=connection)(application)
    client = Client(application)

    def ask() -> bytes:
        return client.get(PATHS[page], QUERY_STRING="limit=20").body

    assert (b"OS-EXT-STS:vm_state" in ask()) is (contender == "extended")
    measure(page, contender, ask)


@contextlib.contextmanager
def serving(application: str, database: Path) -> Iterator[int]:
    """Run gunicorn, and give its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "--no-control-socket"),
            *("--preload", "--workers", "2", "--log-level", "error"),
            *("--bind", f"127.0.0.1:{port}"),
            f"tests.benchmarks.served:{application}",
        ],
        env={**os.environ, "INSTANCES": f"sqlite:///{database}"},
        cwd=ROOT,
    )
    try:
        until = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@in_turns("bare", "extended", turns=3)
def test_served(note: Note, database: Path, turn: int, contender: str) -> None:
    wrk = shutil.which("wrk")
    assert wrk, "wrk is not installed: see bindep.txt"
    with serving(contender, database) as port:
        url = f"http://127.0.0.1:{port}/v2.1/servers?limit=20"
        output = subprocess.run(
            [wrk, "-t1", "-c4", f"-d{SECONDS}s", url],
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout
    assert "Non-2xx" not in output
    match = re.search(r"Requests/sec: +([\d.]+)", output)
    assert match
    note("gunicorn", contender, float(match[1]))
