"""Install the package beside Nova, as an operator does.

Not collected with the other tests, which need what this one installs.
"""

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def test_packages_outside_novas_constraints_are_msgspec_alone():
    # tox has installed the package: what it brought cannot be told apart.
    requirements = map(Requirement, metadata.requires("nova-ext-sts") or ())
    required = {each.name for each in requirements if not each.marker}
    lines = Path(os.environ["PIP_CONSTRAINT"]).read_text().splitlines()
    pinned = {line.partition("==")[0] for line in lines}
    assert set(map(canonicalize_name, required)) - set(
        map(canonicalize_name, pinned)
    ) == {"msgspec"}


def pip(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "pip", *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def freeze():
    """Return the installed distributions, as names with versions."""
    listed = pip("list", "--format=freeze", "--exclude=nova-ext-sts")
    return set(listed.splitlines())


def test_installation_adds_msgspec_and_changes_nothing_else(tmp_path):
    try:
        # Before anything is taken away.
        pip(
            "download",
            "--no-deps",
            "--no-cache-dir",
            "--retries=0",
            f"--dest={tmp_path}",
            "msgspec",
        )
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
