# SPDX-License-Identifier: Apache-2.0
"""Worker threads that read one database, with deadlines and back-offs.

The drivers' own time-outs are for single steps, and some drivers have none
for reading: only a response that waits for another thread can give up in
time. Each worker thread owns one connection, and takes queries only while it
is connected.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import math
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, exc

from nova_ext_sts.records import (
    AccessDenied,
    DatabaseUnavailable,
    RecordsUnavailable,
    SchemaMismatch,
    Unreachable,
    backoff,
)
from nova_ext_sts.records.systems import DRIVERS, SYSTEMS, cut, failure_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection, Engine

    from nova_ext_sts.records.systems import Select
    from nova_ext_sts.settings import Database as DatabaseSettings

    Rows = Sequence[Sequence[Any]]

THREAD_NAME = "extended-status"

#: Of a query that had hardly any time: nobody's failure.
_TOO_LATE = RecordsUnavailable("no time was left for it")


def _held_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclasses.dataclass(eq=False)
class Query:
    """A SELECT that a worker thread runs, or will run."""

    workers: Workers
    select: Select
    #: Values of the select's key.
    ids: Sequence[str]
    #: When its response gives up, by ``time.monotonic``.
    deadline: float
    began: float
    #: Whether it is a health check's, which gives up early.
    is_check: bool
    #: Of the circuit breaker.
    attempt: int = 0
    is_retried: bool = False
    #: Whether its statement failed, which says nothing about others.
    is_faulty: bool = False
    #: The connection that runs it.
    link: _Link | None = None
    is_done: bool = False
    #: Rows may hold passwords: the URLs of cells.
    result: Rows | RecordsUnavailable = dataclasses.field(
        default=(), repr=False
    )
    #: Held until it is done. A future takes ten times as long to make.
    pending: threading.Lock = dataclasses.field(default_factory=_held_lock)

    def finish(self, result: Rows | RecordsUnavailable) -> None:
        """Wake up the response; called with the workers' lock, once."""
        self.is_done = True
        self.result = result
        self.pending.release()

    def rows(self) -> Rows:
        """Return the rows, waiting for them until the deadline.

        :raises DatabaseUnavailable: the database failed; the log has it
        :raises RecordsUnavailable: there was too little time to tell
        """
        workers = self.workers
        left = self.deadline - time.monotonic()
        if not self.pending.acquire(timeout=max(0.0, left)):
            workers.abandon(self)
        error = self.result
        if not isinstance(error, RecordsUnavailable):
            workers.outage.succeeded(self.began)
            workers.outage.of(self.select).succeeded(self.began)
            return error
        if isinstance(error, DatabaseUnavailable):
            outage = workers.outage
            if self.is_faulty:
                outage = outage.of(self.select)
            outage.failed(error.reason, self.began)
        # Several responses may share the error, and tracebacks would pile up.
        raise type(error)(f"{workers.name}: {error.reason}")


@dataclasses.dataclass(eq=False)
class _Link:
    """The connection of one worker thread, for other threads to cut."""

    #: Of the back-off of connecting.
    attempt: int
    #: The driver's connection, as soon as it is known.
    connection: Any = None
    #: Of the workers' generations.
    generation: int = 0
    #: When it is too old to be used after a pause.
    expires: float = math.inf
    #: Set once the connection is made, or cannot be.
    is_made: threading.Event = dataclasses.field(
        default_factory=threading.Event
    )

    def guard(self, seconds: float) -> None:
        """Cut a connection that is not made in time, once it is known."""
        while not self.is_made.wait(seconds):
            self.cut()
            seconds = 0.1

    def cut(self) -> None:
        with contextlib.suppress(Exception):
            cut(self.connection)


class Workers:
    """The worker threads of one database and process, and its back-offs.

    One lock guards all of it, the queries' attributes too.
    """

    def __init__(
        self,
        settings: DatabaseSettings,
        engine: Engine,
        outage: backoff.Outage,
    ) -> None:
        self.name = settings.name
        self.timeout = settings.timeout
        self.outage = outage
        self._settings = settings
        self._engine = engine
        self._system = SYSTEMS[engine.url.get_backend_name()]
        self._connector = DRIVERS[engine.driver].connector()
        event.listen(engine, "do_connect", self._do_connect)
        # Before the statements that begin a session.
        event.listen(engine, "connect", self._note, insert=True)
        self._pid = os.getpid()
        self._lock = threading.Condition()
        self._queue: collections.deque[Query] = collections.deque()
        self._connecting = backoff.BackOff()
        #: The circuit breaker.
        self._querying = backoff.BackOff()
        #: The last failure, which queries repeat while they are suspended.
        self._failure = DatabaseUnavailable("")
        #: The connection that is being made: one at a time.
        self._new: _Link | None = None
        self._connected = 0
        self._idle = 0
        #: When the first of the queries began that had no answer since then,
        #: and when the last of them was given up.
        self._silent_since = math.inf
        self._abandoned_at = -math.inf
        #: Rises when a connection was lost; the older ones are closed.
        self._generation = 0
        self._is_closed = False

    # Called by responses.

    def query(
        self,
        select: Select,
        ids: Sequence[str],
        deadline: float,
        is_check: bool,
    ) -> Query:
        """Queue a query, or fail it while the database is suspended."""
        now = time.monotonic()
        deadline = min(deadline, now + self.timeout)
        query = Query(self, select, ids, deadline, now, is_check)
        with self._lock:
            if self._querying.is_suspended:
                query.finish(self._failure)
            elif query.began >= query.deadline:
                query.finish(_TOO_LATE)
            elif not (
                self._grow(len(self._queue) + 1)
                or self._connected
                # The first connection is waited for; one that is tried after
                # a failure is not.
                or (self._new and not self._connecting.is_failing)
            ):
                query.finish(self._failure)
            else:
                query.attempt = self._querying.attempt()
                self._queue.append(query)
                self._lock.notify()
        return query

    def abandon(self, query: Query) -> None:
        """Fail a query whose response waits no longer."""
        with self._lock:
            if query.is_done:
                return
            now = time.monotonic()
            waited = now - query.began
            if query.link:
                query.link.cut()
                error = DatabaseUnavailable(f"no answer in {waited:.1f} s")
            else:
                self._queue.remove(query)
                kind = DatabaseUnavailable if self._connected else Unreachable
                error = kind(f"no connection in {waited:.1f} s")
            if not query.is_check:
                if query.began - self._abandoned_at > self.timeout:
                    self._silent_since = query.began
                self._silent_since = min(self._silent_since, query.began)
                self._abandoned_at = now
            if query.is_check or now - self._silent_since < self.timeout / 2:
                # Or its response had waited for another database: this proves
                # nothing about this one.
                self._querying.retract(query.attempt)
                query.finish(RecordsUnavailable(error.reason))
                return
            if query.link:
                # Others that have been open may be silent, too.
                self._renew()
            self._fail(query, error)

    def close(self) -> None:
        """Close the connections as soon as they are not in use."""
        # In a child process, the lock may have been copied while it was held.
        if self._pid == os.getpid():
            with self._lock:
                self._is_closed = True
                self._failure = DatabaseUnavailable("it is no longer used")
                self._lock.notify_all()

    # Called with the lock.

    def _is_slow(self, seconds: float) -> bool:
        """Return whether a failure has delayed its response."""
        return seconds >= max(0.1, self.timeout / 10)

    def _fail(self, query: Query, error: DatabaseUnavailable) -> None:
        query.finish(error)
        self._silent_since = math.inf
        if not self._is_slow(time.monotonic() - query.began):
            self._querying.succeeded(query.attempt)
        elif self._querying.failed(query.attempt, is_slow=True):
            self._fail_queue(error)

    def _fail_queue(self, error: DatabaseUnavailable) -> None:
        self._failure = error
        while self._queue:
            query = self._queue.popleft()
            self._querying.retract(query.attempt)
            query.finish(error)

    def _renew(self) -> None:
        """Close all connections that are open now, once they are idle."""
        self._generation += 1
        self._lock.notify_all()

    def _grow(self, queued: int) -> bool:
        """Start a worker, if one is needed and may be."""
        if (
            queued <= self._idle
            or self._new
            or self._is_closed
            or self._connected >= self._settings.max_connections
            or self._connecting.is_suspended
        ):
            return False
        self._new = link = _Link(self._connecting.attempt())
        try:
            threading.Thread(
                target=self._work, args=[link], name=THREAD_NAME, daemon=True
            ).start()
        except RuntimeError as error:
            # Too many threads, or the process is about to end.
            self._new = None
            self._failure = DatabaseUnavailable(str(error))
            self._connecting.failed(link.attempt, is_slow=False)
            return False
        return True

    def _serve_queue(self) -> None:
        """Find a worker for what is queued, or fail it."""
        if not self._queue:
            return
        self._lock.notify()
        if not (self._grow(len(self._queue)) or self._connected or self._new):
            # From now on the back-off of connecting suspends it.
            self._fail_queue(self._failure)

    # The worker threads.

    def _work(self, link: _Link) -> None:
        """Connect, and run queries while connected."""
        connection = self._connect(link)
        if connection is None:
            return
        try:
            while query := self._take(link):
                if not self._run(connection, query, link):
                    break
        finally:
            with contextlib.suppress(Exception):
                connection.invalidate()
                connection.close()
            with self._lock:
                self._connected -= 1
                self._serve_queue()

    def _connect(self, link: _Link) -> Connection | None:
        began = time.monotonic()
        guard = threading.Thread(
            target=link.guard, args=[self.timeout], daemon=True
        )
        try:
            guard.start()
            connection = self._engine.connect()
        except BaseException as error:
            waited = time.monotonic() - began
            failure = failure_of(error, self._engine.url)
            if waited >= self.timeout:
                failure = Unreachable(f"no connection in {waited:.1f} s")
            link.cut()  # The statements that begin a session may have failed.
            with self._lock:
                self._new = None
                self._failure = failure
                self._connecting.failed(
                    link.attempt, is_slow=self._is_slow(waited)
                )
                self._serve_queue()
            return None
        finally:
            link.is_made.set()
        with self._lock:
            self._new = None
            self._connected += 1
            self._connecting.succeeded(link.attempt)
            link.generation = self._generation
            if self._settings.recycle >= 0:
                link.expires = time.monotonic() + self._settings.recycle
            self._grow(len(self._queue) - 1)
        return connection

    def _take(self, link: _Link) -> Query | None:
        """Return the next query; None to close the connection."""
        with self._lock:
            while not self._is_closed and link.generation == self._generation:
                if self._queue:
                    query = self._queue.popleft()
                    query.link = link
                    return query
                self._idle += 1
                self._lock.wait()
                self._idle -= 1
                if time.monotonic() > link.expires:
                    break
        return None

    def _run(self, connection: Connection, query: Query, link: _Link) -> bool:
        """Run a query; return False if its connection cannot be used again."""
        try:
            statement = self._system.statement(query.select, query.ids)
            result = connection.exec_driver_sql(*statement)
            # As the driver gives them: SQLAlchemy's rows cost a fifth.
            rows: Rows = result.cursor.fetchall()
            result.close()
        except BaseException as error:
            is_lost = self._is_lost(error, link)
            with self._lock:
                if query.is_done:
                    return not is_lost
                query.link = None
                if is_lost:
                    # Others that have been open may be dead, too.
                    self._renew()
                if (
                    is_lost
                    and not query.is_retried
                    and time.monotonic() < query.deadline
                ):
                    query.is_retried = True
                    self._queue.appendleft(query)
                else:
                    failure = failure_of(error, self._engine.url)
                    query.is_faulty = isinstance(
                        failure, AccessDenied | SchemaMismatch
                    )
                    self._fail(query, failure)
            return not is_lost
        with self._lock:
            query.link = None
            self._silent_since = math.inf
            if not query.is_done:
                self._querying.succeeded(query.attempt)
                query.finish(rows)
        return True

    def _is_lost(self, error: BaseException, link: _Link) -> bool:
        """Return whether another connection may answer."""
        if not isinstance(error, exc.DBAPIError) or error.orig is None:
            return True  # The state of this one is not known.
        return (
            error.connection_invalidated
            or self._system.code(error.orig) in self._system.lost
            # PyMySQL closes a connection after packets out of order, as MySQL
            # Router sends for one that was idle for too long.
            or not getattr(link.connection, "open", True)
        )

    # New connections; called by SQLAlchemy in the new worker's thread.

    def _do_connect(
        self, dialect: Any, _record: Any, args: Any, options: Any
    ) -> Any:
        return self._connector and self._connector(args, options, self._note)

    def _note(self, connection: Any, _record: Any = None) -> None:
        if self._new:
            self._new.connection = connection
