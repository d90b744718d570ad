# SPDX-License-Identifier: Apache-2.0
"""Back-offs: when a failing database is tried again; and its log messages."""

from __future__ import annotations

import math
import time

from oslo_log import log as logging

from nova_ext_sts.printable import printable

LOG = logging.getLogger(__name__)

#: First and longest suspension, in seconds, after failures that were fast,
#: and after failures that delayed a response. Each failure doubles it.
FAST = (0.1, 1.0)
SLOW = (1.0, 30.0)

#: Outages that follow each other within so many seconds are logged as one.
QUIET = 10.0

#: Measures all suspensions; tests replace it.
clock = time.monotonic


class BackOff:
    """Suspends attempts at something that fails, longer after each failure.

    The caller's lock guards it. An attempt is known by the number of failures
    before it. Its result is ignored if another attempt has failed since then:
    many that failed together are one failure.
    """

    def __init__(self) -> None:
        self._failures = 0
        #: The last suspension; 0 while nothing fails.
        self._pause = 0.0
        self._until = 0.0
        self._attempted_at = 0.0

    @property
    def is_failing(self) -> bool:
        """Whether the last result was a failure."""
        return self._pause > 0

    @property
    def is_suspended(self) -> bool:
        """Whether no attempt may be made now."""
        return self.is_failing and clock() < self._until

    def attempt(self) -> int:
        """Return a new attempt. While failing, others are suspended."""
        if self.is_failing:
            self._attempted_at = clock()
            # Should the result never be known, another attempt follows.
            self._until = self._attempted_at + SLOW[1]
        return self._failures

    def retract(self, attempt: int) -> None:
        """Note that an attempt had no result: another may be made now."""
        if attempt == self._failures:
            self._until = 0.0

    def failed(self, attempt: int, *, is_slow: bool) -> bool:
        """Note a failure; return False if it is ignored.

        :param is_slow: whether it delayed a response
        """
        if attempt != self._failures:
            return False
        self._failures += 1
        first, longest = SLOW if is_slow else FAST
        now = clock()
        # The longest suspension includes the attempt, so that a recovery is
        # noticed within it.
        took = now - self._attempted_at if self.is_failing else 0.0
        self._pause = min(max(2 * self._pause, first), longest)
        self._until = now + max(first, min(self._pause, longest - took))
        return True

    def succeeded(self, attempt: int) -> None:
        """Note a success: attempts are no longer suspended."""
        if attempt == self._failures:
            self._pause = 0.0


class Outage:
    """Logs once when an outage begins, and once when it ends.

    Threads share it, without a lock, which a fork might copy while it is
    held: a token moves between two lists, and only one thread can pop it.

    :param name: what is read, for the messages
    """

    def __init__(self, name: str) -> None:
        self._name = printable(name)
        #: Failed lookups since the last message that an outage has ended.
        self._failures = 0
        self._quiet_until = 0.0
        self._began_at = self._ended_at = -math.inf
        self._unlogged = [True]
        self._logged: list[bool] = []
        self._parts: dict[object, Outage] = {}

    def of(self, part: object) -> Outage:
        """Return the outage of a part, while the others can be read."""
        return self._parts.setdefault(part, Outage(self._name))

    def failed(self, reason: str, began: float = math.inf) -> None:
        """Note a failed lookup.

        :param reason: one line without secrets
        :param began: when it began, by ``time.monotonic``: one that began
            before the last outage ended is a part of that
        """
        if began < self._ended_at:
            return
        self._failures += 1
        if clock() >= self._quiet_until and _popped(self._unlogged):
            self._quiet_until = clock() + QUIET
            self._began_at = time.monotonic()
            LOG.warning(
                "Cannot read server states from %(name)s: %(reason)s. "
                "Further failures are not logged until it works again.",
                {"name": self._name, "reason": printable(reason)},
            )
            self._logged.append(True)

    def succeeded(self, began: float = math.inf) -> None:
        """Note a successful lookup.

        :param began: when it began; one that began before the outage does not
            end it
        """
        if began > self._began_at and _popped(self._logged):
            failures, self._failures = self._failures, 0
            self._ended_at = time.monotonic()
            LOG.warning(
                "Reading server states from %(name)s works again, after "
                "%(failures)d failed lookups.",
                {"name": self._name, "failures": failures},
            )
            self._unlogged.append(True)


def _popped(tokens: list[bool]) -> bool:
    try:
        return bool(tokens) and tokens.pop()
    except IndexError:
        return False
