"""What the hostile suite has tried, for the table at its end."""

from __future__ import annotations

import contextlib
import dataclasses
import resource
from typing import TYPE_CHECKING

from tests.support.tables import aligned

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclasses.dataclass
class Kind:
    """The cases of one kind."""

    cases: int = 0
    extended: int = 0
    mismatches: int = 0
    exceptions: int = 0


class Tally:
    """Counts cases by their kind."""

    def __init__(self) -> None:
        self._kinds: dict[str, Kind] = {}

    @contextlib.contextmanager
    def case(self, name: str, cases: int = 1) -> Iterator[Kind]:
        """Count what is tried within: a failed assertion is a mismatch.

        A property test that fails is tried again on smaller examples, which
        count as well.
        """
        kind = self._kinds.setdefault(name, Kind())
        kind.cases += cases
        try:
            yield kind
        except AssertionError:
            kind.mismatches += 1
            raise
        except Exception:
            kind.exceptions += 1
            raise

    def lines(self) -> Iterator[str]:
        """Yield the lines of the table."""
        names = [field.name for field in dataclasses.fields(Kind)]
        rows = [
            (kind, *map(str, dataclasses.astuple(counts)))
            for kind, counts in sorted(self._kinds.items())
        ]
        sums = [
            sum(getattr(counts, name) for counts in self._kinds.values())
            for name in names
        ]
        rows.append(("all", *map(str, sums)))
        yield from aligned([("kind", *names), *rows], words=1)
        yield (
            f"peak memory: {peak_memory(resource.RUSAGE_SELF)} MiB here, "
            f"{peak_memory(resource.RUSAGE_CHILDREN)} MiB in the largest "
            "process started"
        )


def peak_memory(who: int) -> int:
    """Return the most memory that was resident at once, in MiB."""
    return resource.getrusage(who).ru_maxrss // 1024
