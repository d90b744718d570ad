"""The servers that are made to fail, and the account of what then happens."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.support import account as accounts
from tests.support.databases import Database, made
from tests.support.servers import KINDS, Server

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
    with contextlib.ExitStack() as stack:
        yield {
            kind: stack.enter_context(contextlib.closing(server()))
            for kind, server in KINDS.items()
        }


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    """Each driver in turn."""
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
    """A database with the active server ``a`` on that server.

    Its URL is the driver's.
    """
    system = driver.partition("+")[0]
    with made(system, tmp_path, server.url) as database:
        database.insert_instances([("a", "active", None, 1)])
        url = sa.engine.make_url(database.url).set(drivername=driver, query={})
        database.url = url.render_as_string(hide_password=False)
        yield database


@pytest.fixture
def account(request: pytest.FixtureRequest) -> accounts.Account:
    """The account of the test's requests."""
    name: str = request.node.name.removeprefix("test_").replace("_", " ")
    return accounts.opened(request.config, name)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    accounts.report(terminalreporter, config, "fault")
