# SPDX-License-Identifier: Apache-2.0
"""One database, read in threads of its own, so that nobody waits too long."""

from __future__ import annotations

import functools
import os
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import event, exc

from nova_ext_sts.records import RecordsUnavailable, packed
from nova_ext_sts.records.engines import (
    new_engine,
    place_of,
    reason_of,
    url_of,
)
from nova_ext_sts.records.outage import NoAccount, Outage
from nova_ext_sts.records.reading import Progress, Reading
from nova_ext_sts.records.systems import DRIVERS, SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nova_ext_sts.records.outage import Account
    from nova_ext_sts.records.systems import System
    from nova_ext_sts.settings import Database

#: A page of a list is one statement, whatever its length up to this.
CHUNK = 10_000

#: The progress of the reading for which a thread works.
_THREAD = threading.local()


class _Workers(NamedTuple):
    """What reads one database."""

    engine: sa.Engine
    threads: ThreadPoolExecutor
    outage: Account


#: Those that somebody holds, so that all filters in a process share them: the
#: same connections, and one account of an outage.
_KNOWN: weakref.WeakValueDictionary[Database, ReadOnlyDatabase] = (
    weakref.WeakValueDictionary()
)


def database_of(settings: Database) -> ReadOnlyDatabase:
    """Return the one object of a process for a database with these settings.

    :raises ConfigurationError: as for ``ReadOnlyDatabase``
    """
    known = _KNOWN.get(settings)
    return known or _KNOWN.setdefault(settings, ReadOnlyDatabase(settings))


class ReadOnlyDatabase:
    """One database; an object that threads share and that survives a fork.

    Nothing connects before the first read.

    :raises ConfigurationError: the URL does not parse, names a database
        system or a driver that is not there, or has a bad parameter
    """

    def __init__(self, settings: Database) -> None:
        self.settings = settings
        self.url = url_of(settings)
        #: By process id: no socket and no thread survives a fork.
        self._workers: dict[int, _Workers] = {}

    @property
    def place(self) -> str:
        """Where it is, without user, password or parameters."""
        return place_of(self.url)

    def read(
        self,
        select: str,
        ids: Sequence[str] | None = None,
        *,
        deadline: float,
    ) -> Reading:
        """Begin to read, and return what waits for the rows.

        :param select: the statement; ``{among}`` in it is the comparison with
            any of ``ids``
        :param deadline: when to give up, by ``time.monotonic``
        :raises RecordsUnavailable: the database has kept others waiting just
            now, and is left alone for a while
        """
        engine, threads, outage = self._workers_here()
        if outage.is_left_alone():
            raise RecordsUnavailable(
                f"{self.settings.name}: left alone for a while", logged=True
            )
        progress = Progress()
        try:
            future = threads.submit(
                self._rows, engine, select, ids, deadline, progress
            )
        except RuntimeError as error:
            # The process is about to end, or has no thread to spare; or this
            # was disposed of meanwhile.
            reason = f"no longer read ({error})"
            outage.failed(reason)
            raise RecordsUnavailable(
                f"{self.settings.name}: {reason}", logged=True
            ) from error
        return Reading(
            self.settings.name,
            future,
            progress,
            timeout=self.settings.timeout,
            deadline=deadline,
            outage=outage,
            reason_of=functools.partial(reason_of, url=self.url),
        )

    def dispose(self) -> None:
        """Close the connections that are not in use; others when returned."""
        workers = self._workers.pop(os.getpid(), None)
        if workers is not None:
            workers.threads.shutdown(wait=False)
            workers.engine.dispose()

    def _rows(
        self,
        engine: sa.Engine,
        select: str,
        ids: Sequence[str] | None,
        deadline: float,
        progress: Progress,
    ) -> list[Sequence[Any]]:
        system = SYSTEMS[self.url.get_backend_name()]
        statement = select.format(among=system.among)
        template = DRIVERS[engine.dialect.driver].packed
        is_long = ids is not None and len(ids) >= packed.MANY
        as_one = packed.packed(statement, template) if is_long else ""

        def rows() -> list[Sequence[Any]]:
            found: list[Sequence[Any]] = []
            with engine.connect() as connection:
                progress.connection = connection.connection.dbapi_connection
                try:
                    for parameters in _chunks(ids, system):
                        found += _read(
                            connection, statement, as_one, parameters
                        )
                except Exception:
                    # The fault may be the connection's: its node has left the
                    # cluster, its plan is older than the table.
                    connection.invalidate()
                    raise
                # From here on it may be somebody else's.
                progress.connection = None
            return found

        progress.began = time.monotonic()
        _THREAD.progress = progress
        try:
            return rows()
        except exc.DBAPIError as error:
            if not error.connection_invalidated or time.monotonic() > deadline:
                raise
        # A connection that had been waiting in the pool was dead. SQLAlchemy
        # has emptied the pool; the next one is new.
        return rows()

    def _workers_here(self) -> _Workers:
        pid = os.getpid()
        workers = self._workers.get(pid)
        if workers is None:
            settings = self.settings
            engine = new_engine(settings, self.url)
            # Before all that is asked of a new connection.
            event.listen(engine, "connect", _note_connection, insert=True)
            # No lock, which a fork might copy while it is held: of two made
            # at once one is dropped before it has connected.
            workers = self._workers.setdefault(
                pid,
                _Workers(
                    engine,
                    # One for each connection: none is waited for in vain.
                    ThreadPoolExecutor(
                        settings.max_connections,
                        thread_name_prefix="extended-status",
                    ),
                    NoAccount()
                    if settings.is_probed
                    else Outage(f"the {settings.name} ({self.place})"),
                ),
            )
        return workers


def _chunks(
    ids: Sequence[str] | None, system: System
) -> Iterator[tuple[Any, ...] | None]:
    """Yield the parameters of each statement that is needed."""
    if ids is None:
        yield None
        return
    for start in range(0, len(ids), CHUNK):
        yield (system.parameter(ids[start : start + CHUNK]),)


def _read(
    connection: sa.Connection,
    statement: str,
    as_one: str,
    parameters: tuple[Any, ...] | None,
) -> Sequence[Sequence[Any]]:
    """Return the rows of a statement.

    :param as_one: the statement that gives them packed, if that is faster
    """
    if as_one:
        rows = packed.unpacked(_fetched(connection, as_one, parameters))
        if rows is not None:
            return rows
    return _fetched(connection, statement, parameters)


def _fetched(
    connection: sa.Connection,
    statement: str,
    parameters: tuple[Any, ...] | None,
) -> Sequence[Sequence[Any]]:
    # As the driver takes it and gives it: SQLAlchemy's statements and rows
    # take a fifth as much again.
    result = connection.exec_driver_sql(statement, parameters)
    rows: Sequence[Sequence[Any]] = result.cursor.fetchall()
    result.close()
    return rows


def _note_connection(connection: Any, _record: Any) -> None:
    """Have whoever gives up waiting know what is being connected."""
    _THREAD.progress.connection = connection
