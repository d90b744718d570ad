"""The rows of the report: a table, a JSON file and a picture."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.support.tables import aligned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: The report names the versions of these.
DISTRIBUTIONS = (
    "SQLAlchemy",
    "PyMySQL",
    "mysqlclient",
    "psycopg",
    "msgspec",
    "orjson",
    "WebOb",
    "oslo.middleware",
    "nova",
    "gunicorn",
)


class Row(NamedTuple):
    """One figure.

    :param values: one for each turn
    :param budget: the highest median allowed, or the lowest
    :param ambition: the median worth working for
    :param at_least: whether these two are lower limits
    """

    part: str
    what: str
    unit: str
    values: Sequence[float]
    budget: float | None = None
    ambition: float | None = None
    at_least: bool = False

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def verdict(self) -> str:
        """Say whether the budget is met.

        Other load on the machine may hit one contender of a turn alone, so a
        budget is missed only if more than three quarters of the turns miss it.
        """
        if self.budget is None:
            return ""
        if self.share(self.median) <= 1:
            return "met"
        met = [self.share(value) <= 1 for value in self.values]
        return "within the noise" if sum(met) >= len(met) / 4 else "MISSED"

    def share(self, value: float) -> float:
        """Return how much of the budget a value uses; 1 is all of it."""
        budget = self.budget or 1.0
        return budget / value if self.at_least else value / budget

    @property
    def cells(self) -> dict[str, str]:
        """What the table shows, by title."""
        sign = "≥" if self.at_least else "≤"
        budget, ambition = (
            "" if limit is None else f"{sign} {limit:g}"
            for limit in (self.budget, self.ambition)
        )
        low, high = min(self.values), max(self.values)
        return {
            "part": self.part,
            "what": self.what,
            "budget is": self.verdict,
            "median": f"{short(self.median)} {self.unit}",
            "spread": f"{short(low)} to {short(high)}",
            "budget": budget,
            "ambition": ambition,
        }


def short(value: float) -> str:
    """Return a value with three significant digits."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{3 - len(str(int(abs(value))))}f}"


def lines(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of the table, missed budgets first."""
    missed_first = sorted(rows, key=lambda row: row.verdict != "MISSED")
    cells = [tuple(row.cells.values()) for row in missed_first]
    return aligned([tuple(rows[0].cells), *cells], words=3)


def write(rows: Sequence[Row], directory: Path) -> None:
    """Write ``benchmark.json``, which has the table, and the picture."""
    # Tests of the verdicts run without matplotlib.
    from benchmarks import picture

    report = {
        "measured on": machine(),
        "rows": [{**row.cells, "values": list(row.values)} for row in rows],
    }
    text = json.dumps(report, indent=1, ensure_ascii=False)
    (directory / "benchmark.json").write_text(f"{text}\n")
    picture.draw(rows, directory / "benchmark.png")


def machine() -> str:
    """Describe the machine and the libraries."""
    model = re.search(
        r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return ", ".join(
        [
            model[1] if model else platform.machine(),
            f"{os.cpu_count()} cores",
            f"{memory:.0f} GiB of memory",
            f"Python {platform.python_version()}",
            *(
                f"{name} {importlib.metadata.version(name)}"
                for name in DISTRIBUTIONS
            ),
        ]
    )
