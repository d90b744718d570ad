"""The servers that are made to fail, and each driver's database there."""

import pytest

from tests.support.databases import DRIVERS, made
from tests.support.servers import MariaDB, PostgreSQL


@pytest.fixture(scope="session")
def servers():
    """One server of each kind, which the tests share in turn."""
    with MariaDB() as mariadb, PostgreSQL() as postgresql:
        yield {"mysql": mariadb, "postgresql": postgresql}


@pytest.fixture(params=DRIVERS)
def driver(request):
    return request.param


@pytest.fixture
def server(servers, driver):
    """The driver's server."""
    return servers[driver.partition("+")[0]]


@pytest.fixture
def database(server, driver, tmp_path):
    """A database on that server, whose URL is the driver's."""
    with made(driver.partition("+")[0], tmp_path, server.url) as database:
        database.reach(drivername=driver)
        yield database


@pytest.fixture
def active(database):
    """The same with the active server ``a``."""
    database.insert_instances([("a", "active", None, 1)])
    return database
