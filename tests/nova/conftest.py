"""One real Nova for the whole run, on the backend that the option names."""

from __future__ import annotations

import collections
import os
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.nova import fleet
from tests.nova.client import Api, Client
from tests.nova.installation import (
    APPLICATIONS,
    MICROVERSIONS,
    Installation,
    MariaDB,
    SQLiteFiles,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.nova.client import Answer

REQUIRED = "NOVA_EXT_STS_REQUIRE_DATABASES"


class Tally:
    """How much has been compared with what Nova alone answers."""

    def __init__(self) -> None:
        #: By the name of the API: [responses, servers].
        self.compared: dict[str, list[int]] = collections.defaultdict(
            lambda: [0, 0]
        )

    def count(self, api: Api, answer: Answer) -> None:
        counts = self.compared[api.name]
        counts[0] += 1
        if answer.body.startswith((b'{"server": {', b'{"servers": [')):
            counts[1] += len(answer.servers)


TALLY = pytest.StashKey[Tally]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--nova-database",
        choices=("sqlite", "mysql"),
        default="sqlite",
        help="where the real Nova has its databases",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TALLY] = Tally()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    compared = config.stash[TALLY].compared
    if not compared:
        return
    terminalreporter.section(f"real Nova on {_backend(config)}")
    for name, (responses, servers) in compared.items():
        terminalreporter.line(
            f"{name:>12}: {responses:5} responses with {servers:6} servers "
            "compared"
        )
    totals = [sum(counts) for counts in zip(*compared.values(), strict=True)]
    terminalreporter.line(
        f"{'altogether':>12}: {totals[0]:5} responses with {totals[1]:6} "
        "servers compared"
    )


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Tally:
    return pytestconfig.stash[TALLY]


@pytest.fixture(scope="session")
def nova(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    directory = tmp_path_factory.mktemp("nova")
    databases: MariaDB | SQLiteFiles
    if _backend(pytestconfig) == "mysql":
        databases = MariaDB()
        try:
            databases.check()
        except sa.exc.SQLAlchemyError:
            reason = "MariaDB does not answer on 127.0.0.1:3306"
            if os.environ.get(REQUIRED):
                pytest.fail(reason)
            pytest.skip(reason)
    else:
        databases = SQLiteFiles(directory)
    with Installation(directory, databases) as installation:
        yield installation


@pytest.fixture(scope="session")
def servers(nova: Installation) -> list[fleet.Server]:
    """Every server of the fleet, made."""
    servers = fleet.fleet()
    fleet.create(servers)
    return servers


@pytest.fixture(scope="session")
def clients(
    nova: Installation, servers: list[fleet.Server]
) -> dict[str, Client]:
    """A client for each of the applications."""
    return {name: Client(nova.application(name)) for name in APPLICATIONS}


@pytest.fixture(scope="session")
def nova_alone(clients: dict[str, Client]) -> Client:
    return clients["nova_alone"]


@pytest.fixture(scope="session")
def with_filter(clients: dict[str, Client]) -> Client:
    """Nova as an operator has it, with the filter in its pipeline."""
    return clients["osapi_compute"]


@pytest.fixture(scope="session")
def restored(clients: dict[str, Client]) -> Client:
    """Nova, the shim that takes its states away, and the filter."""
    return clients["behind_shim_and_filter"]


@pytest.fixture(scope="session")
def with_blind_filter(clients: dict[str, Client]) -> Client:
    """Nova with a filter that answers 503 where it has to look up."""
    return clients["behind_blind_filter"]


@pytest.fixture(scope="session")
def newest(nova_alone: Client) -> str:
    """The newest microversion, as Nova announces it."""
    any_api = Api("versions", "/v2.1", None)
    version: str = nova_alone.get(any_api, "/").document["version"]["version"]
    return version


@pytest.fixture(
    scope="session", params=[*MICROVERSIONS, "newest", "v2"], ids=str
)
def api(request: pytest.FixtureRequest, newest: str) -> Api:
    """Each microversion in turn, and the legacy endpoint that has none."""
    if request.param == "v2":
        return Api("v2", "/v2", None)
    microversion = newest if request.param == "newest" else request.param
    return Api(microversion, "/v2.1", microversion)


@pytest.fixture(scope="session")
def shown_by_nova(
    api: Api, nova_alone: Client, servers: list[fleet.Server]
) -> dict[str, Answer]:
    """What Nova alone answers to show, by the id of each server."""
    return {
        server.id: nova_alone.get(api, f"/servers/{server.id}")
        for server in servers
    }


def _backend(config: pytest.Config) -> str:
    # The option is known only where this directory is named on the command
    # line.
    backend: str = config.getoption("--nova-database", default="sqlite")
    return backend
