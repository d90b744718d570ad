# SPDX-License-Identifier: Apache-2.0
"""The demo's servers in columns, as a client sees them."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

from nova_ext_sts import extension
from nova_ext_sts.demo.lives import LIVES
from nova_ext_sts.states import POWER_STATES, server_status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Row = Sequence[str]

HEADING = ("NAME", "STATUS", "VM_STATE", "TASK_STATE", "POWER")

#: … and of servers that live.
LIVE_HEADING = (*HEADING, "ACTION")

#: What stands for a field that a server does not have …
MISSING = "(missing)"
#: … and for a null.
NULL = "-"

#: The widths of the columns in a terminal of 80, one space apart. No five
#: columns that hold the longest of the states would fit.
NARROW = (24, 13, 12, 17, 9)


def row(server: dict[str, Any]) -> Row:
    """Return a server's line of the table, as a client sees the server."""
    vm_state, task_state, power_state = (
        server.get(name, MISSING) for name in extension.ATTRIBUTES
    )
    return [
        NULL if value is None else str(value)
        for value in (
            server["name"],
            server["status"],
            vm_state,
            task_state,
            POWER_STATES.get(power_state, power_state),
        )
    ]


def widths_of(rows: Sequence[Row]) -> list[int]:
    """Return the width of each column."""
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def widths_for_life(rows: Sequence[Row]) -> list[int]:
    """Return widths that stay, whatever becomes of the servers."""
    to_come = [
        row(
            {
                "name": "",
                "status": server_status(states.vm_state, states.task_state),
                **dict(zip(extension.ATTRIBUTES, states, strict=True)),
            }
        )
        for life in LIVES.values()
        for action in life
        for states in action.moments
    ]
    return widths_of([HEADING, *rows, *to_come])


def columns() -> int:
    """Return how wide the terminal is, or 0 where there is none.

    There, every server has a line of its own, for grep and the like.
    """
    return shutil.get_terminal_size((0, 0)).columns


def lines(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of a table that fits the terminal."""
    widths = widths_of(rows)
    gap = "  "
    if 0 < columns() < sum(widths) + len(gap) * (len(widths) - 1):
        # What is wider goes on in the next line.
        widths, gap = list(NARROW), " "
    for row in rows:
        cells = [
            _folded(cell, width)
            for cell, width in zip(row, widths, strict=True)
        ]
        for number in range(max(map(len, cells))):
            line = gap.join(
                (cell[number] if number < len(cell) else "").ljust(width)
                for cell, width in zip(cells, widths, strict=True)
            )
            yield line.rstrip()


def _folded(cell: str, width: int) -> Row:
    """Return a cell's lines, broken behind hyphens and underscores."""
    lines = [""]
    for piece in re.findall(r"[^-_]*[-_]|[^-_]+", cell):
        if lines[-1] and len(lines[-1]) + len(piece) > width:
            lines.append("")
        lines[-1] += piece
    return lines
