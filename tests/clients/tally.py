"""How much has been compared, to be printed when all tests have run."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from tests.support.tables import aligned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Tally:
    """Sums, for each row of a table.

    :param titles: of the columns that tell rows apart, then of the sums
    """

    def __init__(self, *titles: str) -> None:
        self._titles = titles
        self._sums: dict[tuple[str, ...], list[int]] = {}

    def count(self, *key: str, **sums: int) -> None:
        """Add to the sums of a row, each by the title of its column."""
        row = self._sums.setdefault(key, [0] * (len(self._titles) - len(key)))
        for title, number in sums.items():
            row[self._titles.index(title) - len(key)] += number

    def lines(self) -> Iterator[str]:
        """Yield the lines of the table, none where nothing was counted."""
        if not self._sums:
            return
        rows: list[Sequence[str]] = [self._titles]
        rows += [
            (*key, *map(str, sums)) for key, sums in sorted(self._sums.items())
        ]
        yield from aligned(rows, words=len(next(iter(self._sums))))


def version(distribution: str) -> str:
    """Return a distribution's name and its version."""
    return f"{distribution} {metadata.version(distribution)}"
