# SPDX-License-Identifier: Apache-2.0
"""What is known of something that is asked often and may not answer."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from oslo_log import log as logging

from nova_ext_sts.printable import printable

LOG = logging.getLogger(__name__)

#: Who has kept a response waiting is left alone for a while, in seconds, which
#: doubles with each trial that keeps one waiting again.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0

#: Outages that follow each other faster, in seconds, are logged as one: who
#: fails every other time is not to fill the log.
QUIET = 10.0


class Account(Protocol):
    """Keeps account of whether somebody who is asked answers."""

    def is_left_alone(self) -> bool:
        """Say whether not to ask now, which counts as a failure."""

    def failed(self, reason: str, *, slow: bool | None = False) -> None:
        """Note a failure."""

    def succeeded(self) -> None:
        """Note an answer."""


class NoAccount:
    """Is for those who ask to find out, and tell it themselves."""

    def is_left_alone(self) -> bool:
        """Say that it is asked."""
        return False

    def failed(self, reason: str, *, slow: bool | None = False) -> None:
        """Leave it to the asker."""

    def succeeded(self) -> None:
        """Leave it to the asker."""


class Outage:
    """Keeps account of whether a source answers; threads share it.

    One line in the log tells when an outage begins, and one when it ends, with
    the number of responses concerned.

    :param name: what is asked, as the log is to call it
    """

    def __init__(self, name: str) -> None:
        self._name = printable(name)
        self._lock = threading.Lock()
        #: Since the last answer that was logged.
        self._failures = 0
        self._is_out = False
        self._is_logged = False
        #: When to log the next outage, at the earliest.
        self._quiet_until = 0.0
        self._pause = 0.0
        #: While it is left alone: when to try again.
        self._until = 0.0
        self._is_trying = False

    def is_left_alone(self) -> bool:
        """Say whether not to ask now, which counts as a failure.

        After a pause one caller is told to try; the others go on without,
        until that trial has failed or succeeded.
        """
        with self._lock:
            if not self._until:
                return False
            now = time.monotonic()
            if now < self._until:
                self._failures += 1
                return True
            # Should the trial never be heard of, there is another one later.
            self._until = now + LONGEST_PAUSE
            self._is_trying = True
            return False

    def failed(self, reason: str, *, slow: bool | None = False) -> None:
        """Note a failure; the first one of an outage is logged.

        :param reason: why, in one line and without secrets
        :param slow: whether it has kept a response waiting; a failure that
            has not costs nothing, and the next request may try again. None
            where nobody can say, since it was hardly asked: that neither
            begins nor ends a pause, but a trial has failed
        """
        with self._lock:
            self._failures += 1
            self._is_out = True
            now = time.monotonic()
            begins = not self._is_logged and now >= self._quiet_until
            if begins:
                self._is_logged = True
                self._quiet_until = now + QUIET
            if slow is False:
                self._pause = self._until = 0.0
                self._is_trying = False
            elif self._is_trying or (slow and not self._until):
                # Not one of many that had waited together.
                self._is_trying = False
                self._pause = min(
                    max(2 * self._pause, FIRST_PAUSE), LONGEST_PAUSE
                )
                self._until = now + self._pause
        if begins:
            LOG.warning(
                "States cannot be read from %(name)s: %(reason)s. Nothing "
                "more is logged until they can.",
                {"name": self._name, "reason": printable(reason)},
            )

    def succeeded(self) -> None:
        """Note an answer; the first one after an outage is logged."""
        # Without the lock: this is the way of every request.
        if not self._is_out:
            return
        with self._lock:
            self._is_out = False
            self._pause = self._until = 0.0
            self._is_trying = False
            ends, self._is_logged = self._is_logged, False
            failures = self._failures
            if ends:
                self._failures = 0
        if ends:
            LOG.warning(
                "States can be read from %(name)s again, after %(failures)d "
                "failed lookups.",
                {"name": self._name, "failures": failures},
            )
