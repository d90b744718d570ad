"""PgBouncer in front of PostgreSQL, in each of its modes."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from oslo_upgradecheck.upgradecheck import Code

from tests.databases.accounts import POSTGRESQL, account_of
from tests.databases.sites import Fleet
from tests.support.cells import Cells, source
from tests.support.checks import upgrade_check
from tests.support.databases import made
from tests.support.lookups import (
    EXTENDED,
    client_of,
    connections_of,
    slow_down,
)
from tests.support.servers import PostgreSQL, Server

TIMEOUT = 2.0

#: What the filter sets in its sessions, and PostgreSQL's defaults.
DEFAULTS = {
    "default_transaction_read_only": "off",
    "enable_seqscan": "on",
    "statement_timeout": "0",
}


class PgBouncer(Server):
    """A connection pooler."""

    configuration = """\
[databases]
* = host=127.0.0.1 port={self.behind.port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = any
{self.lines}
"""
    command = "pgbouncer {self.directory}/server.conf"
    # SQLAlchemy's first statements need a transaction, which the mode
    # "statement" refuses.
    address = ""
    # It refuses to run as root.
    package_user = PostgreSQL.package_user


@pytest.fixture
def pooler(postgresql):
    """Start PgBouncer in a mode, with other settings."""
    with contextlib.ExitStack() as stack:
        yield lambda mode, *settings: stack.enter_context(
            PgBouncer(
                behind=postgresql,
                lines="\n".join([f"pool_mode={mode}", *settings]),
            )
        )


@pytest.fixture
def new_database(postgresql, tmp_path):
    """Make databases that are reached through a pooler, with a driver."""
    with contextlib.ExitStack() as stack:

        def new(through, driver):
            database = stack.enter_context(
                made("postgresql", tmp_path, postgresql.url)
            )
            database.reach(drivername=driver, port=through.port)
            return database

        yield new


@pytest.mark.parametrize("driver", POSTGRESQL)
@pytest.mark.parametrize("mode", ["session", "transaction", "statement"])
def test_no_states_are_lost(mode, driver, pooler, new_database, caplog):
    """In a transaction pool, statements of others were prepared before."""
    bouncer = pooler(mode)
    cells = Cells(lambda: new_database(bouncer, driver))
    fleet = Fleet(20)
    fleet.insert(cells.cells["cell1"])
    for server in fleet.ids:
        cells.add(server, 2)
    client = fleet.client(api_connection=cells.api.url, timeout=TIMEOUT)
    account = account_of(f"PgBouncer, {mode} mode", driver)
    with ThreadPoolExecutor(8) as threads:
        responses = threads.map(account.get, [client] * 120)
        assert {response.body for response in responses} == {fleet.extended}
    assert not caplog.records


@pytest.mark.parametrize("driver", POSTGRESQL)
def test_session_mode_leaks_nothing(driver, pooler, new_database):
    """A writer gets the filter's server connection, and can write."""
    bouncer = pooler("session", "default_pool_size=1")
    database = new_database(bouncer, driver)
    database.insert_instances([("a", "active", None, 1)])
    records = source(connection=database.url, max_connections=1)
    assert records.lookup(["a"])
    (backend,) = connections_of(database)
    del records
    writer = sa.create_engine(database.url, poolclass=sa.pool.NullPool)
    with writer.begin() as connection:
        pid = connection.scalar(sa.text("SELECT pg_backend_pid()"))
        assert pid == backend
        assert {
            name: connection.scalar(sa.text(f"SHOW {name}"))
            for name in DEFAULTS
        } == DEFAULTS
        connection.execute(sa.text("UPDATE instances SET vm_state = 'error'"))


@pytest.mark.parametrize("size", [6, 2])
def test_session_mode_serves_as_many_as_its_pool_is_large(
    size, pooler, new_database
):
    bouncer = pooler("session", f"default_pool_size={size}")
    database = new_database(bouncer, POSTGRESQL[0])
    database.insert_instances([("a", "active", None, 1)])
    slow_down(database, 0.05)
    client = client_of(database, max_connections=6, timeout=TIMEOUT)
    account = account_of(f"PgBouncer, a pool of {size} for 6", POSTGRESQL[0])
    with ThreadPoolExecutor(12) as threads:
        responses = threads.map(account.get, [client] * 240)
        bodies = [response.body for response in responses]
    assert len(connections_of(database)) == size
    # As where a server grants some connections, and refuses more.
    assert bodies.count(EXTENDED) >= (1 if size == 6 else 0.95) * len(bodies)


@pytest.mark.parametrize(
    ("mode", "result"),
    [
        ("", Code.SUCCESS),
        ("session", Code.SUCCESS),
        ("transaction", Code.WARNING),
    ],
)
@pytest.mark.parametrize("driver", POSTGRESQL)
def test_upgrade_check_recognises_a_pooler(
    driver, mode, result, postgresql, pooler, new_database, tmp_path
):
    database = new_database(pooler(mode) if mode else postgresql, driver)
    check = upgrade_check(tmp_path, connection=database.url)["Databases"]
    assert check.result is result
    assert ("pooler" in check.details) is (result is Code.WARNING)


@pytest.mark.parametrize("driver", POSTGRESQL)
def test_upgrade_check_does_not_wait_for_a_full_pool(
    driver, pooler, new_database, tmp_path
):
    database = new_database(pooler("session", "default_pool_size=1"), driver)
    check = upgrade_check(tmp_path, connection=database.url, timeout="1")
    assert check["Databases"].result is Code.WARNING
    assert "pooler" in check["Databases"].details
