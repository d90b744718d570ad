# SPDX-License-Identifier: Apache-2.0
"""What is told of an extended response: a line in the log, and a header."""

from __future__ import annotations

from typing import NamedTuple

from oslo_log import log as logging

from nova_ext_sts.printable import printable

LOG = logging.getLogger(__name__)


class Report(NamedTuple):
    """How one response was extended. Times are in seconds."""

    call: str
    #: As oslo.middleware's request_id, or Nova, has put it into the environ.
    request_id: str
    #: How many servers lacked something, and how many of them got it.
    servers: int
    found: int
    #: How many cells were asked; None where there are none.
    cells: int | None
    lookup: float
    #: Finding the servers in the body, and splicing.
    splice: float

    @property
    def server_timing(self) -> str:
        """The value of a Server-Timing header (W3C)."""
        described = f"{self.servers} servers"
        if self.cells is not None:
            described += f", {self.cells} cells"
        milliseconds = (self.lookup + self.splice) * 1000
        return f'ext-sts;dur={milliseconds:.1f};desc="{described}"'

    def log(self) -> None:
        """Tell those who look closely."""
        if not LOG.isEnabledFor(logging.DEBUG):
            return
        LOG.debug(
            "extended call=%(call)s request=%(request)s servers=%(servers)d "
            "found=%(found)d cells=%(cells)s lookup_ms=%(lookup).1f "
            "splice_ms=%(splice).1f",
            {
                "call": self.call,
                "request": printable(str(self.request_id)),
                "servers": self.servers,
                "found": self.found,
                "cells": "-" if self.cells is None else self.cells,
                "lookup": self.lookup * 1000,
                "splice": self.splice * 1000,
            },
        )
