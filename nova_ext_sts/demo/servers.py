# SPDX-License-Identifier: Apache-2.0
"""The demo's servers: a table ``instances`` in a SQLite file."""

from __future__ import annotations

import contextlib
import sqlite3
import urllib.parse
import uuid
from typing import TYPE_CHECKING, Any

from nova_ext_sts.states import LATER_STATUSES, SPECIFIED_STATUSES, States

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    Row = dict[str, Any]

NOSTATE, RUNNING, PAUSED, SHUTDOWN, CRASHED, SUSPENDED = 0, 1, 3, 4, 6, 7

#: The power state of a server in each VM state, while no task is pending.
POWER_STATES = {
    "active": RUNNING,
    "building": NOSTATE,
    "deleted": NOSTATE,
    "error": NOSTATE,
    "paused": PAUSED,
    "rescued": RUNNING,
    "resized": RUNNING,
    "shelved": SHUTDOWN,
    "shelved_offloaded": SHUTDOWN,
    "soft-delete": SHUTDOWN,
    "soft_deleted": SHUTDOWN,
    "stopped": SHUTDOWN,
    "suspended": SUSPENDED,
}

#: The states of each server, by its name. Names give a server's purpose and
#: not its state, which changes.
SERVERS: Mapping[str, States] = {
    # Ready: active, and no task is pending.
    "web-1": States("active", None, RUNNING),
    # About to stop, which its status, ACTIVE, does not say.
    "db-1": States("active", "powering-off", RUNNING),
    # The status of a building server is BUILD; the task says how far it is.
    "build-7": States("building", "spawning", NOSTATE),
    # Crashed, and Nova has not noticed yet.
    "web-2": States("active", None, CRASHED),
    "db-2": States("active", "rebooting", RUNNING),
    # Its owner has to confirm the resize, or revert it.
    "cache-1": States("resized", None, RUNNING),
    # A paused server can be migrated.
    "queue-1": States("paused", "migrating", PAUSED),
    # Its build has failed.
    "build-8": States("error", None, NOSTATE),
    "mail-1": States("stopped", None, SHUTDOWN),
    "archive-1": States("shelved_offloaded", None, SHUTDOWN),
}

#: One server for each row of the table of server statuses.
ALL_STATES: Mapping[str, States] = {
    f"vm-{number:02}": States(
        row.vm_state, row.task_state, POWER_STATES[row.vm_state]
    )
    for number, row in enumerate(SPECIFIED_STATUSES + LATER_STATUSES, 1)
}

#: Distinguishes the demo's files from others, such as Nova's own; SQLite keeps
#: it in the file's header.
_APPLICATION_ID = 0x45585453  # "EXTS"

# Nova's columns, as far as the filter and the demo's API read them.
_CREATE = """
    CREATE TABLE instances (
        id INTEGER PRIMARY KEY,
        uuid VARCHAR(36) NOT NULL UNIQUE,
        display_name VARCHAR(255),
        vm_state VARCHAR(255),
        task_state VARCHAR(255),
        power_state INTEGER,
        updated_at DATETIME DEFAULT CURRENT_TIMESTAMP
    )
"""


def server_id(name: str) -> str:
    """Return the id of the server with this name, the same in every file."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.servers.invalid"))


def make(path: Path, servers: Mapping[str, States]) -> None:
    """Make the file, or put the servers in it back to the start.

    :raises FileExistsError: the file holds something else
    :raises UnicodeError: the path is not UTF-8
    :raises sqlite3.Error: the file cannot be written
    """
    with _opened(path, "rwc") as database:
        # Several processes can start at once.
        database.execute("BEGIN IMMEDIATE")
        (schema,) = database.execute("PRAGMA schema_version").fetchone()
        (owner,) = database.execute("PRAGMA application_id").fetchone()
        if schema and owner != _APPLICATION_ID:
            raise FileExistsError("it holds something else")
        database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        database.execute("DROP TABLE IF EXISTS instances")
        database.execute(_CREATE)
        database.executemany(
            "INSERT INTO instances "
            "(uuid, display_name, vm_state, task_state, power_state) "
            "VALUES (?, ?, ?, ?, ?)",
            [(server_id(name), name, *servers[name]) for name in servers],
        )


def rows(path: Path) -> list[Row]:
    """Return all rows of the file as they are now.

    :raises sqlite3.Error: the file cannot be read
    """
    with _opened(path, "ro") as database:
        database.row_factory = sqlite3.Row
        found = database.execute("SELECT * FROM instances ORDER BY id")
        return [dict(row) for row in found]


def update(path: Path, states: Mapping[str, States]) -> None:
    """Write the new states of servers, by their ids, in one transaction.

    :raises sqlite3.Error: the file cannot be written
    """
    with _opened(path, "rw") as database:
        database.executemany(
            "UPDATE instances SET vm_state = ?, task_state = ?, "
            "power_state = ?, updated_at = CURRENT_TIMESTAMP WHERE uuid = ?",
            [(*now, server_id) for server_id, now in states.items()],
        )


@contextlib.contextmanager
def _opened(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    """Connect for one transaction.

    SQLite's locks are held for moments only, so that users can change the
    file.
    """
    uri = f"file:{urllib.parse.quote(str(path))}?mode={mode}"
    with (
        contextlib.closing(sqlite3.connect(uri, uri=True)) as database,
        database,
    ):
        yield database
