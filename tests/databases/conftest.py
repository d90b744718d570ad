"""The database servers of this suite, and the account of each environment.

An environment is a server, what stands in front of it, and a driver.
"""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from tests.support import account as accounts
from tests.support.mysql import MySQL
from tests.support.servers import MariaDB, PostgreSQL, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: The distribution of each driver.
DRIVERS = {
    "mysql+pymysql": "PyMySQL",
    "mysql+mysqldb": "mysqlclient",
    "postgresql+psycopg": "psycopg",
    "postgresql+psycopg2": "psycopg2-binary",
}


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    with MariaDB() as server:
        yield server


@pytest.fixture(scope="session")
def mysql() -> Iterator[Server]:
    with MySQL() as server:
        yield server


@pytest.fixture(scope="session")
def mysql_without_tls() -> Iterator[Server]:
    with MySQL("--tls-version=") as server:
        yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    with PostgreSQL() as server:
        yield server


@pytest.fixture
def account_of(
    request: pytest.FixtureRequest,
) -> Callable[[str, str], accounts.Account]:
    """Return the account of an environment: a server and a driver."""

    def opened(server: str, driver: str) -> accounts.Account:
        distribution = DRIVERS[driver]
        name = f"{server}, {distribution} {metadata.version(distribution)}"
        return accounts.opened(request.config, name)

    return opened


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    accounts.report(terminalreporter, config)
