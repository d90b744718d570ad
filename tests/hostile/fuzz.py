"""Coverage-guided fuzzing of the two formats, without a limit of time.

atheris is not among the tests' packages. An hour for each format::

    pip install -e '.[test]' atheris
    mkdir /tmp/found
    python -m tests.hostile.fuzz json /tmp/found tests/hostile/corpus/json \\
        -max_total_time=3600 -max_len=4096

and the same with ``xml``. A result that the oracle does not allow, or an
exception, ends it and leaves the body in a file ``crash-…``. Minimize that
with ``-minimize_crash=1``, and add it to the corpus under a name that says
what it shows.
"""

from __future__ import annotations

import importlib
import itertools
import sys
from typing import Any


def main() -> None:
    atheris: Any = importlib.import_module("atheris")
    # Before anything else imports the package.
    with atheris.instrument_imports(include=["nova_ext_sts"]):
        from nova_ext_sts.calls import Call
        from nova_ext_sts.documents import READERS
    from tests.hostile.filtering import RECORDS

    body_format = sys.argv.pop(1)
    oracle = importlib.import_module(f"tests.hostile.oracle_{body_format}")

    def try_one(body: bytes) -> None:
        for call, overwrite in itertools.product(
            (Call.DETAIL, Call.SHOW), (False, True)
        ):
            try:
                document = READERS[body_format](
                    body, call, overwrite=overwrite
                )
                result = document.splice(RECORDS)
            except (ValueError, RecursionError):
                result = body
            name = call.name.lower()
            fault = oracle.fault(
                body, result, name, RECORDS, overwrite=overwrite
            )
            if fault:
                raise AssertionError(f"{name}, {overwrite=}: {fault}")

    atheris.Setup(sys.argv, try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
