# SPDX-License-Identifier: Apache-2.0
"""The servers' lives on a terminal: a table that changes in place."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from nova_ext_sts.demo import table
from nova_ext_sts.demo.lives import LIVES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import ConsoleOptions, RenderResult

    from nova_ext_sts.demo.walk import Moment

#: How a status is coloured while no task is pending; any other is plain.
_COLOURS = {"ACTIVE": "green", "DELETED": "bright_black", "ERROR": "red"}
_PENDING = "yellow"

#: The columns that grow first where the terminal is wider than 80.
_GROWING = [
    table.HEADING.index(name)
    for name in ("NAME", "TASK_STATE", "VM_STATE", "STATUS", "POWER")
]

_ACTION_WIDTH = max(
    len(action.name) for life in LIVES.values() for action in life
)

#: Fewer servers than these are worth less than what stands below the table.
_FEW = 8


class Screen(contextlib.AbstractContextManager["Screen"]):
    """The whole terminal, which is left as it was.

    :param head: what stands above the table
    :param foot: the lines below it, where there is room for them
    :param interval: how long a step lasts, in seconds
    """

    def __init__(
        self, head: str, foot: Sequence[str], interval: float
    ) -> None:
        self._head = head
        self._foot = foot
        self._interval = interval
        self._step = 0
        #: The step at which each server last changed.
        self._changed: dict[str, int] = {}
        self._live = Live(
            # Whether this is a terminal is no matter of FORCE_COLOR.
            console=Console(force_terminal=True),
            screen=True,
            # Drawn anew in between, for a terminal that changes its size.
            refresh_per_second=1,
        )

    def show(
        self, servers: Sequence[dict[str, Any]], changes: Mapping[str, Moment]
    ) -> None:
        """Draw the servers, with those that have just changed in bold."""
        self._step += bool(changes)
        self._changed |= dict.fromkeys(changes, self._step)
        rows = []
        for server in servers:
            id = server["id"]
            action = changes[id].action if id in changes else ""
            cells = [*table.row(server), action]
            rows.append(_Row(cells, self._changed.get(id, 0)))
        self._live.update(
            _Picture(self._head, self._foot, self._step, self._interval, rows),
            refresh=True,
        )

    def __enter__(self) -> Screen:
        """Take the terminal."""
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        self._live.stop()


class _Row(NamedTuple):
    """One server: what it is doing is in the last cell.

    :param changed: the step at which it last changed, or 0
    """

    cells: table.Row
    changed: int


class _Picture(NamedTuple):
    """What is on the screen during a step, for a terminal of any size."""

    head: str
    foot: Sequence[str]
    step: int
    interval: float
    rows: Sequence[_Row]

    def __rich_console__(
        self, _: Console, options: ConsoleOptions
    ) -> RenderResult:
        """Yield the lines from top to bottom."""
        # Without the lines above the servers, and those below.
        room = options.size.height - 3
        below = ["", *self.foot]
        if room - len(below) < min(_FEW, len(self.rows)):
            below = []
        room -= len(below)
        # Those that have changed last, in the order of all.
        shown = sorted(
            sorted(
                range(len(self.rows)),
                key=lambda number: -self.rows[number].changed,
            )[: max(room, 0)]
        )
        yield _line(self.head, "bold")
        state = f"Step {self.step}, one every {self.interval:g} s"
        if len(shown) < len(self.rows):
            missing = len(self.rows) - len(shown)
            state += f"; {missing} of {len(self.rows)} servers do not fit"
        yield _line(state)
        yield self._table([self.rows[number] for number in shown], options)
        yield from map(_line, below)

    def _table(self, rows: Sequence[_Row], options: ConsoleOptions) -> Table:
        widths, gap = _widths(
            table.widths_for_life([row.cells[:-1] for row in self.rows]),
            options.size.width,
        )
        columns = Table(
            box=None, padding=(0, gap, 0, 0), pad_edge=False, show_edge=False
        )
        for heading, width in zip(table.LIVE_HEADING, widths, strict=False):
            columns.add_column(
                heading,
                width=width,
                no_wrap=True,
                overflow="crop" if options.ascii_only else "ellipsis",
            )
        for row in rows:
            is_new = row.changed == self.step > 0
            columns.add_row(
                *map(Text, row.cells[: len(widths)], _styles(row.cells)),
                style="bold" if is_new else "",
            )
        return columns


def _widths(widths: list[int], room: int) -> tuple[list[int], int]:
    """Return the widths of the columns that there is room for, and their gap.

    :param widths: those that the columns of the table take at most
    """
    gap = 2
    left = room - sum(widths) - gap * (len(widths) - 1)
    if left >= gap + _ACTION_WIDTH:
        return [*widths, _ACTION_WIDTH], gap
    if left >= 0:
        return widths, gap
    gap = 1
    narrow = list(table.NARROW)
    # Where it is less than none, all columns are narrowed alike.
    left = max(room - sum(narrow) - gap * (len(narrow) - 1), 0)
    for column in _GROWING:
        growth = min(left, widths[column] - narrow[column])
        narrow[column] += growth
        left -= growth
    return narrow, gap


def _styles(cells: table.Row) -> list[str]:
    """Return the style of each cell of a server's row."""
    _, status, _, task_state, *_ = cells
    is_pending = task_state not in (table.NULL, table.MISSING)
    style = _PENDING if is_pending else _COLOURS.get(status, "")
    return ["", style, "", style, "", "dim"]


def _line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="crop")
