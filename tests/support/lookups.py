"""What the tests of faults ask, and how they make a database slow."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tests.support.applications import Client, answering, filtered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.applications import Response
    from tests.support.databases import Database

LIST = b'{"servers": [{"id": "a"}]}'
EXTENDED = (
    b'{"servers": [{"id": "a", "OS-EXT-STS:vm_state": "active", '
    b'"OS-EXT-STS:task_state": null, "OS-EXT-STS:power_state": 1}]}'
)

#: How much later than its time-out a response may be on a busy machine, in
#: seconds.
LATE = 0.8

#: By SQLAlchemy's name of the system: a query's pause, in its words; the
#: other connections to a database, and how to end one.
PAUSE = {
    "mysql": "SLEEP({seconds}) = 0",
    "postgresql": "pg_sleep({seconds}) IS NOT NULL",
}
OTHERS = {
    "mysql": "SELECT id FROM information_schema.processlist "
    "WHERE db = :name AND id <> CONNECTION_ID()",
    "postgresql": "SELECT pid FROM pg_stat_activity "
    "WHERE datname = :name AND pid <> pg_backend_pid()",
}
END = {
    "mysql": "KILL CONNECTION {connection}",
    "postgresql": "SELECT pg_terminate_backend({connection})",
}


class Administrator:
    """Sees and ends the connections to one database."""

    def __init__(self, connection: sa.engine.Connection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._system = connection.dialect.name

    def connections(self) -> list[int]:
        others = sa.text(OTHERS[self._system])
        rows = self._connection.execute(others, {"name": self._name})
        return [row[0] for row in rows]

    def end_all(self) -> None:
        """End all connections, and wait until they have ended."""
        ended = self.connections()
        for number in ended:
            end = sa.text(END[self._system].format(connection=number))
            self._connection.execute(end)
        while set(ended) & set(self.connections()):
            time.sleep(0.001)


@contextlib.contextmanager
def administrator(database: Database) -> Iterator[Administrator]:
    """Look on with a connection to another database of the same server."""
    url = sa.engine.make_url(database.url)
    elsewhere = {"mysql": None, "postgresql": "postgres"}
    engine = sa.create_engine(
        url._replace(database=elsewhere[url.get_backend_name()]),
        poolclass=sa.pool.NullPool,
        isolation_level="AUTOCOMMIT",
    )
    assert url.database
    with engine.connect() as connection:
        yield Administrator(connection, url.database)


def slow_down(database: Database, seconds: float) -> None:
    """Have each lookup take so long."""
    system = sa.engine.make_url(database.url).get_backend_name()
    pause = PAUSE[system].format(seconds=seconds)
    database.execute("ALTER TABLE instances RENAME TO behind")
    database.execute(
        "CREATE VIEW instances AS SELECT uuid, vm_state, task_state, "
        f"CASE WHEN {pause} THEN power_state END AS power_state FROM behind"
    )


def client_of(database: Database, **options: Any) -> Client:
    """Return a client of an API whose one server is in the database."""
    return filtered(answering(LIST), connection=database.url, **options)


def wait_for_states(get: Callable[[], Response], seconds: float) -> None:
    """Send requests until one has all states; fail if none has in time."""
    until = time.monotonic() + seconds
    while get().body != EXTENDED:
        assert time.monotonic() < until, "the states do not return"
        time.sleep(0.05)


def process_of_two_lookups(url: str, timeout: float) -> float:
    """Return how long a process lives after its first request, in seconds.

    :param timeout: the filter's option
    """
    program = (
        "import sys, time\n"
        "from tests.support.applications import answering, filtered\n"
        "from tests.support.lookups import LIST\n"
        "client = filtered(answering(LIST), connection=sys.argv[1],"
        " timeout=float(sys.argv[2]))\n"
        "print(time.monotonic())\n"
        "for _ in range(2):\n"
        "    assert client.get_list().body == LIST\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", program, url, str(timeout)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    ).stdout
    return time.monotonic() - float(output)
