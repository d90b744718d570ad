"""Processes with green threads, as nova-api has them until Nova 32."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.lookups import EXTENDED, LATE, LIST


@pytest.mark.parametrize("driver", ["mysql+pymysql"], indirect=True)
@pytest.mark.parametrize("is_frozen", [False, True])
def test_green_threads_go_on_while_a_database_is_read(
    is_frozen, server, active
):
    with server.frozen() if is_frozen else contextlib.nullcontext():
        output = subprocess.check_output(
            [sys.executable, "-m", "tests.faults.green", active.url],
            cwd=Path(__file__).parents[2],
            timeout=60,
        )
    bodies, gap = json.loads(output)
    assert bodies == [(LIST if is_frozen else EXTENDED).decode()] * 20
    # The lookups of a frozen server took a second.
    assert gap < LATE
