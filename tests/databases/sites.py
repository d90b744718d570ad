"""Nova's databases on one server, and a user that only reads them."""

from __future__ import annotations

import contextlib
import json
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from nova_ext_sts.states import States
from tests.support.applications import Client, answering, filtered
from tests.support.cells import Cells
from tests.support.databases import INSTANCE_MAPPINGS, Database, made
from tests.support.readers import Reader

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.servers import Server

SOURCES = ("database", "cells")
#: The most servers that a test asks for.
SERVERS = 1000

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
        #: The list of servers without states, and with all of them.
        self.plain = _list([{"id": server} for server in self.ids])
        self.extended = _list(
            [
                {"id": server}
                | {f"OS-EXT-STS:{k}": v for k, v in states._asdict().items()}
                for server, states in self.records.items()
            ]
        )

    def insert(self, *databases: Database) -> None:
        """Spread the servers' records over databases."""
        for position, database in enumerate(databases):
            database.insert_instances(
                (server, *self.records[server])
                for server in self.ids[position :: len(databases)]
            )

    def client(self, **options: Any) -> Client:
        """Return a client of the API behind the filter."""
        return filtered(answering(self.plain), **options)


def _list(servers: list[dict[str, Any]]) -> bytes:
    return json.dumps({"servers": servers}).encode()


class Site(contextlib.ExitStack):
    """A cell database with all servers; and two cells that share them.

    The user has the privileges that the documentation grants, and no others.
    """

    def __init__(self, server: Server, directory: Path) -> None:
        super().__init__()
        self.server = server
        self._directory = directory
        self._system = server.url.get_backend_name()
        self.reader = Reader(self._system, server.url)
        self.callback(self.reader.drop)
        fleet = Fleet(SERVERS)
        self.database = self.new_database()
        fleet.insert(self.database)
        self.cells = Cells(self.new_database)
        fleet.insert(*self.cells.cells.values())
        self.cells.api.insert(
            INSTANCE_MAPPINGS,
            *(
                {"instance_uuid": server, "cell_id": 1 + position % 2}
                for position, server in enumerate(fleet.ids)
            ),
        )
        self.reader.may_read(self.cells.api, "api")

    def new_database(self) -> Database:
        """Return a database whose instances the user may read."""
        database = self.enter_context(
            made(self._system, self._directory, self.server.url)
        )
        self.reader.may_read(database, "instances")
        return database

    def options(
        self, source: str, driver: str, **place: Any
    ) -> dict[str, Any]:
        """Return the options to read a source with a driver.

        :param place: host or port, if another than the server's
        """
        if source == "database":
            return {"connection": self.url(self.database, driver, **place)}
        return {
            "api_connection": self.url(self.cells.api, driver, **place),
            "cell_connection": [
                f"{name}={self.url(database, driver, **place)}"
                for name, database in self.cells.cells.items()
            ],
        }

    def url(self, database: Database, driver: str, **place: Any) -> str:
        """Return the user's URL of a database, without parameters."""
        return self.reader.url(database, drivername=driver, query={}, **place)
