# SPDX-License-Identifier: Apache-2.0
"""Differences between database systems and between drivers, as tables."""

from __future__ import annotations

import copy
import json
import math
import os
import socket
import urllib.parse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import exc
from sqlalchemy.engine import URL, make_url

from nova_ext_sts.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nova_ext_sts.settings import Database


class Select(NamedTuple):
    """A SELECT of columns, of one table, by the values of a key.

    Without a key the whole table is read.
    """

    table: str
    columns: tuple[str, ...]
    key: str = ""


class System(NamedTuple):
    """How one database system is queried, and what its errors mean."""

    #: The comparison of a key with a number of ids.
    among: Callable[[int], str]
    #: The parameters of that comparison.
    parameters: Callable[[Sequence[str]], tuple[Any, ...]]
    #: Statements for each new connection; where the server does not know a
    #: variable, it is skipped. One variable per SET and literal values, so
    #: that ProxySQL can track them.
    session: tuple[str, ...]
    #: The code of a driver's error.
    code: Callable[[BaseException], object]
    #: Codes: the variable of a SET is unknown.
    unknown: frozenset[object] = frozenset()
    #: Codes: another connection may answer.
    lost: frozenset[object] = frozenset()
    #: Codes: the user lacks a privilege.
    denied: frozenset[object] = frozenset()
    #: Codes: a table or a column is missing.
    absent: frozenset[object] = frozenset()
    #: Codes: no server answered.
    unreachable: frozenset[object] = frozenset()


def _sqlite_code(error: BaseException) -> object:
    # SQLite has one code for most errors: "no such table: instances".
    return str(error).partition(":")[0]


def _mysql_code(error: BaseException) -> object:
    return error.args[0] if error.args else None


def _postgresql_code(error: BaseException) -> object:
    code = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    # Errors of a handshake have no code; FATAL is the server's word.
    return code or ("FATAL" if "FATAL:" in str(error) else None)


SYSTEMS = {
    "sqlite": System(
        # One parameter: SQLite limits their number.
        among=lambda count: "IN (SELECT value FROM json_each(?))",
        parameters=lambda ids: (json.dumps(ids),),
        session=("PRAGMA query_only = ON",),
        code=_sqlite_code,
        absent=frozenset(("no such table", "no such column")),
        unreachable=frozenset(("unable to open database file",)),
    ),
    "mysql": System(
        # Scalars: PyMySQL 1.1 quotes a list's values with backslashes even
        # under NO_BACKSLASH_ESCAPES.
        among=lambda count: f"IN ({', '.join(['%s'] * count)})",
        parameters=tuple,
        session=(
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "SET SESSION TRANSACTION READ ONLY",
            # MariaDB's and MySQL's: a proxy may announce another server than
            # the one behind it.
            "SET SESSION max_statement_time = {seconds}",
            "SET SESSION max_execution_time = {milliseconds}",
        ),
        code=_mysql_code,
        unknown=frozenset((1193,)),
        # Galera's node without a quorum (1047); shutdowns (1053, 3032),
        # aborted, killed and idle connections.
        lost=frozenset((1047, 1053, 1152, 1184, 1927, 3032, 3169, 4031)),
        denied=frozenset((1044, 1142, 1143)),
        absent=frozenset((1054, 1146)),
        # The client library's own errors.
        unreachable=frozenset(range(2000, 3000)),
    ),
    "postgresql": System(
        # One array: psycopg adds a cast to each single parameter.
        among=lambda count: "= ANY(%s)",
        parameters=lambda ids: (list(ids),),
        session=(
            "SET SESSION CHARACTERISTICS AS TRANSACTION "
            "ISOLATION LEVEL READ COMMITTED",
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            "SET statement_timeout = {milliseconds}",
            # Every table is read by a unique key; the planner would scan one
            # of 100,000 rows for a page of 1,000.
            "SET enable_seqscan = off",
        ),
        code=_postgresql_code,
        # Shutdowns, idle time-outs, "cached plan must not change result type"
        # (0A000), and errors that no server has sent.
        lost=frozenset(("57P01", "57P02", "57P03", "57P05", "0A000", None)),
        denied=frozenset(("42501",)),
        absent=frozenset(("42P01", "42703")),
        unreachable=frozenset((None,)),
    ),
}
# SQLAlchemy's second name for the same system.
SYSTEMS["mariadb"] = SYSTEMS["mysql"]


#: Takes a connection that is being made, for ``cut``.
Note = Callable[[Any], None]
#: Takes the driver's arguments; returns a connection, or None to let the
#: driver connect with the changed arguments.
Connect = Callable[[Any, dict[str, Any], Note], Any]


class Driver(NamedTuple):
    """How one DB-API driver connects."""

    #: What to install to have it.
    package: str
    #: Arguments of the driver's connect(), given the time-out in seconds.
    arguments: Callable[[float], dict[str, Any]]
    #: Returns what connects in place of the driver's connect(), for one
    #: database, if anything does.
    connector: Callable[[], Connect | None] = lambda: None


def _pymysql_connector() -> Connect:
    """Connect in two steps, so that the socket of a handshake is known."""
    import pymysql

    template: list[pymysql.Connection[Any]] = []

    def connect(
        args: Sequence[Any], options: dict[str, Any], note: Note
    ) -> Any:
        if not template or any(name.startswith("ssl") for name in options):
            template[:] = [
                pymysql.Connection(*args, defer_connect=True, **options)
            ]
        # PyMySQL 1.2 builds a TLS context for each connection object, which
        # takes 50 ms of CPU. With the operator's own certificates it must:
        # their files may have changed.
        connection = copy.copy(template[0])
        note(connection)
        connection.connect()
        return connection

    return connect


def _connect_sqlite(
    args: list[Any], options: dict[str, Any], note: Note
) -> None:
    """Open a file that exists; SQLite would make a missing one."""
    path = args[0]
    if options.get("uri"):
        if "mode=" not in path:
            args[0] = f"{path}{'&' if '?' in path else '?'}mode=rw"
    elif path != ":memory:":
        args[0] = f"file:{urllib.parse.quote(path)}?mode=rw"
        options["uri"] = True


def _libpq_arguments(seconds: float) -> dict[str, Any]:
    return {
        # Whole seconds, and two at least.
        "connect_timeout": max(2, math.ceil(seconds)),
        "tcp_user_timeout": round(seconds * 1000),
        # A database in SQL_ASCII would give bytes.
        "client_encoding": "utf8",
    }


#: By SQLAlchemy's name of the driver.
DRIVERS = {
    "pysqlite": Driver(
        package="Python with SQLite",
        # How long a query waits for a writer.
        arguments=lambda seconds: {"timeout": seconds},
        connector=lambda: _connect_sqlite,
    ),
    "pymysql": Driver(
        package="nova-ext-sts[mysql]",
        # connect_timeout alone would hang on a silent server.
        arguments=lambda seconds: {
            "connect_timeout": 0.9 * seconds,
            "read_timeout": 1.1 * seconds,
            "write_timeout": 1.1 * seconds,
        },
        connector=_pymysql_connector,
    ),
    "mysqldb": Driver(
        package="nova-ext-sts[mysqlclient]",
        arguments=lambda seconds: dict.fromkeys(
            ("connect_timeout", "read_timeout", "write_timeout"),
            math.ceil(seconds),
        ),
    ),
    "psycopg": Driver(
        package="nova-ext-sts[postgresql]",
        # Behind a transaction pool, a prepared statement may be another
        # client's.
        arguments=lambda seconds: {
            **_libpq_arguments(seconds),
            "prepare_threshold": None,
        },
    ),
    "psycopg2": Driver(package="psycopg2", arguments=_libpq_arguments),
}

#: Parameters that name files; some drivers' errors do not name them. libpq
#: takes "system", too.
_FILES = frozenset(
    ("ssl_ca", "ssl_cert", "ssl_key", "sslrootcert", "sslcert", "sslkey")
)

_USUAL = "mysql+pymysql, mysql+mysqldb, postgresql+psycopg or sqlite"


def url_of(settings: Database) -> URL:
    """Return the URL of a database, with all its parameters.

    :raises ConfigurationError: the URL does not parse, or names an unknown
        database system, a driver that is not installed or no database
    """
    malformed = ConfigurationError(
        f"The URL of the {settings.name} ({settings.option}) does not parse: "
        "write DIALECT+DRIVER://USER:PASSWORD@HOST/NAME, with every special "
        "character of the password %-encoded."
    )
    try:
        url = make_url(settings.url)
        if settings.parameters:
            url = url.update_query_string(settings.parameters, append=True)
    except (exc.ArgumentError, ValueError):
        # The text may hold a password.
        raise malformed from None
    if url.get_backend_name() != "sqlite" and (
        # A password that is taken for a part of the host or the database, as
        # with one slash too many.
        "@" in f"{url.host}{url.database}" or not url.database
    ):
        raise malformed
    for name in ("password", "passwd"):
        # As the password, SQLAlchemy hides it.
        if name in url.query:
            url = url.set(password=str(url.query[name]))
            url = url.difference_update_query([name])
    for name in _FILES.intersection(url.query):
        path = str(url.query[name])
        if path != "system" and not os.access(path, os.R_OK):
            raise ConfigurationError(
                f"The URL of the {settings.name} ({settings.option}) names "
                f"the file {path} in {name}, which cannot be read."
            )
    _import_driver(url, settings)
    return url


def _import_driver(url: URL, settings: Database) -> None:
    try:
        dialect = url.get_dialect()
        driver = DRIVERS[dialect.driver]
    except (exc.NoSuchModuleError, KeyError):
        raise ConfigurationError(
            f"The URL of the {settings.name} ({settings.option}) names "
            f"{url.drivername}, which is not supported: use {_USUAL}."
        ) from None
    try:
        # SQLAlchemy 1.4 has the second name.
        names = ("import_dbapi", "dbapi")
        next(getattr(dialect, n) for n in names if hasattr(dialect, n))()
    except ImportError:
        raise ConfigurationError(
            f"The driver {url.drivername} of the {settings.name} is not "
            f"installed: install {driver.package}, or use {_USUAL} in "
            f"{settings.option}."
        ) from None


def place_of(url: URL) -> str:
    """Return a URL without user, password and parameters."""
    return URL.create(
        url.get_backend_name(),
        host=url.host,
        port=url.port,
        database=url.database,
    ).render_as_string()


def reason_of(error: BaseException, url: URL) -> str:
    """Return a driver's error as one line, without SQL, ids or secrets."""
    # str() of SQLAlchemy's error holds the statement and its parameters.
    cause = getattr(error, "orig", None) or error
    reason = (str(cause).strip() or type(cause).__name__).splitlines()[0]
    # A server repeats the user's name, which may be the password, too.
    for secret in filter(None, (url.username, url.password)):
        for quote in "'\"":
            quoted = f"{quote}{secret}{quote}"
            reason = reason.replace(quoted, f"{quote}***{quote}")
    return reason


def cut(connection: Any) -> None:
    """End whatever another thread waits for on a driver's connection.

    During their handshake mysqlclient and libpq give no socket: their own
    time-outs end it.
    """
    if hasattr(connection, "interrupt"):
        connection.interrupt()  # SQLite
        return
    # PyMySQL's read time-out begins anew with each byte.
    connection = getattr(connection, "_sock", connection)
    fileno = getattr(connection, "fileno", None)
    if fileno is not None:
        with socket.socket(fileno=os.dup(fileno())) as copy:
            copy.shutdown(socket.SHUT_RDWR)
