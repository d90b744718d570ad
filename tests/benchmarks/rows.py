"""The rows of the benchmark's table: what is compared, and what it may be."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    #: What was measured of each subject: {contender: [one value a turn]}.
    Measured = Mapping[str, Mapping[str, Sequence[float]]]


class Row(NamedTuple):
    """One figure.

    :param values: computes it for each turn, from what was measured
    :param budget: what it is to be at most, or at least
    :param ambition: what is worth a second and third try
    """

    part: str
    name: str
    unit: str
    values: Callable[[Measured], Sequence[float]]
    budget: float | None = None
    ambition: float | None = None
    at_least: bool = False


class Figure(NamedTuple):
    """A row once it has been measured."""

    row: Row
    values: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        return min(self.values), max(self.values)

    @property
    def verdict(self) -> str:
        """Whether the budget is met, as far as the noise lets one say.

        A single turn says little: what else the machine does may fall on the
        one contender or on the other. A budget is missed where more than
        three quarters of the turns miss it.
        """
        if self.row.budget is None:
            return ""
        if self._keeps(self.median, self.row.budget):
            ambition = self.row.ambition
            if ambition is not None and self._keeps(self.median, ambition):
                return "met, and the ambition"
            return "met"
        kept = [self._keeps(value, self.row.budget) for value in self.values]
        if sum(kept) >= len(kept) / 4:
            return "within the noise"
        return "MISSED"

    def _keeps(self, value: float, limit: float) -> bool:
        return value >= limit if self.row.at_least else value <= limit

    @property
    def cells(self) -> Sequence[str]:
        """What the table shows."""
        low, high = self.spread
        sign = "≥" if self.row.at_least else "≤"
        limits = [
            "" if limit is None else f"{sign} {limit:g}"
            for limit in (self.row.budget, self.row.ambition)
        ]
        return (
            self.row.part,
            self.row.name,
            self.verdict,
            f"{short(self.median)} {self.row.unit}",
            f"{short(low)} to {short(high)}",
            *limits,
        )


TITLES = (
    "part",
    "what",
    "budget is",
    "median",
    "spread",
    "budget",
    "ambition",
)
#: How many of them are text.
WORDS = 3


def short(value: float) -> str:
    """Return a value with the three digits that mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{3 - len(str(int(abs(value))))}f}"


def ratio(
    subject: str, of: str, to: str
) -> Callable[[Measured], Sequence[float]]:
    """Return what computes one contender's time as a multiple of another's."""

    def values(measured: Measured) -> Sequence[float]:
        times = measured[subject]
        return [a / b for a, b in zip(times[of], times[to], strict=True)]

    return values


def added(
    subject: str, by: str, to: str, scale: float
) -> Callable[[Measured], Sequence[float]]:
    """Return what computes by how much one contender takes longer.

    :param scale: how many of the row's units a second has
    """

    def values(measured: Measured) -> Sequence[float]:
        times = measured[subject]
        return [
            (a - b) * scale for a, b in zip(times[by], times[to], strict=True)
        ]

    return values


def noted(subject: str, what: str) -> Callable[[Measured], Sequence[float]]:
    """Return what gives the values that were noted as they are."""
    return lambda measured: measured[subject][what]
