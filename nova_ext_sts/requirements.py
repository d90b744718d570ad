# SPDX-License-Identifier: Apache-2.0
"""Compares the installed libraries with the versions that are required."""

from __future__ import annotations

import contextlib
from importlib import metadata
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

DISTRIBUTION = "nova-ext-sts"


def unsuitable() -> Iterator[str]:
    """Yield each library that is too old, and what is needed."""
    try:
        requirements = metadata.requires(DISTRIBUTION) or ()
    except metadata.PackageNotFoundError:
        return  # The package is on the path without being installed.
    for requirement in map(Requirement, requirements):
        if requirement.marker:
            continue  # An extra's.
        # What is missing cannot be imported, and needs no sentence.
        with contextlib.suppress(metadata.PackageNotFoundError):
            version = metadata.version(requirement.name)
            if not requirement.specifier.contains(version, prereleases=True):
                yield (
                    f"{requirement.name} {version} "
                    f"(needed: {requirement.specifier})"
                )
