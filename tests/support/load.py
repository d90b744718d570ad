"""Threads that send requests for a while, and what became of them."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.support.applications import Response


class Load(NamedTuple):
    """The responses to some threads, and the seconds that each took."""

    responses: Sequence[Response]
    seconds: Sequence[float]
    #: CPU time of the process, in seconds, for each response.
    cpu: float

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def load(
    get: Callable[[], Response],
    *,
    threads: int,
    seconds: float,
    pause: float = 0.25,
) -> Load:
    """Send requests from threads, each of which pauses between them."""
    responses: list[Response] = []
    took: list[float] = []
    until = time.monotonic() + seconds

    def send(_: int) -> None:
        while (sent := time.monotonic()) < until:
            responses.append(get())
            took.append(time.monotonic() - sent)
            time.sleep(pause)

    cpu = time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(send, range(threads)))
    return Load(responses, took, (time.process_time() - cpu) / len(took))
