# SPDX-License-Identifier: Apache-2.0
"""lowest-constraints.txt, against the bounds in setup.cfg."""

import configparser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def requirements(text):
    return [
        Requirement(line)
        for line in text.splitlines()
        if line and not line.startswith("#")
    ]


def versions(text, operator):
    """Return names with their versions, each with the same operator."""
    found = []
    for requirement in requirements(text):
        (specifier,) = requirement.specifier
        assert specifier.operator == operator, str(requirement)
        found.append((canonicalize_name(requirement.name), specifier.version))
    return found


@pytest.fixture
def setup_cfg():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return setup


def test_constraints_are_the_lowest_that_are_allowed(setup_cfg):
    extras = setup_cfg["options.extras_require"].values()
    allowed = [setup_cfg["options"]["install_requires"], *extras]
    pinned = versions((ROOT / "lowest-constraints.txt").read_text(), "==")
    assert sorted(pinned) == sorted(set(versions("\n".join(allowed), ">=")))


@pytest.mark.parametrize("release", range(29, 35))
def test_every_nova_keeps_its_libraries(setup_cfg, release):
    constraints = ROOT / f"tests/nova/constraints/nova{release}.txt"
    pins = dict(versions(constraints.read_text(), "=="))
    added = [
        requirement.name
        for requirement in requirements(
            setup_cfg["options"]["install_requires"]
        )
        if not requirement.specifier.contains(
            pins.get(canonicalize_name(requirement.name), "0")
        )
    ]
    assert added == ["msgspec"]
