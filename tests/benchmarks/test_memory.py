"""The peak of memory for one response, above the body that came in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.bodies import ACTIVE, server_id
from tests.benchmarks.rows import Row, noted
from tests.support.databases import Database, made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.conftest import Note

#: What the body is, and in how many bytes the application gives it at a time.
BODIES = {
    "JSON": ("application/json", 0),
    "JSON in chunks": ("application/json", 65536),
    "XML": ("application/xml", 0),
}

ROWS = [
    row
    for body in BODIES
    for row in (
        Row(
            "memory",
            f"detail of 1,000, {body}: allocated above the body",
            "bodies",
            noted(body, "allocated"),
            1.5,
            1.2,
        ),
        Row(
            "memory",
            f"detail of 1,000, {body}: the process's high-water mark",
            "bodies",
            noted(body, "resident"),
        ),
    )
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with made("sqlite", tmp_path_factory.mktemp("memory")) as database:
        database.insert_instances(
            (server_id(number), *ACTIVE) for number in range(1000)
        )
        yield database


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("turn", range(3))
def test_memory(note: Note, database: Database, body: str, turn: int) -> None:
    media, chunk = BODIES[body]
    output = subprocess.run(
        [
            *(sys.executable, "-m", "tests.benchmarks.peak"),
            *(database.url, media, str(chunk)),
        ],
        cwd=Path(__file__).parents[2],
        # What is freed goes back to the system at once, and counts once.
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    allocated, resident = json.loads(output)
    note(body, "allocated", allocated)
    note(body, "resident", resident)
