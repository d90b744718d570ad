"""Contenders that take turns, so that what else a machine does hits all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

TURNS = 9


def in_turns(
    *contenders: str, turns: int = TURNS
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test once for each contender and turn, turn by turn.

    It stands on top of all other parameters, which vary more slowly.
    """

    def parametrized(test: Callable[..., None]) -> Callable[..., None]:
        # Whatever is applied last varies fastest.
        for name, values in (
            ("turn", range(turns)),
            ("contender", contenders),
        ):
            test = pytest.mark.parametrize(name, values)(test)
        return test

    return parametrized
