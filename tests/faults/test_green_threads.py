"""Processes with green threads, as nova-api has them until Nova 32."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.lookups import EXTENDED, LATE, LIST

if TYPE_CHECKING:
    from tests.support.databases import Database
    from tests.support.servers import Server

ROOT = Path(__file__).parents[2]


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
