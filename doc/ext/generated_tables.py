# SPDX-License-Identifier: Apache-2.0
"""Tables that are made when the documentation is built.

They are made from the code that they are about, and from what the benchmark
has written, so that neither can differ from its page.
"""

from __future__ import annotations

import abc
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective
from sphinx.util.rst import escape

from nova_ext_sts import states
from tests.benchmarks.rows import TITLES, Figure, Row

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
    :param widths: of the columns, as the directive ``list-table`` has them
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
    """Return what shows a value as it is; None is an empty cell."""
    return "" if value is None else f"``{value}``"


class Generated(SphinxDirective, abc.ABC):
    """Stands for text that is made anew when its source changes."""

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
    """What is made from ``_static/benchmark.json``."""

    def source(self) -> Path:
        return Path(self.env.srcdir, "_static", "benchmark.json")

    def results(self) -> Mapping[str, Any]:
        """Return what ``tests.benchmarks.report.write`` has written."""
        results: Mapping[str, Any] = json.loads(self.source().read_text())
        return results


class Machine(Measured):
    """What the figures were measured on."""

    def lines(self) -> Iterator[str]:
        machine = self.results()["machine"]
        versions = ", ".join(
            f"{name} {version}"
            for name, version in machine["versions"].items()
        )
        yield (
            f"{machine['processor']}, {machine['cores']} cores, "
            f"{machine['memory in GiB']} GiB of memory, {machine['system']}, "
            f"Python {machine['python']}; {versions}."
        )


class Figures(Measured):
    """The benchmark's table, as the benchmark itself prints it.

    :part: only this part of it, without what a budget needs
    """

    option_spec = {"part": directives.unchanged_required}  # noqa: RUF012

    def lines(self) -> Iterator[str]:
        part = self.options.get("part")
        figures = [
            figure(row)
            for row in self.results()["rows"]
            if part in (None, row["part"])
        ]
        if not figures:
            raise self.error(f"The benchmark has no part {part}.")
        rows = [TITLES, *(each.cells for each in figures)]
        # In the order of the question: what, how much, and is it enough?
        columns = (1, 3, 4) if part else (0, 1, 3, 4, 5, 6, 2)
        yield from list_table(
            [tuple(escape(row[column]) for column in columns) for row in rows],
            "52 22 26" if part else "13 31 13 13 8 9 13",
        )


def figure(row: Mapping[str, Any]) -> Figure:
    """Return the figure of one row of ``benchmark.json``."""
    return Figure(
        Row(
            row["part"],
            row["what"],
            row["unit"],
            # What was measured has been computed already.
            lambda _: row["values"],
            row["budget"],
            row["ambition"],
            row["at_least"],
        ),
        row["values"],
    )


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("server-statuses", ServerStatuses)
    app.add_directive("power-states", PowerStates)
    app.add_directive("benchmark-machine", Machine)
    app.add_directive("benchmark-figures", Figures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
