"""Interleaved timing, and the report at its end."""

from __future__ import annotations

import collections
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.benchmarks import report
from tests.benchmarks.rows import Figure

if TYPE_CHECKING:
    from collections.abc import Callable

    Note = Callable[[str, str, float], None]
    Measure = Callable[[str, str, Callable[[], object]], None]

MEASURED = pytest.StashKey[dict[str, dict[str, list[float]]]]()
FIGURES = pytest.StashKey[list[Figure]]()

STATIC = Path(__file__).parents[2] / "doc" / "source" / "_static"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--results",
        type=Path,
        help="the directory to write the results to, as JSON and as a picture",
    )


def pytest_configure(config: pytest.Config) -> None:
    measured: dict[str, dict[str, list[float]]] = collections.defaultdict(
        lambda: collections.defaultdict(list)
    )
    config.stash[MEASURED] = measured


@pytest.fixture
def note(pytestconfig: pytest.Config) -> Note:
    """Takes down one value: of which subject, of which contender."""
    measured = pytestconfig.stash[MEASURED]
    return lambda subject, what, value: measured[subject][what].append(value)


@pytest.fixture
def measure(benchmark: Any, note: Note) -> Measure:
    """Times a contender for one turn, and takes down the median."""

    def measured(
        subject: str, contender: str, work: Callable[[], object]
    ) -> None:
        benchmark(work)
        note(subject, contender, benchmark.stats.stats.median)

    return measured


@pytest.fixture
def measure_once(benchmark: Any, note: Note) -> Measure:
    """Times what takes seconds: once for each turn."""

    def measured(
        subject: str, contender: str, work: Callable[[], object]
    ) -> None:
        benchmark.pedantic(work, rounds=1, iterations=1)
        note(subject, contender, benchmark.stats.stats.median)

    return measured


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run where a budget is missed by more than the noise."""
    modules = dict.fromkeys(
        getattr(item, "module", None) for item in session.items
    )
    measured = session.config.stash[MEASURED]
    figures = []
    for module in modules:
        for row in getattr(module, "ROWS", ()):
            try:
                values = row.values(measured)
            except (KeyError, ValueError):
                continue  # Not measured, or in some turns only.
            if values:
                figures.append(Figure(row, values))
    session.config.stash[FIGURES] = figures
    if any(figure.verdict == "MISSED" for figure in figures):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    figures = config.stash.get(FIGURES, [])
    if not figures:
        return
    terminalreporter.section("what the filter costs")
    for line in report.lines(figures):
        terminalreporter.write_line(line)
    results: Path | None = config.getoption("--results")
    if results is not None:
        report.write(figures, results)
