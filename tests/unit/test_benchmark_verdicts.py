"""When the benchmark takes a budget for missed."""

from __future__ import annotations

import pytest

from tests.benchmarks.rows import Figure, Row


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([0.8, 0.9, 1.0, 0.9, 2.0], "met"),
        ([0.4, 0.5, 0.5, 0.4, 2.0], "met, and the ambition"),
        ([0.9, 1.0, 1.1, 1.2, 1.3], "within the noise"),
        # One lucky turn is none.
        ([0.1, 1.1, 1.1, 1.2, 1.3], "MISSED"),
        ([1.1, 1.1, 1.1], "MISSED"),
    ],
)
def test_budget_is_missed_where_three_quarters_of_the_turns_miss_it(
    values: list[float], verdict: str
) -> None:
    most = Row("part", "name", "times", lambda _: [], 1.0, 0.5)
    assert Figure(most, values).verdict == verdict
    least = Row("part", "name", "times", lambda _: [], 1.0, 2.0, at_least=True)
    assert Figure(least, [1 / value for value in values]).verdict == verdict


def test_row_without_a_budget_has_no_verdict() -> None:
    row = Row("part", "name", "times", lambda _: [])
    assert Figure(row, [1.0, 2.0]).verdict == ""
