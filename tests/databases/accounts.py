"""The responses of each environment, for the table after a test run.

An environment is a server, what is in front of it, and a driver.
"""

from __future__ import annotations

import time
from importlib import metadata
from typing import TYPE_CHECKING

from tests.support.databases import DRIVERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.applications import Client, Response

MYSQL, POSTGRESQL = tuple(DRIVERS)[:2], tuple(DRIVERS)[2:]


class Account(list[tuple[float, "Response"]]):
    """The responses of one environment, each with its duration."""

    def get(self, client: Client) -> Response:
        """Return the response to GET /servers, and note it."""
        began = time.monotonic()
        response = client.get_list()
        self.append((time.monotonic() - began, response))
        return response

    @property
    def slowest(self) -> float:
        return max(seconds for seconds, _ in self)


ACCOUNTS: dict[str, Account] = {}


def account_of(environment: str, driver: str) -> Account:
    distribution = DRIVERS[driver]
    name = f"{environment}, {distribution} {metadata.version(distribution)}"
    return ACCOUNTS.setdefault(name, Account())


def table() -> Sequence[Sequence[str]]:
    """Return the rows of the table, the titles first."""
    rows = [("environment", "responses", "with all states", "slowest")]
    for name, account in ACCOUNTS.items():
        bodies = [response.body for _, response in account]
        complete = [
            body.count(b'"id": ') == body.count(b"OS-EXT-STS:power_state")
            for body in bodies
        ]
        slowest = f"{account.slowest:.3f} s"
        rows.append((name, str(len(bodies)), str(sum(complete)), slowest))
    return rows
