"""The servers that are made to fail, and each driver's database there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.databases import Database, made
from tests.support.servers import MariaDB, PostgreSQL, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Each driver that the filter knows of a database server.
DRIVERS = (
    "mysql+pymysql",
    "mysql+mysqldb",
    "postgresql+psycopg",
    "postgresql+psycopg2",
)


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, Server]]:
    """One server of each kind, which the tests share in turn."""
    with MariaDB() as mariadb, PostgreSQL() as postgresql:
        yield {"mysql": mariadb, "postgresql": postgresql}


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def server(servers: dict[str, Server], driver: str) -> Server:
    """The driver's server."""
    return servers[driver.partition("+")[0]]


@pytest.fixture
def database(
    server: Server, driver: str, tmp_path: Path
) -> Iterator[Database]:
    """A database on that server, whose URL is the driver's."""
    with made(driver.partition("+")[0], tmp_path, server.url) as database:
        database.reach(driver, server.port)
        yield database


@pytest.fixture
def active(database: Database) -> Database:
    """The same with the active server ``a``."""
    database.insert_instances([("a", "active", None, 1)])
    return database
