"""How near each figure is to its budget, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.benchmarks.rows import Figure

#: By the verdict; green where the budget is met.
COLORS = {"MISSED": "#b2182b", "within the noise": "#d08b00"}
MET = "#1b7837"


def draw(figures: Sequence[Figure], file: Path) -> None:
    """Draw all figures with a budget, as a share of it."""
    budgeted = [each for each in figures if each.row.budget is not None]
    axes: pyplot.Axes
    picture, axes = pyplot.subplots(
        figsize=(10, 0.38 * len(budgeted) + 1.2), layout="constrained"
    )
    for place, figure in enumerate(budgeted):
        shares = sorted(_share(figure, value) for value in figure.values)
        middle = _share(figure, figure.median)
        color = COLORS.get(figure.verdict, MET)
        axes.plot([shares[0], shares[-1]], [place, place], color, linewidth=2)
        axes.plot(middle, place, "o", color=color)
        if figure.row.ambition is not None:
            ambition = _share(figure, figure.row.ambition)
            axes.plot(ambition, place, "|", color="#555555", markersize=12)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks(
        range(len(budgeted)),
        [f"{each.row.part}: {each.row.name}" for each in budgeted],
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


def _share(figure: Figure, value: float) -> float:
    """Return how much of the budget a value uses; 1 is all of it."""
    budget = figure.row.budget or 1.0
    return budget / value if figure.row.at_least else value / budget
