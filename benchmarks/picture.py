"""How much of its budget each figure uses, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.report import Row

COLORS = {
    "met": "#1b7837",
    "within the noise": "#d08b00",
    "MISSED": "#b2182b",
}


def draw(rows: Sequence[Row], file: Path) -> None:
    """Draw all rows that have a budget."""
    budgeted = [row for row in rows if row.budget is not None]
    axes: pyplot.Axes
    picture, axes = pyplot.subplots(
        figsize=(10, 0.38 * len(budgeted) + 1.2), layout="constrained"
    )
    for place, row in enumerate(budgeted):
        shares = sorted(map(row.share, row.values))
        color = COLORS[row.verdict]
        axes.plot([shares[0], shares[-1]], [place, place], color, linewidth=2)
        axes.plot(row.share(row.median), place, "o", color=color)
        if row.ambition is not None:
            ambition = row.share(row.ambition)
            axes.plot(ambition, place, "|", color="#555555", markersize=12)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks(
        range(len(budgeted)), [f"{row.part}: {row.what}" for row in budgeted]
    )
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel(
        "share of the budget that is used\n"
        "(dot: median; line: lowest to highest; tick: ambition)"
    )
    axes.spines[["top", "right"]].set_visible(False)
    picture.savefig(file, dpi=110)
    pyplot.close(picture)
