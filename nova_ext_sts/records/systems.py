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

from nova_ext_sts.records import (
    AccessDenied,
    DatabaseUnavailable,
    InvalidParameter,
    SchemaMismatch,
    Unreachable,
)

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from sqlalchemy.engine import URL


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
    #: The kinds of errors, by code.
    kinds: Mapping[object, type[DatabaseUnavailable]]
    #: Codes: the variable of a SET is unknown.
    unknown: Container[object] = ()
    #: Codes: another connection may answer.
    lost: Container[object] = ()
    #: Of SQLAlchemy's engine.
    options: Mapping[str, Any] = {}

    def statement(
        self, select: Select, ids: Sequence[str]
    ) -> tuple[str, list[tuple[Any, ...]]]:
        """Return the SQL, and its sets of parameters: one or none."""
        sql = f"SELECT {', '.join(select.columns)} FROM {select.table}"
        if not select.key:
            return sql, []
        sql += f" WHERE {select.key} {self.among(len(ids))}"
        return sql, [self.parameters(ids)]


def _postgresql_code(error: BaseException) -> object:
    code = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if code:
        return code
    # Errors of a handshake have no code: those that the server sends, those
    # that it causes, and those of parameters that libpq does not take.
    texts = ("FATAL:", "does not support SSL", "invalid")
    return next((text for text in texts if text in str(error)), None)


SYSTEMS = {
    "sqlite": System(
        # One parameter: SQLite limits their number.
        among=lambda count: "IN (SELECT value FROM json_each(?))",
        parameters=lambda ids: (json.dumps(ids),),
        session=("PRAGMA query_only = ON",),
        # SQLite has one code for most errors: "no such table: instances".
        code=lambda error: str(error).partition(":")[0],
        kinds={
            "no such table": SchemaMismatch,
            "no such column": SchemaMismatch,
            "unable to open database file": Unreachable,
        },
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
        code=lambda error: error.args[0] if error.args else None,
        kinds={
            # The client library's own errors.
            **dict.fromkeys(range(2000, 3000), Unreachable),
            2026: DatabaseUnavailable,  # TLS with a server that has answered
            **dict.fromkeys((1044, 1142, 1143), AccessDenied),
            **dict.fromkeys((1054, 1146), SchemaMismatch),
        },
        unknown=(1193,),
        # Galera's node without a quorum (1047); shutdowns (1053, 3032),
        # aborted, killed and idle connections, and with TLS (2026).
        lost=(1047, 1053, 1152, 1184, 1927, 2026, 3032, 3169, 4031),
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
        kinds={
            None: Unreachable,
            "invalid": InvalidParameter,
            "42501": AccessDenied,
            "42P01": SchemaMismatch,
            "42703": SchemaMismatch,
        },
        # Shutdowns, idle time-outs, "cached plan must not change result type"
        # (0A000), and errors that no server has sent.
        lost=("57P01", "57P02", "57P03", "57P05", "0A000", None),
        # Looking for hstore takes a query for each connection.
        options={"use_native_hstore": False},
    ),
}
# SQLAlchemy's second name for the same system.
SYSTEMS["mariadb"] = SYSTEMS["mysql"]


#: Connects in place of a driver, or changes its arguments and returns None.
#: Called with the arguments, and with what takes a connection that is being
#: made, for ``cut``.
Connect = Callable[[Any, dict[str, Any], Callable[[Any], None]], Any]


class Driver(NamedTuple):
    """How one DB-API driver connects."""

    #: What to install to have it.
    package: str
    #: Arguments of the driver's connect(), given the time-out in seconds.
    arguments: Callable[[float], dict[str, Any]]
    #: Returns what connects to one database, if not the driver itself.
    connector: Callable[[], Connect | None] = lambda: None


def _pymysql_connector() -> Connect:
    """Connect in two steps, so that the socket of a handshake is known."""
    import pymysql

    template: list[pymysql.Connection[Any]] = []

    def connect(args: Any, options: dict[str, Any], note: Any) -> Any:
        # PyMySQL 1.2 builds a TLS context for each connection object, which
        # takes 50 ms of CPU. With the operator's own certificates it must:
        # their files may have changed.
        if not template or any(name.startswith("ssl") for name in options):
            template[:] = [
                pymysql.Connection(*args, defer_connect=True, **options)
            ]
        connection = copy.copy(template[0])
        note(connection)
        connection.connect()
        return connection

    return connect


def _connect_sqlite(args: Any, options: dict[str, Any], note: Any) -> None:
    """Open a file that exists; SQLite would make a missing one."""
    if not options.get("uri") and args[0] != ":memory:":
        args[0] = f"file:{urllib.parse.quote(args[0])}?mode=rw"
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


def failure_of(error: BaseException, url: URL) -> DatabaseUnavailable:
    """Return a driver's error as one of the package's."""
    system = SYSTEMS[url.get_backend_name()]
    kind: type[DatabaseUnavailable] = DatabaseUnavailable
    if isinstance(error, OSError):
        kind = Unreachable
    elif isinstance(error, TypeError):
        # Parameters are passed to the driver as arguments.
        kind = InvalidParameter
    code = system.code(getattr(error, "orig", None) or error)
    kind = system.kinds.get(code, kind)
    return kind(reason_of(error, url))


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
