"""The database servers of this suite."""

import pytest

from tests.databases.accounts import ACCOUNTS, table
from tests.databases.mysql import MySQL
from tests.support.servers import MariaDB, PostgreSQL
from tests.support.tables import aligned


@pytest.fixture(scope="session")
def mariadb():
    with MariaDB() as server:
        yield server


@pytest.fixture(scope="session")
def mysql():
    with MySQL() as server:
        yield server


@pytest.fixture(scope="session")
def mysql_without_tls():
    with MySQL("--tls-version=") as server:
        yield server


@pytest.fixture(scope="session")
def postgresql():
    with PostgreSQL() as server:
        yield server


def pytest_terminal_summary(terminalreporter):
    if ACCOUNTS:
        terminalreporter.section("responses by environment")
        for line in aligned(table(), words=1):
            terminalreporter.write_line(line)
