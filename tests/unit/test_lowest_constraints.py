# SPDX-License-Identifier: Apache-2.0
"""lowest-constraints.txt, against the bounds in setup.cfg."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def requirements(text: str) -> list[Requirement]:
    return [
        Requirement(line)
        for line in text.splitlines()
        if line and not line.startswith("#")
    ]


def versions(text: str, operator: str) -> set[tuple[str, str]]:
    """Return what is required, as names with their versions.

    Each has to have one version, and that with the operator.
    """
    found: set[tuple[str, str]] = set()
    for requirement in requirements(text):
        (specifier,) = requirement.specifier
        assert specifier.operator == operator, str(requirement)
        found.add((canonicalize_name(requirement.name), specifier.version))
    return found


def test_constraints_are_the_lowest_that_are_allowed() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = setup["options.extras_require"].values()
    allowed = [setup["options"]["install_requires"], *extras]
    pinned = (ROOT / "lowest-constraints.txt").read_text()
    assert versions(pinned, "==") == versions("\n".join(allowed), ">=")


@pytest.mark.parametrize("release", range(29, 35))
def test_every_nova_keeps_its_libraries(release: int) -> None:
    pins = dict(
        versions(
            (ROOT / f"tests/nova/constraints/nova{release}.txt").read_text(),
            "==",
        )
    )
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    added = [
        requirement.name
        for requirement in requirements(setup["options"]["install_requires"])
        if not requirement.specifier.contains(
            pins.get(canonicalize_name(requirement.name), "0")
        )
    ]
    assert added == ["msgspec"]


def test_constraints_are_in_order() -> None:
    names = [
        requirement.name
        for requirement in requirements(
            (ROOT / "lowest-constraints.txt").read_text()
        )
    ]
    assert names == sorted(names)
