"""Install the package beside Nova, as an operator does.

Not collected with the other tests, which need what this one installs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def pip(*arguments: str | Path) -> str:
    return subprocess.run(
        [sys.executable, "-m", "pip", *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def freeze() -> set[str]:
    """Return the installed distributions, as names with versions."""
    listed = pip("list", "--format=freeze", "--exclude=nova-ext-sts")
    return set(listed.splitlines())


def test_installation_adds_msgspec_and_changes_nothing_else(
    tmp_path: Path,
) -> None:
    try:
        # Before anything is taken away.
        pip("download", "--no-deps", "--retries=0", f"--dest={tmp_path}", ROOT)
        pip("download", "--no-deps", f"--dest={tmp_path}", "msgspec")
    except subprocess.CalledProcessError:
        pytest.skip("the package index does not answer")
    pip("uninstall", "--yes", "nova-ext-sts", "msgspec")
    before = freeze()
    # tox sets PIP_CONSTRAINT, which holds for the build's requirements too.
    pip("install", ROOT)
    after = freeze()
    assert before - after == set()
    assert [each.partition("==")[0] for each in after - before] == ["msgspec"]
    # The requirements of what is installed agree.
    pip("check")
