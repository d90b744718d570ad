# SPDX-License-Identifier: Apache-2.0
"""Back-offs: when a failing database is tried again; and its log messages."""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Any

from oslo_log import log as logging

from nova_ext_sts.printable import printable

LOG = logging.getLogger(__name__)

#: First and longest suspension, in seconds, after failures that were fast,
#: and after failures that delayed a response. Each failure doubles it.
FAST = (0.1, 1.0)
SLOW = (1.0, 30.0)

#: Outages that follow each other within so many seconds are logged as one.
QUIET = 10.0

#: What all suspensions are measured with; tests replace it.
clock = time.monotonic


class BackOff:
    """Suspends attempts at something that fails, longer after each failure.

    The caller's lock guards it. The result of an attempt that began before
    the last failure is ignored: many that failed together are one failure.
    """

    def __init__(self) -> None:
        self.is_failing = False
        self._pause = 0.0
        self._until = 0.0
        self._failed_at = 0.0

    def admits(self) -> bool:
        """Return True if an attempt may be made now.

        While failing, one attempt is admitted after each suspension.
        """
        if not self.is_failing:
            return True
        now = clock()
        if now < self._until:
            return False
        # Should the result never be known, another attempt follows.
        self._until = now + SLOW[1]
        return True

    def retract(self) -> None:
        """Note that an attempt was not made: another may be made now."""
        self._until = 0.0

    def failed(self, began: float, *, is_slow: bool) -> bool:
        """Note a failure; return False if it is ignored.

        :param began: when the attempt began, by ``clock``
        :param is_slow: whether it delayed a response
        """
        if self.is_failing and began < self._failed_at:
            return False
        first, longest = SLOW if is_slow else FAST
        now = clock()
        self._pause = min(max(2 * self._pause, first), longest)
        # The longest suspension includes the attempt, so that a recovery is
        # noticed within it.
        wait = max(first, min(self._pause, longest - (now - began)))
        self._until = now + wait
        self._failed_at = now
        self.is_failing = True
        return True

    def succeeded(self, began: float) -> None:
        """Note a success: attempts are no longer suspended.

        :param began: when the attempt began, by ``clock``
        """
        if self.is_failing and began >= self._failed_at:
            self.is_failing = False
            self._pause = 0.0


def renew_lock_after_fork(owner: Any) -> None:
    """Have a child process not inherit a lock while it is held.

    :param owner: its attribute ``_lock`` is replaced
    """
    reference = weakref.ref(owner)

    def renew() -> None:
        if (owner := reference()) is not None:
            owner._lock = threading.Lock()

    os.register_at_fork(after_in_child=renew)


class Outage:
    """Logs once when an outage begins, and once when it ends.

    Threads share it.

    :param name: what is read, for the messages
    """

    def __init__(self, name: str) -> None:
        self._name = printable(name)
        self._lock = threading.Lock()
        renew_lock_after_fork(self)
        #: Failed lookups since the last message that an outage has ended.
        self._failures = 0
        self._is_out = False
        self._is_logged = False
        self._quiet_until = 0.0

    def failed(self, reason: str) -> None:
        """Note a failed lookup.

        :param reason: one line without secrets
        """
        with self._lock:
            self._failures += 1
            self._is_out = True
            now = clock()
            begins = not self._is_logged and now >= self._quiet_until
            if begins:
                self._is_logged = True
                self._quiet_until = now + QUIET
        if begins:
            LOG.warning(
                "Cannot read server states from %(name)s: %(reason)s. "
                "Further failures are not logged until it works again.",
                {"name": self._name, "reason": printable(reason)},
            )

    def succeeded(self) -> None:
        """Note a successful lookup."""
        # Without the lock: this is the path of every request.
        if not self._is_out:
            return
        with self._lock:
            self._is_out = False
            ends, self._is_logged = self._is_logged, False
            failures = self._failures
            if ends:
                self._failures = 0
        if ends:
            LOG.warning(
                "Reading server states from %(name)s works again, after "
                "%(failures)d failed lookups.",
                {"name": self._name, "failures": failures},
            )
