"""Back-offs, and the log messages of an outage."""

import time

import pytest

from nova_ext_sts.records.backoff import BackOff, Outage


@pytest.mark.parametrize(
    ("is_slow", "pauses"),
    [
        (False, [0.1, 0.2, 0.4, 0.8, 1, 1, 1]),
        (True, [1, 2, 4, 8, 16, 30, 30]),
    ],
)
def test_suspensions_double_up_to_their_limit(is_slow, pauses, pass_time):
    failing = BackOff()
    for pause in pauses:
        assert failing.failed(failing.attempt(), is_slow=is_slow)
        pass_time(pause - 0.01)
        assert failing.is_suspended
        pass_time(0.02)
        assert not failing.is_suspended


def test_longest_suspension_includes_the_attempt(pass_time):
    failing = BackOff()
    for _ in range(9):
        attempt = failing.attempt()
        pass_time(5)
        failing.failed(attempt, is_slow=True)
    pass_time(24.9)
    assert failing.is_suspended
    pass_time(0.2)
    assert not failing.is_suspended


def test_only_the_first_of_attempts_made_together_counts(pass_time):
    failing = BackOff()
    early, *attempts = [failing.attempt() for _ in range(9)]
    results = [failing.failed(each, is_slow=True) for each in attempts]
    assert results == [True] + 7 * [False]
    # It began before the failure, and proves nothing.
    failing.succeeded(early)
    assert failing.is_suspended
    pass_time(1.1)
    assert not failing.is_suspended


def test_success_ends_the_suspensions(pass_time):
    failing = BackOff()
    for _ in range(5):
        failing.failed(failing.attempt(), is_slow=True)
    failing.succeeded(failing.attempt())
    assert not failing.is_failing
    failing.failed(failing.attempt(), is_slow=True)
    pass_time(1.1)
    assert not failing.is_suspended


def test_attempt_without_a_known_result_is_followed_by_another(pass_time):
    failing = BackOff()
    failing.failed(failing.attempt(), is_slow=True)
    pass_time(1.1)
    attempt = failing.attempt()
    pass_time(29)
    assert failing.is_suspended
    pass_time(2)
    assert not failing.is_suspended
    pass_time(-2)
    failing.retract(attempt)
    assert not failing.is_suspended


def test_outages_in_quick_succession_are_logged_as_one(pass_time, caplog):
    outage = Outage("x\ny")
    outage.succeeded()
    for _ in range(100):
        outage.failed("a\r\nb")
        pass_time(0.01)
        outage.succeeded()
    pass_time(10)
    outage.failed("refused")
    outage.succeeded()
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 4
    assert "x\\ny: a\\r\\nb" in messages[0]
    assert "after 100 failed" in messages[3]


def test_lookup_that_fails_after_the_end_of_its_outage_is_not_logged(
    pass_time, caplog
):
    outage = Outage("x")
    began = time.monotonic()
    outage.failed("refused", began)
    outage.succeeded()
    pass_time(11)
    outage.failed("silent", began)
    assert len(caplog.records) == 2
    outage.failed("silent", time.monotonic())
    assert len(caplog.records) == 3


def test_lookup_that_began_before_an_outage_does_not_end_it(caplog):
    outage = Outage("x")
    began = time.monotonic()
    outage.failed("refused")
    outage.succeeded(began)
    assert len(caplog.records) == 1
    outage.succeeded(time.monotonic())
    assert len(caplog.records) == 2
