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
import math
import os
import threading
import time
from concurrent import futures
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import event, exc

from nova_ext_sts.records import (
    AccessDenied,
    DatabaseUnavailable,
    RecordsUnavailable,
    SchemaMismatch,
    Unreachable,
    backoff,
)
from nova_ext_sts.records.systems import DRIVERS, SYSTEMS, cut, reason_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection, Engine

    from nova_ext_sts.settings import Database as DatabaseSettings

    Rows = list[Sequence[Any]]

THREAD_NAME = "extended-status"

#: Of a query that had hardly any time: nobody's failure.
_TOO_LATE = RecordsUnavailable("no time was left for it")


class Statement(NamedTuple):
    """An SQL statement, and its sets of parameters: one, or none."""

    sql: str
    parameters: list[tuple[Any, ...]]


class Query:
    """A query that a worker thread runs, or will run.

    :param deadline: when its response gives up, by ``time.monotonic``
    """

    def __init__(
        self,
        workers: Workers,
        statements: Sequence[Statement],
        deadline: float,
    ) -> None:
        self.statements = statements
        self.submitted = time.monotonic()
        self.deadline = min(deadline, self.submitted + workers.timeout)
        self.is_retried = False
        #: The connection that runs it.
        self.link: _Link | None = None
        self.future: futures.Future[Rows] = futures.Future()
        self._workers = workers

    @property
    def waited(self) -> float:
        """How long ago it was submitted, in seconds."""
        return time.monotonic() - self.submitted

    def rows(self, seconds: float = math.inf) -> Rows:
        """Return the rows, waiting for them until the deadline.

        :param seconds: the longest to wait, if less
        :raises DatabaseUnavailable: the database failed; the log has it
        :raises RecordsUnavailable: there was too little time to tell
        """
        workers = self._workers
        left = min(seconds, self.deadline - time.monotonic())
        try:
            # Not result(): the tracebacks of what is raised, which several
            # responses may share, would keep their objects alive.
            error = self.future.exception(max(0.0, left))
        except futures.TimeoutError:
            error = workers.leave(self)
        if not isinstance(error, RecordsUnavailable):
            workers.outage.succeeded()
            return self.future.result()
        if isinstance(error, DatabaseUnavailable):
            workers.outage.failed(error.reason)
        raise type(error)(f"{workers.name}: {error.reason}") from None


class _Link:
    """The connection of one worker thread, for other threads to cut."""

    def __init__(self) -> None:
        #: The driver's connection, as soon as it is known.
        self.connection: Any = None
        #: Of the workers' generations.
        self.generation = 0
        #: When it was made, and when it is too old to be used after a pause.
        self.since = self.expires = math.inf

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
        #: Rises when a connection is found silent; older ones are closed.
        self._generation = 0
        self._is_closed = False

    # Called by responses.

    def submit(self, query: Query) -> None:
        """Queue a query, or fail it while the database is suspended."""
        with self._lock:
            if query.submitted >= query.deadline:
                self._finish(query, _TOO_LATE)
            elif not self._querying.admits():
                self._finish(query, self._failure)
            else:
                self._queue.append(query)
                self._lock.notify()
                if (
                    len(self._queue) > self._idle
                    and not self._grow()
                    and not self._connected
                    # The first connection is waited for; one that is tried
                    # after a failure is not.
                    and (self._connecting.is_failing or not self._new)
                ):
                    self._queue.remove(query)
                    self._querying.succeeded(backoff.clock())
                    self._finish(query, self._failure)

    def leave(self, query: Query) -> BaseException | None:
        """Give up a query, or let it go on; return its response's error."""
        with self._lock:
            if query.future.done():
                pass
            elif query.link is None:
                self._queue.remove(query)
                # A response that had less time, since it had waited for
                # another database, proves nothing.
                if query.waited >= self.timeout / 2:
                    self._give_up(query)
                else:
                    self._querying.retract()
                    self._finish(query, _TOO_LATE)
            elif query.waited >= 0.9 * self.timeout:
                self._give_up(query)
            else:
                # It goes on, and has the whole time-out.
                left = self.timeout - query.waited
                timer = _later(left, self.give_up, query)
                query.future.add_done_callback(lambda _: timer.cancel())
                return _TOO_LATE
        return query.future.exception()

    def give_up(self, query: Query) -> None:
        """Fail a query that has had the whole time-out."""
        with self._lock:
            if not query.future.done():
                self._give_up(query)

    def close(self) -> None:
        """Close the connections as soon as they are not in use."""
        # In a child process, the lock may have been copied while it was held.
        if self._pid == os.getpid():
            with self._lock:
                self._is_closed = True
                self._failure = DatabaseUnavailable("it is no longer used")
                self._lock.notify_all()

    # The results of queries; called with the lock.

    def _is_slow(self, seconds: float) -> bool:
        """Return whether a failure has delayed its response."""
        return seconds >= max(0.1, self.timeout / 10)

    def _finish(self, query: Query, result: Rows | Exception) -> None:
        if query.future.done():
            return
        if isinstance(result, Exception):
            query.future.set_exception(result)
        else:
            query.future.set_result(result)

    def _fail(self, query: Query, error: DatabaseUnavailable) -> None:
        if query.future.done():
            return
        self._finish(query, error)
        began = backoff.clock() - query.waited
        if not self._is_slow(query.waited):
            self._querying.succeeded(began)
        elif self._querying.failed(began, is_slow=True):
            self._fail_queue(error)

    def _fail_queue(self, error: DatabaseUnavailable) -> None:
        self._failure = error
        while self._queue:
            self._finish(self._queue.popleft(), error)

    def _give_up(self, query: Query) -> None:
        what = "connection"
        if query.link:
            query.link.cut()
            # Others that have been open may be silent, too.
            self._generation += 1
            self._lock.notify_all()
            what = "answer"
        reason = f"no {what} in {query.waited:.1f} s"
        self._fail(query, DatabaseUnavailable(reason))

    # The worker threads.

    def _grow(self) -> bool:
        """Start a worker, if one may be; called with the lock."""
        if (
            self._new
            or self._is_closed
            or self._connected >= self._settings.max_connections
            or not self._connecting.admits()
        ):
            return False
        self._new = _Link()
        thread = threading.Thread(
            target=self._work, args=[self._new], name=THREAD_NAME, daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:
            # Too many threads, or the process is about to end.
            self._new = None
            self._failure = DatabaseUnavailable(str(error))
            self._connecting.failed(backoff.clock(), is_slow=False)
            return False
        return True

    def _work(self, link: _Link) -> None:
        """Connect, and take queries while connected."""
        connection = self._connect(link)
        if connection is None:
            return
        try:
            while query := self._take(link):
                if not self._run(connection, query):
                    break
        finally:
            with contextlib.suppress(Exception):
                connection.invalidate()
                connection.close()
            with self._lock:
                self._connected -= 1
                self._see_to_queue()

    def _connect(self, link: _Link) -> Connection | None:
        began, started = backoff.clock(), time.monotonic()
        try:
            timer = _later(self.timeout, link.cut)
            try:
                connection = self._engine.connect()
            finally:
                timer.cancel()
        except BaseException as error:
            waited = time.monotonic() - started
            failure = self._error(error)
            if waited >= self.timeout:
                failure = Unreachable(f"no connection in {waited:.1f} s")
            with self._lock:
                self._new = None
                self._failure = failure
                self._connecting.failed(began, is_slow=self._is_slow(waited))
                self._see_to_queue()
            return None
        with self._lock:
            self._new = None
            self._connected += 1
            self._connecting.succeeded(began)
            link.generation = self._generation
            link.since = time.monotonic()
            if self._settings.recycle >= 0:
                link.expires = link.since + self._settings.recycle
            if len(self._queue) > 1:
                self._grow()
        return connection

    def _see_to_queue(self) -> None:
        """Find a worker for what is queued, or fail it."""
        if not self._queue:
            return
        self._lock.notify()
        if not (self._grow() or self._connected or self._new):
            # From now on the back-off of connecting suspends it.
            self._querying.succeeded(backoff.clock())
            self._fail_queue(self._failure)

    def _take(self, link: _Link) -> Query | None:
        """Return the next query; None once the connection is to be closed."""
        with self._lock:
            while not self._is_closed and link.generation == self._generation:
                if self._queue:
                    query = self._queue.popleft()
                    if query.future.done():
                        continue  # It was given up while it was retried.
                    query.link = link
                    return query
                self._idle += 1
                self._lock.wait()
                self._idle -= 1
                if time.monotonic() > link.expires:
                    break
        return None

    def _run(self, connection: Connection, query: Query) -> bool:
        """Run a query; return False if its connection cannot be used again."""
        began = backoff.clock() - query.waited
        try:
            rows: Rows = []
            for statement in query.statements:
                result = connection.exec_driver_sql(*statement)
                # As the driver gives them: SQLAlchemy's rows cost a fifth.
                rows += result.cursor.fetchall()
                result.close()
        except Exception as error:
            is_lost = self._is_lost(error) or not getattr(
                # PyMySQL closes a connection after packets out of order, as
                # MySQL Router sends for one that was idle for too long.
                query.link and query.link.connection,
                "open",
                True,
            )
            with self._lock:
                if is_lost and self._may_retry(query):
                    query.is_retried = True
                    query.link = None
                    self._queue.appendleft(query)
                else:
                    self._fail(query, self._error(error))
            return not is_lost
        with self._lock:
            query.link = None
            self._querying.succeeded(began)
            self._finish(query, rows)
        return True

    def _may_retry(self, query: Query) -> bool:
        """Return whether to send a query again, on another connection."""
        # Another old connection may be dead, too.
        is_old = query.link and query.link.since < query.submitted
        return bool(
            (is_old or not query.is_retried)
            and not query.future.done()
            and query.waited < self.timeout
        )

    def _is_lost(self, error: Exception) -> bool:
        """Return whether another connection may answer."""
        if not isinstance(error, exc.DBAPIError) or error.orig is None:
            return True  # The state of this one is not known.
        code = self._system.code(error.orig)
        return error.connection_invalidated or code in self._system.lost

    def _error(self, error: BaseException) -> DatabaseUnavailable:
        """Return a driver's error as one of the package's."""
        system = self._system
        code = system.code(getattr(error, "orig", None) or error)
        kind = DatabaseUnavailable
        if code in system.denied:
            kind = AccessDenied
        elif code in system.absent:
            kind = SchemaMismatch
        elif isinstance(error, OSError) or code in system.unreachable:
            kind = Unreachable
        return kind(reason_of(error, self._engine.url))

    # New connections; called by SQLAlchemy in the new worker's thread.

    def _do_connect(
        self, dialect: Any, _record: Any, args: Any, options: Any
    ) -> Any:
        return self._connector and self._connector(args, options, self._note)

    def _note(self, connection: Any, _record: Any = None) -> None:
        if self._new:
            self._new.connection = connection


def _later(seconds: float, call: Any, *arguments: Any) -> threading.Timer:
    timer = threading.Timer(max(0.0, seconds), call, arguments)
    timer.daemon = True
    # Without threads to spare, the time-outs of the drivers must do.
    with contextlib.suppress(RuntimeError):
        timer.start()
    return timer
