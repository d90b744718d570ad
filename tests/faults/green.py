"""A process whose threads are green: what its others do during a lookup.

Run with the URL of the instances' database. Writes, as JSON, the bodies that
came and the longest that a thread beside them had to wait, in seconds.
"""

# ruff: noqa: E402
from __future__ import annotations

import eventlet

eventlet.monkey_patch()

import json
import sys
import threading
import time
from collections import Counter

from nova_ext_sts import filter_factory
from tests.support.applications import Client, answering
from tests.support.lookups import LIST

REQUESTS = 20


def main(url: str) -> None:
    client = Client(
        filter_factory({}, connection=url, timeout=1)(answering(LIST))
    )
    bodies: Counter[str] = Counter()
    gaps: list[float] = []

    def ask() -> None:
        bodies[client.get("/servers").body.decode()] += 1

    def beat() -> None:
        last = time.monotonic()
        while True:
            eventlet.sleep(0.01)
            now = time.monotonic()
            gaps.append(now - last)
            last = now

    beating = eventlet.spawn(beat)
    threads = [threading.Thread(target=ask) for _ in range(REQUESTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    beating.kill()
    print(json.dumps([bodies, max(gaps)]))


if __name__ == "__main__":
    main(sys.argv[1])
