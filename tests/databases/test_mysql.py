"""MySQL, with its router in front and without."""

import contextlib
from typing import Any

import pytest
import sqlalchemy as sa
from oslo_upgradecheck.upgradecheck import Code

from tests.databases.accounts import MYSQL, account_of
from tests.databases.mysql import MySQLRouter, SharingMySQLRouter
from tests.databases.sites import SOURCES, Fleet, Site
from tests.support.checks import upgrade_check
from tests.support.lookups import (
    EXTENDED,
    LIST,
    client_of,
    connections_of,
    end_connections,
    get_in_time,
    locked,
    wait_until,
)
from tests.support.readers import Reader

pytestmark = pytest.mark.parametrize("driver", MYSQL)


@pytest.fixture(scope="module", params=("server", "router", "sharing router"))
def front(request, mysql, mysql_without_tls):
    """What the filter connects to.

    To a router that does not share sessions, TLS is a stream of bytes:
    without it, the router reads the packets and numbers them anew.
    """
    fronts: dict[str, Any] = {
        "server": lambda: contextlib.nullcontext(mysql),
        "router": lambda: MySQLRouter(behind=mysql_without_tls),
        "sharing router": lambda: SharingMySQLRouter(behind=mysql),
    }
    with fronts[request.param]() as front:
        yield front


@pytest.fixture(scope="module")
def site(front, tmp_path_factory):
    with Site(front, tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def database(site, driver):
    """A database with the active server ``a``; its URL is the user's."""
    database = site.new_database()
    database.insert_instances([("a", "active", None, 1)])
    database.url = site.url(database, driver)
    return database


@pytest.fixture
def account(front, driver):
    return account_of(str(front), driver)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("number", [1, 20, 1000])
def test_every_server_has_its_states(
    site, driver, source, number, account, caplog
):
    fleet = Fleet(number)
    client = fleet.client(**site.options(source, driver))
    for _ in range(10):
        assert account.get(client).body == fleet.extended
    assert not caplog.records


@pytest.mark.parametrize("source", SOURCES)
def test_documented_privileges_pass_the_upgrade_check(
    site, driver, source, tmp_path
):
    checks = upgrade_check(tmp_path, **site.options(source, driver))
    assert checks["Databases"].result is Code.SUCCESS
    assert checks["Cells"].result is Code.SUCCESS


def test_user_has_its_privileges_by_a_default_role(
    front, site, driver, account, tmp_path
):
    # To MySQL, a role is a user that cannot log in.
    role, user = Reader("mysql", front.url), Reader("mysql", front.url)
    role.may_read(site.database, "instances")
    for statement in (
        f"ALTER USER {role.name} ACCOUNT LOCK",
        f"GRANT {role.name} TO {user.name}",
        f"SET DEFAULT ROLE {role.name} TO {user.name}",
    ):
        site.database.execute(statement)
    connection = user.url(site.database, drivername=driver)
    fleet = Fleet(20)
    client = fleet.client(connection=connection)
    assert account.get(client).body == fleet.extended
    checks = upgrade_check(tmp_path, connection=connection)
    assert checks["Databases"].result is Code.SUCCESS
    user.drop()
    role.drop()


def test_password_is_sent_without_tls_and_with_a_cold_cache(
    mysql_without_tls, driver, tmp_path
):
    account = account_of(f"{mysql_without_tls} without TLS", driver)
    with Site(mysql_without_tls, tmp_path) as site:
        fleet = Fleet(20)
        for source in SOURCES:
            site.database.execute("FLUSH PRIVILEGES")
            client = fleet.client(**site.options(source, driver))
            assert account.get(client).body == fleet.extended
        with site.database.connect() as connection:
            types = connection.execute(
                sa.text(
                    "SELECT DISTINCT connection_type "
                    "FROM performance_schema.threads "
                    "WHERE processlist_user = :user"
                ),
                {"user": site.reader.name},
            )
            assert types.all() == [("TCP/IP",)]


def test_server_ends_a_statement_that_takes_too_long(database):
    client = client_of(database, timeout=1)
    with locked(database):
        before = ended_statements(database)
        assert get_in_time(client, 1).body == LIST
        wait_until(lambda: ended_statements(database) > before)


def ended_statements(database):
    """Return how many statements the server ended for their duration."""
    query = "SHOW GLOBAL STATUS LIKE 'Max_execution_time_exceeded'"
    with database.connect() as connection:
        return int(connection.execute(sa.text(query)).one()[1])


#: What ends the pooled connections.
ENDS = {
    "killed": lambda database, server: end_connections(database),
    "restarted": lambda database, server: (server.stop(), server.start()),
    "crashed": lambda database, server: (server.kill(), server.start()),
    # The server has ended them.
    "idle": lambda database, server: wait_until(
        lambda: not connections_of(database)
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_pooled_connections_end(front, database, end, account, caplog):
    server = front.behind or front
    limit = 1 if end == "idle" else 600
    database.execute(f"SET GLOBAL wait_timeout = {limit}")
    client = client_of(database)
    assert account.get(client).body == EXTENDED
    ENDS[end](database, server)
    database.execute("SET GLOBAL wait_timeout = 600")
    for _ in range(5):
        assert account.get(client).body == EXTENDED
    assert not caplog.records
