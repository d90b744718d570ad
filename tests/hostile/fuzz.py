"""Fuzzing of the two readers by coverage, for as long as one likes.

atheris is not among the tests' packages. An hour for each format::

    pip install -e '.[test]' atheris
    mkdir /tmp/found
    python -m tests.hostile.fuzz json /tmp/found tests/hostile/corpus/json \\
        -max_total_time=3600 -max_len=4096

and the same with ``xml``. The first directory takes what reaches new places in
the package; the others are only read. Whatever comes out as the oracles do not
allow, and every exception but a refusal, stops it: the body is then in a file
``crash-…``, and belongs, made small with ``-minimize_crash=1``, in the corpus
under the name of what it shows. The suite tries all of the corpus each time.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any


def main() -> None:
    atheris: Any = importlib.import_module("atheris")
    format = sys.argv.pop(1)
    # Before anything else imports the package.
    with atheris.instrument_imports(include=["nova_ext_sts"]):
        calls = importlib.import_module("nova_ext_sts.calls").Call
        reader = importlib.import_module("nova_ext_sts.documents").READERS[
            format
        ]
    oracle = importlib.import_module(f"tests.hostile.oracle_{format}")
    filtering = importlib.import_module("tests.hostile.filtering")
    combinations = [
        (call, overwrite)
        for call in (calls.DETAIL, calls.SHOW)
        for overwrite in (False, True)
    ]

    def try_one(body: bytes) -> None:
        for call, overwrite in combinations:
            try:
                document = reader(body, call, overwrite=overwrite)
                result = document.splice(filtering.RECORDS)
            except (ValueError, RecursionError):
                result = body
            name = call.name.lower()
            fault = oracle.faults(
                body, result, name, filtering.RECORDS, overwrite=overwrite
            )
            if fault:
                raise AssertionError(f"{name}, {overwrite=}: {fault}")

    atheris.Setup(sys.argv, try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
