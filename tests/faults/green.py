"""A process with green threads: what the others do during a lookup.

Run with the URL of the instances' database. Prints, as JSON, how often each
body came, and the longest that another thread had to wait, in seconds.
"""

# ruff: noqa: E402
from __future__ import annotations

import eventlet

eventlet.monkey_patch()

import json
import sys
import time
from collections import Counter

from nova_ext_sts import filter_factory
from tests.support.applications import Client, answering
from tests.support.lookups import LIST

REQUESTS = 20


def main(url: str) -> None:
    application = answering(LIST)
    client = Client(filter_factory({}, connection=url, timeout=1)(application))
    gaps: list[float] = []

    def beat() -> None:
        last = time.monotonic()
        while True:
            eventlet.sleep(0.01)
            now = time.monotonic()
            gaps.append(now - last)
            last = now

    beating = eventlet.spawn(beat)
    requests = [eventlet.spawn(client.get_list) for _ in range(REQUESTS)]
    bodies = Counter(each.wait().body.decode() for each in requests)
    beating.kill()
    print(json.dumps([bodies, max(gaps)]))


if __name__ == "__main__":
    main(sys.argv[1])
