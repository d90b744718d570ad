"""Databases for the tests: made, filled and dropped on real servers."""

from __future__ import annotations

import contextlib
import os
import socket
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from nova_ext_sts.states import States

#: SQLAlchemy 1.4 does not know psycopg 3.
PSYCOPG = "psycopg2" if sa.__version__ < "2" else "psycopg"

#: The servers that the tests use, by SQLAlchemy's name of the system.
SERVERS = {
    "mysql": sa.engine.make_url("mysql+pymysql://root@127.0.0.1:3306"),
    "postgresql": sa.engine.make_url(
        f"postgresql+{PSYCOPG}://postgres@127.0.0.1:5432/postgres"
    ),
}
SYSTEMS = ("sqlite", *SERVERS)

#: The drivers of database servers, and the distribution of each.
DRIVERS = {
    "mysql+pymysql": "PyMySQL",
    "mysql+mysqldb": "mysqlclient",
    "postgresql+psycopg": "psycopg",
    "postgresql+psycopg2": "psycopg2-binary",
}

METADATA = sa.MetaData()

INSTANCES = sa.Table(
    "instances",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uuid", sa.String(36), unique=True),
    sa.Column("vm_state", sa.String(255)),
    sa.Column("task_state", sa.String(255)),
    sa.Column("power_state", sa.Integer),
    sa.Column("deleted", sa.Integer),
    sa.Column("hidden", sa.Boolean),
)
CELL_MAPPINGS = sa.Table(
    "cell_mappings",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uuid", sa.String(36), unique=True),
    sa.Column("name", sa.String(255)),
    sa.Column("database_connection", sa.Text),
    sa.Column("disabled", sa.Boolean, default=False),
)
INSTANCE_MAPPINGS = sa.Table(
    "instance_mappings",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("instance_uuid", sa.String(36), unique=True),
    sa.Column("cell_id", sa.Integer),
    sa.Column("queued_for_delete", sa.Boolean),
)
BUILD_REQUESTS = sa.Table(
    "build_requests",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("instance_uuid", sa.String(36), unique=True),
    sa.Column("instance", sa.Text),
)


class Database:
    """One database that a test may write to."""

    def __init__(self, url: sa.engine.URL) -> None:
        self._engine = sa.create_engine(
            url, future=True, poolclass=sa.pool.NullPool
        )
        self.url = url.render_as_string(hide_password=False)
        METADATA.create_all(self._engine)

    def reach(self, **parts: Any) -> None:
        """Have the URL name another driver, user or port, without a query."""
        url = sa.engine.make_url(self.url).set(query={}, **parts)
        self.url = url.render_as_string(hide_password=False)

    def insert(self, table: sa.Table, *rows: dict[str, Any]) -> None:
        with self._engine.begin() as connection:
            connection.execute(sa.insert(table), list(rows))

    def insert_instances(
        self, rows: Iterable[tuple[str, str | None, str | None, int | None]]
    ) -> None:
        names = ("uuid", "vm_state", "task_state", "power_state")
        self.insert(
            INSTANCES, *(dict(zip(names, row, strict=True)) for row in rows)
        )

    def keep(self, server: str, states: States) -> None:
        """Replace a server's states."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.delete(INSTANCES).where(INSTANCES.c.uuid == server)
            )
            connection.execute(
                sa.insert(INSTANCES).values(uuid=server, **states._asdict())
            )

    def connect(self) -> sa.engine.Connection:
        return self._engine.connect()

    def execute(self, statement: str, **parameters: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(sa.text(statement), parameters)


def answers(url: sa.engine.URL) -> bool:
    """Return whether a server accepts connections."""
    try:
        socket.create_connection((url.host, url.port), timeout=3).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def statements() -> Iterator[list[str]]:
    """Collect the statements that are run on all databases."""
    seen: list[str] = []

    def note(*arguments: Any) -> None:
        seen.append(arguments[2])

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", note)


@contextlib.contextmanager
def made(
    system: str, directory: Path, url: sa.engine.URL | None = None
) -> Iterator[Database]:
    """Give a new database on a system, and drop it.

    Where the system's server does not answer the test is skipped, or fails
    where NOVA_EXT_STS_REQUIRE_DATABASES is set.

    :param directory: where SQLite's files are
    :param url: of the server, if it is another than that of all tests
    """
    name = f"nova_ext_sts_{uuid.uuid4().hex[:12]}"
    if system == "sqlite":
        yield Database(
            sa.engine.URL.create("sqlite", database=f"{directory}/{name}")
        )
        return
    url = url or SERVERS[system]
    server = sa.create_engine(
        url,
        poolclass=sa.pool.NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"connect_timeout": 3},
    )
    try:
        with server.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
    except sa.exc.OperationalError:
        if os.environ.get("NOVA_EXT_STS_REQUIRE_DATABASES"):
            raise
        pytest.skip(f"{system} does not answer on {url.host}:{url.port}")
    try:
        yield Database(url.set(database=name))
    finally:
        force = " WITH (FORCE)" if system == "postgresql" else ""
        with server.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name}{force}"))
