"""The method: contenders take turns in one process."""

from __future__ import annotations

import statistics
import timeit
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    #: One value a turn for each contender.
    Times = Mapping[str, Sequence[float]]

TURNS = 9
ROUNDS = 5


def in_turns(
    contenders: Mapping[str, Callable[[], object]], seconds: float = 0.2
) -> Times:
    """Return the seconds that a call takes, for each contender and turn.

    Other load on the machine hits all contenders of a turn alike, so figures
    are computed turn by turn.

    :param seconds: how long each contender runs in each turn
    """
    timers = {
        # timeit would switch the garbage collector off.
        name: timeit.Timer(work, "import gc; gc.enable()")
        for name, work in contenders.items()
    }
    numbers = {}
    for name, timer in timers.items():
        number, took = timer.autorange()
        numbers[name] = max(1, round(number / took * seconds / ROUNDS))
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(TURNS):
        for name, timer in timers.items():
            rounds = timer.repeat(ROUNDS, numbers[name])
            times[name].append(statistics.median(rounds) / numbers[name])
    return times


def ratios(times: Times, of: str, to: str) -> list[float]:
    """Return one contender's times as multiples of another's."""
    return [a / b for a, b in zip(times[of], times[to], strict=True)]


def added(times: Times, by: str, to: str, scale: float) -> list[float]:
    """Return how much longer than another one a contender takes.

    :param scale: how many of the row's units make a second
    """
    pairs = zip(times[by], times[to], strict=True)
    return [(a - b) * scale for a, b in pairs]
