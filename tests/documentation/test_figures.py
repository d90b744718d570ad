"""The figures that the documentation quotes, against the benchmark."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REPORT = json.loads((ROOT / "doc/source/_static/benchmark.json").read_text())

#: How each page quotes the time and the bytes of a detail list.
QUOTES = {
    "README.rst": (r"takes\s([\d.]+)\stimes", r"has\s([\d.]+)\stimes"),
    "doc/source/user/costs.rst": (
        r"takes\s([\d.]+)\stimes",
        r"has\s([\d.]+)\stimes",
    ),
    "doc/source/_static/polling.svg": (
        r'y="74">([\d.]+)<',
        r'y="176">([\d.]+)<',
    ),
}


@pytest.mark.parametrize("page", QUOTES)
@pytest.mark.parametrize(("index", "what"), [(0, "time"), (1, "bytes")])
def test_quoted_figure_is_the_median(page, index, what):
    (row,) = (
        row
        for row in REPORT["rows"]
        if row["part"] == "polling states" and row["what"].startswith(what)
    )
    quoted = re.findall(QUOTES[page][index], (ROOT / page).read_text())
    assert set(quoted) == {f"{float(row['median'].split()[0]):.1f}"}
