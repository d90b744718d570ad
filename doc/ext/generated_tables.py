# SPDX-License-Identifier: Apache-2.0
"""Tables that are made from the code and the benchmark's report."""

from __future__ import annotations

import abc
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective
from sphinx.util.rst import escape

from nova_ext_sts import states

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from docutils.nodes import Node
    from sphinx.application import Sphinx

#: {argument of ``server-statuses``: its rows}.
STATUSES = {
    "specified": states.SPECIFIED_STATUSES,
    "later": states.LATER_STATUSES,
}


def list_table(
    rows: Iterable[Sequence[str]], widths: str = "auto"
) -> Iterator[str]:
    """Yield the lines of a table.

    :param rows: cells in reStructuredText, of one line each, the titles first
    :param widths: the option ``:widths:``
    """
    yield ".. list-table::"
    yield "   :header-rows: 1"
    yield f"   :widths: {widths}"
    yield ""
    for row in rows:
        for number, cell in enumerate(row):
            yield f"   {' ' if number else '*'} - {cell}".rstrip()
    yield ""


def literal(value: object) -> str:
    """Return a value as a literal; None is an empty cell."""
    return "" if value is None else f"``{value}``"


class Generated(SphinxDirective, abc.ABC):
    """Text that is made again when its source changes."""

    def run(self) -> list[Node]:
        self.env.note_dependency(str(self.source()))
        return self.parse_text_to_nodes("\n".join(self.lines()))

    def source(self) -> Path:
        """Return the file that the text is made from."""
        return Path(states.__file__)

    @abc.abstractmethod
    def lines(self) -> Iterator[str]:
        """Yield the text, in reStructuredText."""


class ServerStatuses(Generated):
    """A table of server statuses: ``specified``, or ``later``."""

    required_arguments = 1

    def lines(self) -> Iterator[str]:
        (which,) = self.arguments
        yield from list_table(
            [
                ("Server status", "vm_state", "task_state"),
                *(
                    (
                        row.status,
                        literal(row.vm_state),
                        literal(row.task_state),
                    )
                    for row in STATUSES[which]
                ),
            ]
        )


class PowerStates(Generated):
    """The table of power states."""

    def lines(self) -> Iterator[str]:
        yield from list_table(
            [
                ("power_state", "In words"),
                *(
                    (literal(number), word)
                    for number, word in states.POWER_STATES.items()
                ),
            ]
        )


class Measured(Generated):
    """Text from ``_static/benchmark.json``, which ``tox -e bench`` writes."""

    def source(self) -> Path:
        return Path(self.env.srcdir, "_static", "benchmark.json")

    def report(self) -> Mapping[str, Any]:
        report: Mapping[str, Any] = json.loads(self.source().read_text())
        return report


class Machine(Measured):
    """The machine and the libraries of the benchmark."""

    def lines(self) -> Iterator[str]:
        yield f"{self.report()['measured on']}."


class Figures(Measured):
    """The benchmark's table.

    :part: only this part of it, without budgets
    """

    option_spec = {"part": directives.unchanged_required}  # noqa: RUF012

    def lines(self) -> Iterator[str]:
        part = self.options.get("part")
        rows = [
            row for row in self.report()["rows"] if part in (None, row["part"])
        ]
        if not rows:
            raise self.error(f"The benchmark has no part {part}.")
        titles = ["what", "median", "spread"]
        if part is None:
            titles = ["part", *titles, "budget", "ambition", "budget is"]
        yield from list_table(
            [
                titles,
                *([escape(row[title]) for title in titles] for row in rows),
            ],
            "52 22 26" if part else "13 31 13 13 8 9 13",
        )


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("server-statuses", ServerStatuses)
    app.add_directive("power-states", PowerStates)
    app.add_directive("benchmark-machine", Machine)
    app.add_directive("benchmark-figures", Figures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
