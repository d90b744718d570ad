# SPDX-License-Identifier: Apache-2.0
"""What a check finds, and what that makes of the check."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from oslo_upgradecheck.upgradecheck import Code, Result

from nova_ext_sts.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable


class Finding(NamedTuple):
    """One thing that a check has found."""

    code: Code
    #: One sentence, with what to do where something is to be done.
    text: str


def fine(text: str) -> Finding:
    """Return what is as it should be."""
    return Finding(Code.SUCCESS, text)


def warning(text: str) -> Finding:
    """Return what works, and could be better."""
    return Finding(Code.WARNING, text)


def failure(text: str) -> Finding:
    """Return what does not work."""
    return Finding(Code.FAILURE, text)


def unchecked(why: str) -> Finding:
    """Return what could not be found out, which is not to pass for fine."""
    return Finding(Code.WARNING, f"Not checked: {why}")


def result(findings: Iterable[Finding]) -> Result:
    """Return all findings as one result, the worst first."""
    worst_first = sorted(dict.fromkeys(findings), key=lambda each: -each.code)
    return Result(
        max((each.code for each in worst_first), default=Code.SUCCESS),
        " ".join(printable(each.text) for each in worst_first),
    )
