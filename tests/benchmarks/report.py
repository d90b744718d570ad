"""The results: a table, a JSON file, and a picture."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.rows import TITLES, WORDS
from tests.support.tables import aligned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.benchmarks.rows import Figure

#: The versions of these go with the results.
DISTRIBUTIONS = (
    "SQLAlchemy",
    "PyMySQL",
    "mysqlclient",
    "psycopg",
    "msgspec",
    "orjson",
    "lxml",
    "WebOb",
    "oslo.middleware",
    "nova",
    "gunicorn",
)


def lines(figures: Sequence[Figure]) -> Iterator[str]:
    """Yield the lines of the table, the missed budgets first."""
    worst_first = sorted(figures, key=lambda each: each.verdict != "MISSED")
    return aligned([TITLES, *(each.cells for each in worst_first)], WORDS)


def write(figures: Sequence[Figure], directory: Path) -> None:
    """Write benchmark.json, and benchmark.png."""
    # Only the environment that measures has it.
    from tests.benchmarks import picture

    directory.mkdir(parents=True, exist_ok=True)
    results = {
        "machine": machine(),
        "rows": [
            {
                "part": figure.row.part,
                "what": figure.row.name,
                "unit": figure.row.unit,
                "median": figure.median,
                "values": list(figure.values),
                "budget": figure.row.budget,
                "ambition": figure.row.ambition,
                "at_least": figure.row.at_least,
                "verdict": figure.verdict,
            }
            for figure in figures
        ],
    }
    text = json.dumps(results, indent=1, ensure_ascii=False)
    (directory / "benchmark.json").write_text(f"{text}\n")
    picture.draw(figures, directory / "benchmark.png")


def machine() -> dict[str, object]:
    """Return what the figures were measured on."""
    model = re.search(
        r"^model name\s*: (.*)$",
        Path("/proc/cpuinfo").read_text(),
        re.MULTILINE,
    )
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": os.cpu_count(),
        "memory in GiB": round(
            os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        ),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {
            name: importlib.metadata.version(name) for name in DISTRIBUTIONS
        },
    }
