"""Every body in the corpus, of which each shows what its name says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.hostile import oracle_json, oracle_xml
from tests.hostile.filtering import PATHS, RECORDS, TYPES, Filtering

if TYPE_CHECKING:
    from tests.hostile.tally import Tally

CORPUS = Path(__file__).parent / "corpus"
ORACLES = {"json": oracle_json, "xml": oracle_xml}
FILES = sorted(path for path in CORPUS.glob("*/*") if path.is_file())


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_body_in_the_corpus_comes_out_right(
    connection: str, tally: Tally, path: Path, overwrite: bool
) -> None:
    filtering = Filtering(connection, overwrite=overwrite)
    body = path.read_bytes()
    format = path.parent.name
    for call in PATHS:
        with tally.case(f"{format.upper()}: corpus") as counted:
            result = filtering.body(body, call, TYPES[format])
            counted.extended += result != body
            assert not ORACLES[format].faults(
                body, result, call, RECORDS, overwrite=overwrite
            )
