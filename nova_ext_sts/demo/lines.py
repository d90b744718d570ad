# SPDX-License-Identifier: Apache-2.0
"""The servers' lives where there is no terminal: a line for each change."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from nova_ext_sts.demo import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nova_ext_sts.demo.walk import Moment


class Lines(contextlib.AbstractContextManager["Lines"]):
    """Lines that can be read, and searched with grep.

    :raises BrokenPipeError: nobody reads them any more
    """

    def show(
        self, servers: Sequence[dict[str, Any]], changes: Mapping[str, Moment]
    ) -> None:
        """Print the servers that have changed; a heading before any have."""
        now = time.strftime("%H:%M:%S")
        rows = [
            [now, *table.row(server), changes[server["id"]].action]
            for server in servers
            if server["id"] in changes
        ] or [["TIME", *table.LIVE_HEADING]]
        widths = [
            len(now),
            *table.widths_for_life([table.row(each) for each in servers]),
            0,
        ]
        if table.columns():
            # On a dumb terminal, rather ragged than in two lines.
            widths = [0] * len(widths)
        _print("  ".join(map(str.ljust, cells, widths)) for cells in rows)

    def __exit__(self, *_: object) -> None:
        """Leave nothing to do: every line stands on its own."""


def _print(lines: Iterable[str]) -> None:
    try:
        # At once, for whoever reads them at the other end of a pipe.
        print(*lines, sep="\n", flush=True)
    except BrokenPipeError:
        # Else Python would try again when it ends, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise
