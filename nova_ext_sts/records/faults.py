# SPDX-License-Identifier: Apache-2.0
"""What is wrong with single servers and cells, told once."""

from __future__ import annotations

from oslo_log import log as logging

from nova_ext_sts.printable import printable

LOG = logging.getLogger(__name__)

#: As many faults are remembered, so that each is logged once.
MAX_FAULTS = 1000


class Faults:
    """Logs, once, why something goes without states."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def tell(self, what: str, why: str) -> None:
        """Log a fault, unless the same thing had one before.

        :param what: what goes without states, "Servers in cell one go"
        :param why: one sentence, without secrets
        """
        if what not in self._told:
            if len(self._told) >= MAX_FAULTS:
                self._told.clear()
            self._told.add(what)
            LOG.warning(
                "%s without states: %s", printable(what), printable(why)
            )
