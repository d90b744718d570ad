"""What the tests of outages ask, and how they make a database fail."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

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


class Words(NamedTuple):
    """How one database system says what the tests need."""

    #: A query's pause, as a condition.
    pause: str
    #: The other connections to the same database, and how to end one.
    connections: str
    end: str
    #: Has readers of the instances wait.
    lock: str


WORDS = {
    "mysql": Words(
        "SLEEP({seconds}) = 0",
        "SELECT id FROM information_schema.processlist "
        "WHERE db = DATABASE() AND id <> CONNECTION_ID()",
        "KILL CONNECTION {connection}",
        "LOCK TABLES instances WRITE",
    ),
    "postgresql": Words(
        "pg_sleep({seconds}) IS NOT NULL",
        "SELECT pid FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        "SELECT pg_terminate_backend({connection})",
        "LOCK TABLE instances IN ACCESS EXCLUSIVE MODE",
    ),
}


def system_of(database: Database) -> str:
    """Return SQLAlchemy's name of a database's system."""
    return sa.engine.make_url(database.url).get_backend_name()


def connections_of(database: Database) -> set[int]:
    """Return the numbers of the connections to a database."""
    query = sa.text(WORDS[system_of(database)].connections)
    with database.connect() as connection:
        return set(connection.execute(query).scalars())


def end_connections(database: Database) -> None:
    """End all connections to a database, and wait until they have ended."""
    ended = connections_of(database)
    for number in ended:
        # It may have ended by itself.
        with contextlib.suppress(sa.exc.OperationalError):
            end = WORDS[system_of(database)].end
            database.execute(end.format(connection=number))
    wait_until(lambda: not ended & connections_of(database))


@contextlib.contextmanager
def locked(database: Database) -> Iterator[None]:
    """Have each lookup wait until the lock is released."""
    with database.connect() as connection:
        connection.execute(sa.text(WORDS[system_of(database)].lock))
        yield


def slow_down(database: Database, seconds: float) -> None:
    """Have each lookup of a server that exists take so long."""
    pause = WORDS[system_of(database)].pause.format(seconds=seconds)
    with database.connect() as connection:
        is_first = not sa.inspect(connection).has_table("behind")
    if is_first:
        database.execute("ALTER TABLE instances RENAME TO behind")
    database.execute(
        "CREATE OR REPLACE VIEW instances AS SELECT uuid, vm_state, "
        f"task_state, CASE WHEN {pause} THEN power_state END AS power_state "
        "FROM behind"
    )


@contextlib.contextmanager
def closed_port() -> Iterator[Closed]:
    """Have a port that refuses connections."""
    with socket.socket() as bound:
        # Bound, and so nobody else's; not listening, and so closed.
        bound.bind(("127.0.0.1", 0))
        yield Closed(bound.getsockname()[1])


class Closed(NamedTuple):
    port: int


@contextlib.contextmanager
def full_queue() -> Iterator[Closed]:
    """Have a port whose packets are dropped, as by a firewall."""
    with contextlib.ExitStack() as stack:
        listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        stack.enter_context(listener)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield Closed(listener.getsockname()[1])


def client_of(database: Database, **options: Any) -> Client:
    """Return a client of an API whose one server is in the database."""
    return filtered(answering(LIST), connection=database.url, **options)


def get_in_time(client: Client, timeout: float) -> Response:
    """Return a response, and fail if it waited for longer than a time-out."""
    began = time.monotonic()
    response = client.get_list()
    assert time.monotonic() - began < timeout + LATE
    return response


def wait_until(holds: Callable[[], object], seconds: float = 10) -> None:
    """Wait for a condition, and fail if it does not hold in time."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def wait_for_states(client: Client, seconds: float) -> None:
    """Send requests until one has all states; fail if none has in time."""
    wait_until(lambda: client.get_list().body == EXTENDED, seconds)


def workers() -> set[threading.Thread]:
    """Return the threads that the filter reads databases with."""
    threads = threading.enumerate()
    return {each for each in threads if each.name == "extended-status"}
