"""Servers of an API, their records, and the bodies of their lists."""

from __future__ import annotations

import json
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from nova_ext_sts.states import States
from tests.support.applications import Client, answering, filtered

if TYPE_CHECKING:
    from tests.support.databases import Database

STATES = (
    States("active", None, 1),
    States("building", "spawning", 0),
    States("stopped", "powering-on", 4),
    States("error", None, None),
)


class Fleet:
    """A number of servers, with each kind of record in turn."""

    def __init__(self, number: int) -> None:
        self.records = {
            f"00000000-0000-4000-8000-{position:012}": states
            for position, states in enumerate(islice(cycle(STATES), number))
        }
        self.ids = list(self.records)

    def insert(self, *databases: Database) -> None:
        """Spread the servers' records over databases."""
        for position, database in enumerate(databases):
            database.insert_instances(
                (server, *self.records[server])
                for server in self.ids[position :: len(databases)]
            )

    @property
    def plain(self) -> bytes:
        """The list of servers, as the API writes it."""
        servers = [{"id": server} for server in self.ids]
        return json.dumps({"servers": servers}).encode()

    @property
    def extended(self) -> bytes:
        """The same with all states."""
        servers = [
            {
                "id": server,
                "OS-EXT-STS:vm_state": states.vm_state,
                "OS-EXT-STS:task_state": states.task_state,
                "OS-EXT-STS:power_state": states.power_state,
            }
            for server, states in self.records.items()
        ]
        return json.dumps({"servers": servers}).encode()

    def client(self, **options: Any) -> Client:
        """Return a client of the API behind the filter."""
        return filtered(answering(self.plain), **options)
