# SPDX-License-Identifier: Apache-2.0
"""The demo's servers: an ``instances`` table in a SQLite file."""

from __future__ import annotations

import contextlib
import datetime
import sqlite3
import urllib.parse
import uuid
from typing import TYPE_CHECKING

import sqlalchemy as sa

from nova_ext_sts.states import LATER_STATUSES, SPECIFIED_STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from nova_ext_sts.states import ServerStatus, States

PROJECT_ID = "6f70656e737461636b206578742d7374"
USER_ID = "64656d6f"

#: Tells a file of the demo from any other SQLite file, such as a real Nova's,
#: which has the same table: in the file's header, where SQLite keeps what an
#: application writes there.
APPLICATION_ID = 0x45585453  # "EXTS"
#: Tells a file whose servers have lived, likewise.
LIVED = 1
_MAGIC = b"SQLite format 3\0"
_APPLICATION_ID_AT = slice(68, 72)

#: Nova's columns, as far as the filter and the demo's API read them.
_COLUMNS = {
    "id": "INTEGER PRIMARY KEY",
    "uuid": "VARCHAR(36) NOT NULL UNIQUE",
    "display_name": "VARCHAR(255)",
    "project_id": "VARCHAR(255)",
    "user_id": "VARCHAR(255)",
    "host": "VARCHAR(255)",
    "vm_state": "VARCHAR(255)",
    "task_state": "VARCHAR(255)",
    "power_state": "INTEGER",
    "created_at": "DATETIME",
    "updated_at": "DATETIME",
    "deleted": "INTEGER NOT NULL DEFAULT 0",
}
_CREATE = (
    "CREATE TABLE instances "
    f"({', '.join(' '.join(column) for column in _COLUMNS.items())})"
)
# Built of the names above, and of nothing that anybody sends.
_INSERT = (
    "INSERT INTO instances "  # noqa: S608
    f"VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"
)
_UPDATE = (
    "UPDATE instances SET vm_state = :vm_state, task_state = :task_state, "
    "power_state = :power_state, updated_at = CURRENT_TIMESTAMP, "
    # As in Nova: the row's own id, once the server is deleted.
    "deleted = CASE WHEN :vm_state = 'deleted' THEN id ELSE 0 END "
    "WHERE uuid = :uuid"
)
# Newest first, as Nova lists servers.
_SELECT = (
    f"SELECT {', '.join(_COLUMNS)} FROM instances "  # noqa: S608
    "ORDER BY created_at DESC, id DESC"
)

#: What the hypervisor would say of a server in each VM state …
_POWER_STATES = {
    "active": 1,
    "building": 0,
    "deleted": 0,
    "error": 6,
    "paused": 3,
    "rescued": 1,
    "resized": 1,
    "shelved": 4,
    "shelved_offloaded": 4,
    "soft-delete": 4,
    "soft_deleted": 4,
    "stopped": 4,
    "suspended": 7,
}
#: … unless a task has the guest shut down.
_SHUT_DOWN = frozenset(
    (
        "rebuild_block_device_mapping",
        "rebuild_spawning",
        "resize_migrating",
        "resize_migrated",
        "resize_finish",
        "resize_reverting",
    )
)
_SHUTDOWN = 4

_EPOCH = datetime.datetime(2026, 1, 1)


class UnusableFile(Exception):
    """The file cannot hold the demo's servers; the message says why."""


def make(path: Path) -> bool:
    """Make the file, unless it is there already.

    A file of the demo's is kept as it is, with all changes that were made in
    it; so is a file of anybody else's. An empty file is filled, and one whose
    servers have lived is filled anew.

    :returns: whether the servers were made
    :raises UnusableFile: the file is none of the demo's, or cannot be written
    """
    try:
        _check(path)
        with contextlib.closing(
            sqlite3.connect(path, isolation_level=None)
        ) as database:
            # Of several processes that start at once, one makes the servers
            # and the others wait for it here.
            database.execute("BEGIN IMMEDIATE")
            made = not database.execute("PRAGMA schema_version").fetchone()[0]
            if database.execute("PRAGMA user_version").fetchone()[0] == LIVED:
                database.execute("DROP TABLE instances")
                database.execute("PRAGMA user_version = 0")
                made = True
            if made:
                database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                database.execute(_CREATE)
                database.executemany(_INSERT, _rows())
            database.execute(_SELECT)
            database.execute("COMMIT")
    except OSError as error:
        raise UnusableFile(
            f"{path} cannot be written: {error.strerror}."
        ) from error
    except sqlite3.Error as error:
        raise UnusableFile(f"{path} cannot be used: {error}.") from error
    return made


def servers(path: Path) -> list[dict[str, Any]]:
    """Return the rows of the file as they are now, newest server first.

    :raises sqlite3.Error: the file cannot be read
    """
    # A connection for each request, read-only: whoever changes the file
    # meanwhile is neither kept waiting nor missed.
    uri = f"file:{urllib.parse.quote(str(path))}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
        rows = database.execute(_SELECT).fetchall()
    return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]


def change(
    path: Path,
    states: Mapping[str, States],
    turn: contextlib.AbstractContextManager[None],
) -> None:
    """Write the states of some servers, by their ids, all at once.

    The file is marked, so that `make` knows that its servers have lived.

    :param turn: is held for the moment at which others see the change
    :raises UnusableFile: the file cannot be written
    """
    # Not made anew where it is gone.
    uri = f"file:{urllib.parse.quote(str(path))}?mode=rw"
    try:
        with contextlib.closing(
            sqlite3.connect(uri, uri=True, isolation_level=None)
        ) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute(f"PRAGMA user_version = {LIVED}")
            database.executemany(
                _UPDATE,
                [{"uuid": id, **now._asdict()} for id, now in states.items()],
            )
            with turn:
                database.execute("COMMIT")
    except sqlite3.Error as error:
        raise UnusableFile(f"{path} cannot be used: {error}.") from error


def connection(path: Path) -> str:
    """Return the file's SQLAlchemy URL, as the filter takes it.

    :raises UnusableFile: no URL can name the file
    """
    if "?" in str(path):
        # SQLAlchemy 2.0 takes what follows for the URL's query.
        raise UnusableFile(
            f"{path} cannot be written as a URL: choose a path without "
            "a question mark."
        )
    return sa.URL.create("sqlite", database=str(path)).render_as_string()


def server_name(row: ServerStatus) -> str:
    """Return a server's name: its states, as a host name would have them."""
    states = filter(None, (row.vm_state, row.task_state))
    return "-".join(states).replace("_", "-")


def server_id(name: str) -> str:
    """Return the id, in every file the same, of the server of that name."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.servers.invalid"))


def _check(path: Path) -> None:
    """Raise unless the file is the demo's own, empty or absent."""
    if path.exists() and not path.is_file():
        raise UnusableFile(f"{path} is not a regular file.")
    # Reading it as a plain file leaves a stranger's as it is, whereas SQLite
    # may recover a journal that lies beside it.
    with path.open("ab+") as file:
        file.seek(0)
        header = file.read(_APPLICATION_ID_AT.stop)
    if header and not (
        header.startswith(_MAGIC)
        and header[_APPLICATION_ID_AT] == APPLICATION_ID.to_bytes(4, "big")
    ):
        raise UnusableFile(
            f"{path} holds something else than the demo's servers, and is "
            "left as it is: choose another file."
        )


def _rows() -> Iterator[dict[str, Any]]:
    for number, row in enumerate(SPECIFIED_STATUSES + LATER_STATUSES, 1):
        name = server_name(row)
        # Listed newest first, they come in the order of the tables.
        created_at = _EPOCH - datetime.timedelta(minutes=number)
        yield {
            "id": number,
            "uuid": server_id(name),
            "display_name": name,
            "project_id": PROJECT_ID,
            "user_id": USER_ID,
            "host": "compute",
            "vm_state": row.vm_state,
            "task_state": row.task_state,
            "power_state": (
                _SHUTDOWN
                if row.task_state in _SHUT_DOWN
                else _POWER_STATES[row.vm_state]
            ),
            "created_at": str(created_at),
            "updated_at": str(created_at),
            # As in Nova: the row's own id, once the server is deleted.
            "deleted": number if row.vm_state == "deleted" else 0,
        }
