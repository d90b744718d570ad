"""Threads that send requests for a while, and what became of them."""

from __future__ import annotations

import statistics
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.support.applications import Response


class Sample(NamedTuple):
    """One request."""

    #: When it was sent, in seconds since the load began.
    at: float
    seconds: float
    response: Response


class Load(NamedTuple):
    """All requests of some threads."""

    samples: Sequence[Sample]
    #: CPU time of the process, in seconds, for each response.
    cpu: float

    @property
    def median(self) -> float:
        return statistics.median(each.seconds for each in self.samples)

    @property
    def slowest(self) -> float:
        return max(each.seconds for each in self.samples)

    def share(self, is_counted: Callable[[Sample], bool]) -> float:
        return sum(map(is_counted, self.samples)) / len(self.samples)


def load(
    get: Callable[[], Response],
    *,
    threads: int,
    seconds: float,
    pause: float = 0.25,
) -> Load:
    """Send requests from threads, each of which pauses between them."""
    samples: list[Sample] = []
    began = time.monotonic()

    def send() -> None:
        while (sent := time.monotonic()) < began + seconds:
            response = get()
            took = time.monotonic() - sent
            samples.append(Sample(sent - began, took, response))
            time.sleep(pause)

    cpu = time.process_time()
    running = [threading.Thread(target=send) for _ in range(threads)]
    for each in running:
        each.start()
    for each in running:
        each.join()
    return Load(samples, (time.process_time() - cpu) / len(samples))
