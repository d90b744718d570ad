"""An account of what became of the requests while a fault was on."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

from tests.support.tables import aligned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.support.applications import Response

HEADINGS = ("fault", "made", "answered", "with fields", "slowest")


class Account:
    """Counts the requests of one test; threads share it.

    :param fault: what the table calls it
    """

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.made = 0
        #: With 200 and a document.
        self.answered = 0
        #: With all fields of all servers.
        self.extended = 0
        #: Seconds.
        self.slowest = 0.0
        self._lock = threading.Lock()

    def get(self, ask: Callable[[], Response]) -> Response:
        """Return the response to a request, and take it down."""
        with self._lock:
            self.made += 1
        began = time.monotonic()
        response = ask()
        seconds = time.monotonic() - began
        servers = servers_of(response)
        with self._lock:
            self.slowest = max(self.slowest, seconds)
            if servers is not None:
                self.answered += 1
                self.extended += all(map(is_extended, servers))
        return response

    @property
    def row(self) -> Sequence[str]:
        return (
            self.fault,
            str(self.made),
            str(self.answered),
            str(self.extended),
            f"{self.slowest:.3f} s",
        )


def servers_of(response: Response) -> list[dict[str, object]] | None:
    """Return the servers in a list's response, or None if it is none."""
    if not response.status.startswith("200 "):
        return None
    servers: list[dict[str, object]] = json.loads(response.body)["servers"]
    return servers


def is_extended(server: dict[str, object]) -> bool:
    return all(
        f"OS-EXT-STS:{name}" in server
        for name in ("vm_state", "task_state", "power_state")
    )


def table(accounts: Sequence[Account]) -> Iterator[str]:
    """Yield the lines of the table of all accounts."""
    return aligned([HEADINGS, *(account.row for account in accounts)], words=1)
