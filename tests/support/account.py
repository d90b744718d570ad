"""The table of an environment's responses, for the end of a test run."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.tables import aligned

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.applications import Response

HEADINGS = ("environment", "responses", "with all states", "slowest")
ACCOUNTS = pytest.StashKey[dict[str, "Account"]]()


class Account:
    """Counts the responses of one environment; threads share it."""

    def __init__(self) -> None:
        #: With 200.
        self.answered = 0
        self.extended = 0
        #: Seconds.
        self.slowest = 0.0
        self._lock = threading.Lock()

    def get(self, ask: Callable[[], Response]) -> Response:
        """Return the response to a request, and count it."""
        began = time.monotonic()
        response = ask()
        seconds = time.monotonic() - began
        servers = response.body.count(b'"id": ')
        states = response.body.count(b'"OS-EXT-STS:power_state": ')
        with self._lock:
            self.slowest = max(self.slowest, seconds)
            self.answered += response.status == "200 OK"
            self.extended += states == servers
        return response


def opened(config: pytest.Config, environment: str) -> Account:
    """Return the account of an environment, for the table of this run."""
    accounts = config.stash.setdefault(ACCOUNTS, {})
    return accounts.setdefault(environment, Account())


def report(terminal: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print a table of all accounts."""
    if accounts := config.stash.get(ACCOUNTS, {}):
        terminal.section("responses by environment")
        rows = [
            (name, str(a.answered), str(a.extended), f"{a.slowest:.3f} s")
            for name, a in accounts.items()
        ]
        for line in aligned([HEADINGS, *rows], words=1):
            terminal.write_line(line)
