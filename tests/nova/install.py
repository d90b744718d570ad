"""Install the package beside Nova, as an operator does.

Not collected with the other tests, which need what this one installs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


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


def test_installation_adds_msgspec_and_changes_nothing_else() -> None:
    pip("uninstall", "--yes", "nova-ext-sts", "msgspec")
    before = freeze()
    # tox sets PIP_CONSTRAINT, which holds for the build's requirements too.
    pip("install", Path(__file__).parents[2])
    after = freeze()
    assert before - after == set()
    assert [each.partition("==")[0] for each in after - before] == ["msgspec"]
    # The requirements of what is installed agree.
    pip("check")
