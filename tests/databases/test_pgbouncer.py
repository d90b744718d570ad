"""PgBouncer in front of PostgreSQL, in each of its modes."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
import sqlalchemy as sa
from oslo_config import cfg
from oslo_upgradecheck.upgradecheck import Code

from nova_ext_sts.cmd import status
from tests.databases.process import LOOKUPS
from tests.support.cells import Cells
from tests.support.databases import Database, made
from tests.support.fleets import Fleet
from tests.support.lookups import EXTENDED, LATE, client_of, slow_down
from tests.support.pgbouncer import PgBouncer
from tests.support.servers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.account import Account
    from tests.support.applications import Response
    from tests.support.servers import Server

    NewPooler = Callable[..., PgBouncer]
    NewDatabase = Callable[[PgBouncer | Server, str], Database]
    AccountOf = Callable[[str, str], Account]

ROOT = Path(__file__).parents[2]
DRIVERS = ("postgresql+psycopg", "postgresql+psycopg2")
PSYCOPG = DRIVERS[0]
TIMEOUT = 2.0

#: What the filter sets in its sessions, and PostgreSQL's defaults.
DEFAULTS = {
    "default_transaction_read_only": "off",
    "enable_seqscan": "on",
    "statement_timeout": "0",
}


@pytest.fixture
def pooler(postgresql: Server) -> Iterator[NewPooler]:
    """Start PgBouncer in a mode, with other settings."""
    with contextlib.ExitStack() as stack:
        yield lambda *settings: stack.enter_context(
            contextlib.closing(PgBouncer(postgresql, *settings))
        )


@pytest.fixture
def new_database(postgresql: Server, tmp_path: Path) -> Iterator[NewDatabase]:
    """Make databases that are reached through a pooler, with a driver."""
    with contextlib.ExitStack() as stack:

        def new(through: PgBouncer | Server, driver: str) -> Database:
            database = stack.enter_context(
                made("postgresql", tmp_path, postgresql.url)
            )
            url = sa.engine.make_url(database.url)
            url = url.set(drivername=driver, port=through.port, query={})
            database.url = url.render_as_string(hide_password=False)
            return database

        yield new


class Deployment:
    """An API database and a cell, both through one pooler."""

    def __init__(self, new: Callable[[], Database]) -> None:
        cells = Cells(new)
        self.fleet = Fleet(20)
        self.fleet.insert(cells.cells["cell1"])
        for server in self.fleet.ids:
            cells.add(server, 2)
        self._client = self.fleet.client(
            api_connection=cells.api.url, timeout=TIMEOUT
        )

    def ask(self, account: Account) -> list[bytes]:
        """Return the bodies of 120 responses, to eight threads."""

        def get(_: int) -> Response:
            return account.get(self._client.get_list)

        with ThreadPoolExecutor(8) as threads:
            responses = list(threads.map(get, range(120)))
        assert {response.status for response in responses} == {"200 OK"}
        assert account.slowest < TIMEOUT + LATE
        return [response.body for response in responses]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("mode", ["session", "transaction", "statement"])
def test_no_states_are_lost(
    mode: str,
    driver: str,
    pooler: NewPooler,
    new_database: NewDatabase,
    account_of: AccountOf,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In a transaction pool, statements of others were prepared before."""
    bouncer = pooler(mode)
    deployment = Deployment(lambda: new_database(bouncer, driver))
    bodies = deployment.ask(account_of(f"PgBouncer, {mode} mode", driver))
    assert bodies.count(deployment.fleet.extended) == 120
    assert not caplog.records


@pytest.mark.parametrize("driver", DRIVERS)
def test_session_mode_leaks_nothing(
    driver: str, pooler: NewPooler, new_database: NewDatabase
) -> None:
    """A writer gets the filter's server connection, and can write."""
    bouncer = pooler("session", "default_pool_size=1")
    database = new_database(bouncer, driver)
    database.insert_instances([("a", "active", None, 1)])
    with looking_up(database, max_connections=1) as states:
        assert states == LOOKUPS
        (backend,) = backends(bouncer, database)
    writer = sa.create_engine(database.url, poolclass=sa.pool.NullPool)
    with writer.begin() as connection:
        pid = connection.scalar(sa.text("SELECT pg_backend_pid()"))
        assert pid == backend
        assert {
            name: connection.scalar(sa.text(f"SHOW {name}"))
            for name in DEFAULTS
        } == DEFAULTS
        connection.execute(sa.text("UPDATE instances SET vm_state = 'error'"))


@contextlib.contextmanager
def looking_up(database: Database, max_connections: int) -> Iterator[int]:
    """Run a process that looks up; give how many lookups had states."""
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.databases.process"),
            *(database.url, str(max_connections)),
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield int(process.stdout.readline())
            process.stdin.close()
            process.wait(PATIENCE)
        finally:
            process.kill()


def backends(bouncer: PgBouncer, database: Database) -> list[int]:
    """Return the process ids of a database's server connections."""
    name = sa.engine.make_url(database.url).database
    return [
        server["remote_pid"]
        for server in bouncer.show("SERVERS")
        if server["database"] == name
    ]


def test_session_mode_needs_a_connection_for_each_of_the_filters(
    pooler: NewPooler, new_database: NewDatabase
) -> None:
    bouncer = pooler("session", "default_pool_size=6")
    database = new_database(bouncer, PSYCOPG)
    database.insert_instances([("a", "active", None, 1)])
    slow_down(database, 0.05)
    with (
        looking_up(database, max_connections=3) as first,
        looking_up(database, max_connections=3) as second,
    ):
        assert (first, second) == (LOOKUPS, LOOKUPS)
        assert len(backends(bouncer, database)) == 2 * 3


def test_pool_that_is_too_small_serves_what_it_can(
    pooler: NewPooler, new_database: NewDatabase, account_of: AccountOf
) -> None:
    bouncer = pooler("session", "default_pool_size=2")
    deployment = Deployment(lambda: new_database(bouncer, PSYCOPG))
    account = account_of("PgBouncer, a pool too small", PSYCOPG)
    bodies = deployment.ask(account)
    extended = deployment.fleet.extended
    assert set(bodies) <= {extended, deployment.fleet.plain}
    # As where a server grants some connections, and refuses more.
    assert bodies.count(extended) >= 0.95 * len(bodies)


@pytest.mark.parametrize("driver", DRIVERS)
def test_restart_costs_nothing(
    driver: str,
    pooler: NewPooler,
    new_database: NewDatabase,
    account_of: AccountOf,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bouncer = pooler("session")
    database = new_database(bouncer, driver)
    database.insert_instances([("a", "active", None, 1)])
    # One connection: no other is being made while the pooler is killed.
    client = client_of(database, max_connections=1)
    account = account_of("PgBouncer, session mode", driver)
    for _ in range(3):
        assert account.get(client.get_list).body == EXTENDED
        with bouncer.killed():
            pass
    assert account.get(client.get_list).body == EXTENDED
    assert not caplog.records


class Check(NamedTuple):
    result: Code
    details: str


@pytest.fixture
def check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[[Database], Check]:
    """Run upgrade check; return what it says of the databases."""

    def run(database: Database) -> Check:
        file = tmp_path / "nova-ext-sts.conf"
        file.write_text(f"[extended_status]\nconnection = {database.url}\n")
        arguments = ["--config-file", str(file), "upgrade", "check", "--json"]
        status.main(arguments, cfg.ConfigOpts())
        checks = json.loads(capsys.readouterr().out)["checks"]
        (found,) = (each for each in checks if each["check"] == "Databases")
        return Check(Code(found["result"]), found["details"])

    return run


@pytest.mark.parametrize("driver", DRIVERS)
def test_upgrade_check_recognises_a_pooler(
    driver: str,
    postgresql: Server,
    pooler: NewPooler,
    new_database: NewDatabase,
    check: Callable[[Database], Check],
) -> None:
    direct = check(new_database(postgresql, driver))
    assert direct.result is Code.SUCCESS
    assert "session" not in direct.details
    session = check(new_database(pooler("session"), driver))
    assert session.result is Code.SUCCESS
    assert "session" in session.details
    transaction = check(new_database(pooler("transaction"), driver))
    assert transaction.result is Code.WARNING
    assert "session" in transaction.details
