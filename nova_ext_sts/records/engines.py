# SPDX-License-Identifier: Apache-2.0
"""SQLAlchemy engines that only read: pooled, with time-outs.

Plain engines, which need none of what oslo.db adds: its ping and its retries
would cost each lookup more than the query.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import urllib.parse
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import default

from nova_ext_sts.records.systems import SYSTEMS, driver_of
from nova_ext_sts.settings import ConfigurationError

if TYPE_CHECKING:
    from nova_ext_sts.settings import Database

_LOG_NAME = "extended_status"

#: SQLAlchemy has this since 2.0.43.
_NO_ROLLBACK = {
    name: True
    for name in inspect.signature(default.DefaultDialect).parameters
    if name == "skip_autocommit_rollback"
}

# At DEBUG SQLAlchemy writes each row that it reads, and those of Nova's cell
# mappings hold passwords. (A level of its own would speak where its parents
# are silent.)
logging.getLogger(f"sqlalchemy.engine.Engine.{_LOG_NAME}").addFilter(
    lambda record: record.levelno > logging.DEBUG
)


def url_of(settings: Database) -> sa.URL:
    """Return where a database is to be read, with all its parameters.

    :raises ConfigurationError: the URL does not parse, names a database
        system or a driver that is not there, or has a bad parameter
    """
    unparsed = ConfigurationError(
        f"The URL of the {settings.name} does not parse: write "
        "DIALECT+DRIVER://USER:PASSWORD@HOST/NAME, with every special "
        "character of the password %-encoded."
    )
    try:
        url = sa.make_url(settings.url)
        if settings.parameters:
            url = url.update_query_string(settings.parameters, append=True)
    except (exc.ArgumentError, ValueError):
        # from None: the text of a URL that does not parse may hold a password.
        raise unparsed from None
    if "@" in f"{url.host}{url.database}" and url.host:
        # The rest of a password: it is not to be taken for a place.
        raise unparsed
    for name in ("password", "passwd"):
        # Where SQLAlchemy hides it.
        if name in url.query:
            url = url.set(password=str(url.query[name]))
            url = url.difference_update_query([name])
    driver_of(url, settings.name)
    try:
        new_engine(settings, url).dispose()
    except (exc.ArgumentError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"The URL of the {settings.name} has a parameter that cannot be "
            f"used: {reason_of(error, url)}."
        ) from None
    return url


def place_of(url: sa.URL) -> str:
    """Return where a database is, without user, password or parameters."""
    place = sa.URL.create(
        url.get_backend_name(),
        host=url.host,
        port=url.port,
        database=url.database,
    )
    return place.render_as_string()


def reason_of(error: Exception, url: sa.URL) -> str:
    """Return an error in one line, without SQL, ids or secrets."""
    # str() of SQLAlchemy's own error has the statement and its parameters;
    # that of the driver's error below it has not.
    cause = getattr(error, "orig", None) or error
    line = (str(cause).strip() or type(cause).__name__).splitlines()[0]
    return line.replace(url.password, "***") if url.password else line


def new_engine(settings: Database, url: sa.URL) -> sa.Engine:
    """Return an engine, which does not connect before it is asked to."""
    driver = driver_of(url, settings.name)
    engine = sa.create_engine(
        url,
        logging_name=_LOG_NAME,
        # One statement is one transaction: no BEGIN and no ROLLBACK, which
        # would each be a round trip.
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,
        **_NO_ROLLBACK,
        poolclass=sa.QueuePool,
        pool_size=settings.max_connections,
        max_overflow=0,
        pool_recycle=settings.recycle,
        # What the operator wrote in the URL wins.
        connect_args={
            name: value
            # Who waits gives up first; this is for the thread behind.
            for name, value in driver.arguments(settings.timeout * 1.1).items()
            if name not in url.query
        },
    )
    event.listen(
        engine, "connect", functools.partial(_begin_session, settings, url)
    )
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "do_connect", _open_existing)
    return engine


def _begin_session(
    settings: Database, url: sa.URL, connection: Any, _record: Any
) -> None:
    system = SYSTEMS[url.get_backend_name()]
    # The server gives up before who waits for it does: an error says why.
    seconds = settings.timeout * 0.9
    statements = list(system.session)
    if system is SYSTEMS["mysql"]:
        # The two forks name the time-out of a statement differently.
        statements.append(
            "SET SESSION max_statement_time = {seconds}"
            if "MariaDB" in connection.get_server_info()
            else "SET SESSION max_execution_time = {milliseconds}"
        )
        if settings.wsrep_sync_wait is not None:
            statements.append(
                f"SET SESSION wsrep_sync_wait = {settings.wsrep_sync_wait}"
            )
    with contextlib.closing(connection.cursor()) as cursor:
        for statement in statements:
            cursor.execute(
                statement.format(
                    seconds=seconds, milliseconds=round(seconds * 1000)
                )
            )
    connection.commit()


def _open_existing(
    _dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]
) -> None:
    """Have SQLite open a file, but never make one."""
    path = arguments[0]
    if options.get("uri"):
        # SQLAlchemy has made it one, for parameters; or the operator.
        if "mode=" not in path:
            arguments[0] = f"{path}{'&' if '?' in path else '?'}mode=rw"
    elif path != ":memory:":
        arguments[0] = f"file:{urllib.parse.quote(path)}?mode=rw"
        options["uri"] = True
