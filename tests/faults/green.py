"""A process with green threads: what the others do during a lookup.

Run with the URL of the instances' database. Prints, as JSON, the bodies that
came, and the longest that another thread had to wait, in seconds.
"""

# ruff: noqa: E402
from __future__ import annotations

import eventlet

eventlet.monkey_patch()

import json
import sys
import time

from tests.support.applications import answering, filtered
from tests.support.lookups import LIST

gaps: list[float] = []


def beat() -> None:
    last = time.monotonic()
    while True:
        eventlet.sleep(0.01)
        now = time.monotonic()
        gaps.append(now - last)
        last = now


client = filtered(answering(LIST), connection=sys.argv[1], timeout=1)
beating = eventlet.spawn(beat)
requests = [eventlet.spawn(client.get_list) for _ in range(20)]
bodies = [each.wait().body.decode() for each in requests]
beating.kill()
print(json.dumps([bodies, max(gaps)]))
