# SPDX-License-Identifier: Apache-2.0
"""One database: its SQLAlchemy engine, its sessions, and its queries."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import weakref
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.pool import NullPool

from nova_ext_sts.records.backoff import Outage
from nova_ext_sts.records.systems import DRIVERS, SYSTEMS, reason_of
from nova_ext_sts.records.urls import place_of, url_of
from nova_ext_sts.records.workers import Workers
from nova_ext_sts.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import URL, Engine

    from nova_ext_sts.records.systems import Select
    from nova_ext_sts.records.workers import Query
    from nova_ext_sts.settings import Database as DatabaseSettings

_LOG_NAME = "extended_status"

# At DEBUG SQLAlchemy logs each row, and the rows of Nova's cell mappings hold
# passwords.
logging.getLogger(f"sqlalchemy.engine.Engine.{_LOG_NAME}").addFilter(
    lambda record: record.levelno > logging.DEBUG
)

#: The databases in use. All filters of a process share them: the connections
#: and the back-offs.
_KNOWN: weakref.WeakValueDictionary[DatabaseSettings, Database] = (
    weakref.WeakValueDictionary()
)


def database_of(settings: DatabaseSettings) -> Database:
    """Return a process's only object for a database with these settings.

    :raises ConfigurationError: as for ``Database``
    """
    known = _KNOWN.get(settings)
    return known or _KNOWN.setdefault(settings, Database(settings))


class Database:
    """One database; threads share the object, and it survives a fork.

    It connects on the first query, not earlier. Its connections are closed
    once the object is no longer referenced.

    :raises ConfigurationError: the URL does not parse, names a database
        system or a driver that is not there, or has a bad parameter
    """

    def __init__(self, settings: DatabaseSettings) -> None:
        self.settings = settings
        self.url = url_of(settings)
        #: What messages call it.
        self.title = f"the {settings.name} ({place_of(self.url)})"
        self._outage = Outage(self.title)
        try:
            new_engine(settings, self.url)
        except (exc.ArgumentError, TypeError, ValueError) as error:
            raise ConfigurationError(
                f"The URL of the {settings.name} ({settings.option}) has a "
                f"bad parameter: {reason_of(error, self.url)}."
            ) from None
        #: By process id: no socket and no thread survives a fork.
        self._workers: dict[int, Workers] = {}

    def query(
        self,
        select: Select,
        ids: Sequence[str] = (),
        *,
        deadline: float = math.inf,
        is_check: bool = False,
    ) -> Query:
        """Begin a query, and return it. Its failures are raised by ``rows``.

        :param ids: values of the select's key
        :param deadline: when to give up, by ``time.monotonic``; at the latest
            the settings' ``timeout`` from now
        :param is_check: whether giving up proves nothing about the database
        """
        workers = self._workers.get(os.getpid())
        if workers is None:
            engine = new_engine(self.settings, self.url)
            # No lock, which a fork might copy while it is held: of two made
            # at once, one is dropped before it has connected.
            workers = self._workers.setdefault(
                os.getpid(), Workers(self.settings, engine, self._outage)
            )
            weakref.finalize(self, workers.close).atexit = False
        return workers.query(select, ids, deadline, is_check)


def new_engine(settings: DatabaseSettings, url: URL) -> Engine:
    """Return an engine, which does not connect before it is asked to.

    Without oslo.db, whose ping and retries cost more than a lookup.
    """
    system = SYSTEMS[url.get_backend_name()]
    arguments = DRIVERS[url.get_dialect().driver].arguments(settings.timeout)
    engine = sa.create_engine(
        url,
        **system.options,
        future=True,
        logging_name=_LOG_NAME,
        # One statement is one transaction: no BEGIN and no ROLLBACK, which
        # would each be a round trip.
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,
        # The worker threads keep the connections.
        poolclass=NullPool,
        connect_args={
            name: value
            for name, value in arguments.items()
            # The operator's wins; None cannot be written in a URL.
            if name not in url.query or value is None
        },
    )
    statements = [*system.session]
    if settings.wsrep_sync_wait is not None and system is SYSTEMS["mysql"]:
        statements.append(
            f"SET SESSION wsrep_sync_wait = {settings.wsrep_sync_wait}"
        )
    # The server gives up before the response does, and says why.
    seconds = 0.9 * settings.timeout

    def begin_session(connection: Any, _record: Any) -> None:
        with contextlib.closing(connection.cursor()) as cursor:
            for statement in statements:
                try:
                    cursor.execute(
                        statement.format(
                            seconds=seconds, milliseconds=round(1000 * seconds)
                        )
                    )
                except Exception as error:
                    if system.code(error) not in system.unknown:
                        raise
        connection.commit()

    event.listen(engine, "connect", begin_session)
    return engine
