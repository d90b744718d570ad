# SPDX-License-Identifier: Apache-2.0
"""One line in the log when an outage begins, and one when it ends."""

from __future__ import annotations

import threading

from oslo_log import log as logging

LOG = logging.getLogger(__name__)


class Outage:
    """Keeps account of whether something that is asked often answers.

    :param name: what is asked, as the log is to call it
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._failures = 0
        self._lock = threading.Lock()

    def failed(self, reason: str) -> None:
        """Note a failure; the first one of an outage is logged.

        :param reason: why, in one line and without secrets
        """
        with self._lock:
            self._failures += 1
            begins = self._failures == 1
        if begins:
            LOG.warning(
                "States cannot be read from %(name)s: %(reason)s. Nothing "
                "more is logged until they can.",
                {"name": self._name, "reason": reason},
            )

    def succeeded(self) -> None:
        """Note an answer; the first one after an outage is logged."""
        with self._lock:
            failures, self._failures = self._failures, 0
        if failures:
            LOG.warning(
                "States can be read from %(name)s again, after %(failures)d "
                "failed lookups.",
                {"name": self._name, "failures": failures},
            )
