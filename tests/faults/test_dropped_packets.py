"""A network that drops all packets, where the system lets a test have one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.dropping import DROP
from tests.support.lookups import LATE

if TYPE_CHECKING:
    from tests.support.account import Account

IN_A_NETWORK = ("unshare", "--net")


def test_dropped_packets_cost_one_timeout_in_all(
    driver: str, account: Account
) -> None:
    trial = subprocess.run(
        [*IN_A_NETWORK, *f"tc qdisc add dev lo root {DROP}".split()],
        capture_output=True,
        check=False,
    )
    if trial.returncode:
        pytest.skip(f"a network of its own: {trial.stderr.decode().strip()}")
    output = subprocess.run(
        [*IN_A_NETWORK, sys.executable, "-m", "tests.faults.dropping", driver],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    ).stdout
    made, answered, extended, slowest = json.loads(output)
    account.made, account.answered, account.extended = made, answered, extended
    account.slowest = slowest
    assert (made, answered, extended) == (102, 102, 2)
    assert slowest < 1 + LATE
