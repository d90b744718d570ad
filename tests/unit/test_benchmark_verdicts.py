"""When the benchmark counts a budget as missed."""

import pytest

from benchmarks.report import Row


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([0.8, 0.9, 1.0, 0.9, 2.0], "met"),
        ([0.9, 1.0, 1.1, 1.2, 1.3], "within the noise"),
        # One lucky turn is not enough.
        ([0.1, 1.1, 1.1, 1.2, 1.3], "MISSED"),
        ([1.1, 1.1, 1.1], "MISSED"),
    ],
)
def test_budget_is_missed_if_three_quarters_of_the_turns_miss_it(
    values, verdict
):
    most = Row("part", "what", "times", values, 1)
    assert most.verdict == verdict
    inverse = [1 / value for value in values]
    least = Row("part", "what", "times", inverse, 1, at_least=True)
    assert least.verdict == verdict


def test_row_without_a_budget_has_no_verdict():
    assert Row("part", "what", "times", [1.0, 2.0]).verdict == ""
