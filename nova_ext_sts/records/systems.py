# SPDX-License-Identifier: Apache-2.0
"""What differs between the database systems, and between their drivers."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import exc

from nova_ext_sts.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import sqlalchemy as sa


class System(NamedTuple):
    """How one database system is asked for many ids at once.

    ``among`` takes all ids as one parameter, in the marks of the drivers: no
    length of page makes a statement of its own. The drivers for MySQL write
    the list of its values themselves.
    """

    among: str
    parameter: Callable[[Sequence[str]], Any]
    #: Run on each new connection: reads only, and no read lasts longer than
    #: the {seconds} or {milliseconds} of the time-out.
    session: tuple[str, ...]


SYSTEMS = {
    "sqlite": System(
        among="IN (SELECT value FROM json_each(?))",
        parameter=json.dumps,
        session=("PRAGMA query_only = ON",),
    ),
    "mysql": System(
        among="IN %s",
        parameter=list,
        session=(
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, "
            "READ ONLY",
            # What a driver has packed may be as long as any answer.
            "SET SESSION group_concat_max_len = @@max_allowed_packet",
        ),
    ),
    "postgresql": System(
        among="= ANY(%s)",
        parameter=list,
        session=(
            "SET SESSION CHARACTERISTICS AS TRANSACTION "
            "ISOLATION LEVEL READ COMMITTED, READ ONLY",
            "SET statement_timeout = {milliseconds}",
            # Every table is read by its unique key. The planner would read
            # the whole of one with 100,000 rows for a page of 1,000.
            "SET enable_seqscan = off",
        ),
    ),
}
# SQLAlchemy's second name for the one system.
SYSTEMS["mariadb"] = SYSTEMS["mysql"]


class Driver(NamedTuple):
    """What is particular to one DB-API driver."""

    #: What to install to have it.
    package: str
    #: Given the time-out, in seconds: arguments of the driver's connect().
    arguments: Callable[[float], dict[str, Any]]
    #: Has the server give all rows as one, if that is faster: how many there
    #: are, and in JSON the {columns} of each.
    packed: str = ""


# libpq takes whole seconds, and no fewer than two.
def _libpq_arguments(seconds: float) -> dict[str, Any]:
    return {
        "connect_timeout": max(2, math.ceil(seconds)),
        "tcp_user_timeout": round(seconds * 1000),
        # A database in SQL_ASCII would give bytes, from SQLAlchemy's first
        # question on.
        "client_encoding": "utf8",
    }


#: Keyed by SQLAlchemy's name for the driver.
DRIVERS = {
    "pysqlite": Driver(
        package="Python with SQLite",
        # How long a read waits while somebody else writes.
        arguments=lambda seconds: {"timeout": seconds},
    ),
    "pymysql": Driver(
        package="nova-ext-sts[mysql]",
        # connect_timeout alone would hang on a server that accepts and then
        # stays silent.
        arguments=lambda seconds: dict.fromkeys(
            ("connect_timeout", "read_timeout", "write_timeout"), seconds
        ),
        # It reads every column of every row in Python.
        packed="SELECT COUNT(*), GROUP_CONCAT(JSON_ARRAY({columns})) "
        "FROM {rest}",
    ),
    "mysqldb": Driver(
        package="nova-ext-sts[mysqlclient]",
        arguments=lambda seconds: dict.fromkeys(
            ("connect_timeout", "read_timeout", "write_timeout"),
            math.ceil(seconds),
        ),
    ),
    "psycopg": Driver(
        package="nova-ext-sts[postgresql]", arguments=_libpq_arguments
    ),
    "psycopg2": Driver(package="psycopg2", arguments=_libpq_arguments),
}

#: What an error advises.
_USUAL = ("mysql+pymysql", "mysql+mysqldb", "postgresql+psycopg", "sqlite")


def driver_of(url: sa.URL, name: str) -> Driver:
    """Return the URL's driver, once it is sure that it can be imported."""
    try:
        dialect = url.get_dialect()
        driver = DRIVERS[dialect.driver]
    except (exc.NoSuchModuleError, KeyError):
        raise ConfigurationError(
            f"The URL of the {name} names {url.drivername}, which cannot be "
            f"read: use one of {', '.join(_USUAL)}."
        ) from None
    try:
        dialect.import_dbapi()
    except ImportError:
        raise ConfigurationError(
            f"The driver {dialect.driver}, which the URL of the {name} names "
            f"({url.drivername}), is not installed: install {driver.package}, "
            f"or use one of {', '.join(_USUAL)}."
        ) from None
    return driver
