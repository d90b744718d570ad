"""The database servers of this suite."""

import pytest

from tests.databases.accounts import ACCOUNTS, table
from tests.databases.mysql import MySQL
from tests.support.servers import MariaDB, PostgreSQL
from tests.support.tables import aligned


def running(kind, *options):
    """Return the fixture of a server that runs for the whole session."""

    @pytest.fixture(scope="session")
    def server():
        with kind(*options) as server:
            yield server

    return server


mariadb = running(MariaDB)
mysql = running(MySQL)
mysql_without_tls = running(MySQL, "--tls-version=")
postgresql = running(PostgreSQL)


def pytest_terminal_summary(terminalreporter):
    if ACCOUNTS:
        terminalreporter.section("responses by environment")
        for line in aligned(table(), words=1):
            terminalreporter.write_line(line)
