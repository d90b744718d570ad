"""The database servers of this suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.databases.accounts import ACCOUNTS, table
from tests.databases.mysql import MySQL
from tests.support.servers import MariaDB, PostgreSQL, Server
from tests.support.tables import aligned

if TYPE_CHECKING:
    from collections.abc import Iterator


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


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> None:
    if ACCOUNTS:
        terminalreporter.section("responses by environment")
        for line in aligned(table(), words=1):
            terminalreporter.write_line(line)
