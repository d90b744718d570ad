"""Counts of a test suite's requests and their responses."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.tables import aligned

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.support.applications import Response

HEADINGS = ("requests", "responses", "with all states", "slowest")
ACCOUNTS = pytest.StashKey[dict[str, "Account"]]()


class Account:
    """Count requests and their responses; threads share it.

    :param name: the row in the table
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.made = 0
        #: With 200 and a document.
        self.answered = 0
        #: With all fields of all servers.
        self.extended = 0
        #: Seconds.
        self.slowest = 0.0
        self._lock = threading.Lock()

    def get(self, ask: Callable[[], Response]) -> Response:
        """Return the response to a request, and count it."""
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
            self.name,
            str(self.made),
            str(self.answered),
            str(self.extended),
            f"{self.slowest:.3f} s",
        )


def servers_of(response: Response) -> list[dict[str, object]] | None:
    """Return the servers in the response to a list, or None."""
    if not response.status.startswith("200 "):
        return None
    servers: list[dict[str, object]] = json.loads(response.body)["servers"]
    return servers


def is_extended(server: dict[str, object]) -> bool:
    return all(
        f"OS-EXT-STS:{name}" in server
        for name in ("vm_state", "task_state", "power_state")
    )


def opened(config: pytest.Config, name: str) -> Account:
    """Return the account of this name, a row in the table of this run."""
    accounts = config.stash.setdefault(ACCOUNTS, {})
    return accounts.setdefault(name, Account(name))


def report(
    terminal: pytest.TerminalReporter, config: pytest.Config, subject: str
) -> None:
    """Print a table of all accounts.

    :param subject: the heading of the first column
    """
    if accounts := config.stash.get(ACCOUNTS, {}):
        terminal.section(f"responses by {subject}")
        rows = [account.row for account in accounts.values()]
        for line in aligned([(subject, *HEADINGS), *rows], words=1):
            terminal.write_line(line)
