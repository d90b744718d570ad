# SPDX-License-Identifier: Apache-2.0
"""One database, read through SQLAlchemy: pooled, read-only, with time-outs.

Plain engines and plain SELECTs, which need none of what oslo.db adds: its ping
and its retries would cost each lookup more than the query.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import event, exc

from nova_ext_sts.records import RecordsUnavailable
from nova_ext_sts.records.outage import Outage
from nova_ext_sts.records.reading import Progress, Reading
from nova_ext_sts.records.systems import SYSTEMS, System, driver_of
from nova_ext_sts.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nova_ext_sts.settings import Database

#: A page of a list is one statement, whatever its length up to this.
CHUNK = 10_000


#: The progress of the reading for which a thread works.
_THREAD = threading.local()


class _Process(NamedTuple):
    """What one process has of its own: no socket or thread survives a fork."""

    engine: sa.Engine
    threads: ThreadPoolExecutor
    outage: Outage


class ReadOnlyDatabase:
    """One database; an object that threads share and that survives a fork.

    Nothing connects before the first read.

    :raises ConfigurationError: the URL does not parse, or names a database
        system or a driver that is not there
    """

    def __init__(self, settings: Database) -> None:
        self.settings = settings
        self._url = _parsed(settings)
        self._driver = driver_of(self._url, settings.name)
        self._processes: dict[int, _Process] = {}

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
        process = self._process()
        if process.outage.is_left_alone():
            raise RecordsUnavailable(
                f"{self.settings.name}: left alone for a while", logged=True
            )
        progress = Progress()
        try:
            future = process.threads.submit(
                self._rows, process.engine, select, ids, deadline, progress
            )
        except RuntimeError as error:
            # Disposed of meanwhile, or the process is about to end.
            raise RecordsUnavailable(
                f"{self.settings.name}: no longer read", logged=True
            ) from error
        return Reading(
            self.settings.name,
            future,
            progress,
            timeout=self.settings.timeout,
            deadline=deadline,
            outage=process.outage,
            reason_of=self._reason,
        )

    def dispose(self) -> None:
        """Close the connections that are not in use; others when returned."""
        process = self._processes.pop(os.getpid(), None)
        if process is not None:
            process.threads.shutdown(wait=False)
            process.engine.dispose()

    def _rows(
        self,
        engine: sa.Engine,
        select: str,
        ids: Sequence[str] | None,
        deadline: float,
        progress: Progress,
    ) -> list[Sequence[Any]]:
        system = SYSTEMS[self._url.get_backend_name()]
        statement = _statement(select, system)

        def rows() -> list[Sequence[Any]]:
            found: list[Sequence[Any]] = []
            with engine.connect() as connection:
                progress.connection = connection.connection.dbapi_connection
                for parameters in _chunks(ids, system):
                    found += connection.execute(statement, parameters).all()
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

    def _process(self) -> _Process:
        pid = os.getpid()
        process = self._processes.get(pid)
        if process is None:
            place = _place(self._url)
            # No lock, which a fork might copy while it is held: of two made
            # at once one is dropped before it has connected.
            process = self._processes.setdefault(
                pid,
                _Process(
                    self._new_engine(),
                    # One for each connection: none is waited for in vain.
                    ThreadPoolExecutor(
                        self.settings.max_connections,
                        thread_name_prefix="extended-status",
                    ),
                    Outage(f"the {self.settings.name} ({place})"),
                ),
            )
        return process

    def _new_engine(self) -> sa.Engine:
        settings = self.settings
        engine = sa.create_engine(
            self._url,
            # One statement is one transaction: no BEGIN and no ROLLBACK, which
            # would each be a round trip.
            isolation_level="AUTOCOMMIT",
            pool_reset_on_return=None,
            poolclass=sa.QueuePool,
            pool_size=settings.max_connections,
            max_overflow=0,
            pool_recycle=settings.recycle,
            # What the operator wrote in the URL wins.
            connect_args={
                name: value
                # Who waits gives up first; this is for the thread behind.
                for name, value in self._driver.timeouts(
                    settings.timeout * 1.1
                ).items()
                if name not in self._url.query
            },
        )
        # Before all that SQLAlchemy asks a new connection.
        event.listen(engine, "connect", _note_connection, insert=True)
        event.listen(engine, "connect", self._begin_session)
        if self._url.get_backend_name() == "sqlite":
            event.listen(engine, "do_connect", _open_existing)
        return engine

    def _begin_session(self, connection: Any, _record: Any) -> None:
        backend = self._url.get_backend_name()
        # The server gives up before who waits for it does: an error tells that
        # it is there, and is not to be left alone.
        seconds = self.settings.timeout * 0.9
        statements = list(SYSTEMS[backend].session)
        if SYSTEMS[backend] is SYSTEMS["mysql"]:
            # The two forks name the time-out of a statement differently.
            statements.append(
                "SET SESSION max_statement_time = {seconds}"
                if "MariaDB" in connection.get_server_info()
                else "SET SESSION max_execution_time = {milliseconds}"
            )
            if self.settings.wsrep_sync_wait is not None:
                statements.append(
                    "SET SESSION wsrep_sync_wait = "
                    f"{self.settings.wsrep_sync_wait}"
                )
        with contextlib.closing(connection.cursor()) as cursor:
            for statement in statements:
                cursor.execute(
                    statement.format(
                        seconds=seconds, milliseconds=round(seconds * 1000)
                    )
                )
        connection.commit()

    def _reason(self, error: Exception) -> str:
        """Return an error in one line, without SQL, ids or secrets."""
        # str() of SQLAlchemy's own error has the statement and its
        # parameters; that of the driver's error below it has not.
        cause = getattr(error, "orig", None) or error
        line = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        password = self._url.password
        return line.replace(str(password), "***") if password else line


@functools.cache
def _statement(select: str, system: System) -> sa.TextClause:
    statement = sa.text(select.format(among=system.among))
    if "{among}" in select:
        return statement.bindparams(
            sa.bindparam("ids", expanding=system.expanding)
        )
    return statement


def _chunks(
    ids: Sequence[str] | None, system: System
) -> Iterator[dict[str, Any]]:
    """Yield the parameters of each statement that is needed."""
    if ids is None:
        yield {}
        return
    for start in range(0, len(ids), CHUNK):
        yield {"ids": system.parameter(ids[start : start + CHUNK])}


def _parsed(settings: Database) -> sa.URL:
    try:
        url = sa.make_url(settings.url)
        if settings.parameters:
            url = url.update_query_string(settings.parameters, append=True)
    except (exc.ArgumentError, ValueError):
        # from None: the text of a URL that does not parse may hold a password.
        raise ConfigurationError(
            f"The URL of the {settings.name} does not parse: write "
            "DIALECT+DRIVER://USER:PASSWORD@HOST/NAME, with every special "
            "character of the password %-encoded."
        ) from None
    return url


def _place(url: sa.URL) -> str:
    """Return where a database is, without user, password or parameters."""
    place = sa.URL.create(
        url.get_backend_name(),
        host=url.host,
        port=url.port,
        database=url.database,
    )
    return place.render_as_string()


def _note_connection(connection: Any, _record: Any) -> None:
    """Have whoever gives up waiting know what is being connected."""
    _THREAD.progress.connection = connection


def _open_existing(
    _dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]
) -> None:
    """Have SQLite open a file, but never make one."""
    path = arguments[0]
    if path != ":memory:" and not options.get("uri"):
        arguments[0] = f"file:{urllib.parse.quote(path)}?mode=rw"
        options["uri"] = True
