"""A process of its own that looks a server up, from many threads.

It prints how many lookups had the server's states, and keeps its connections
until its input ends.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from nova_ext_sts.records import RecordsUnavailable
from tests.support.cells import source

THREADS = 8
LOOKUPS = 40


def main(url: str, max_connections: str) -> None:
    records = source(connection=url, max_connections=int(max_connections))

    def has_states(_: int) -> bool:
        try:
            return "a" in records.lookup(["a"])
        except RecordsUnavailable:
            return False

    with ThreadPoolExecutor(THREADS) as threads:
        print(sum(threads.map(has_states, range(LOOKUPS))), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
