"""One demo and one real Nova for the whole run, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from keystonemiddleware.fixture import AuthTokenFixture

from tests.clients import backends
from tests.clients.tally import Tally
from tests.nova import fleet
from tests.nova.installation import ADMIN, Installation, SQLiteFiles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.clients.backends import Backend

TALLY = pytest.StashKey[Tally]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TALLY] = Tally("client", "API", "calls", "servers")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    lines = list(config.stash[TALLY].lines())
    if lines:
        terminalreporter.section("compared with the records")
        for line in lines:
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Tally:
    return pytestconfig.stash[TALLY]


@pytest.fixture(scope="session")
def nova(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A Nova that knows one token, with every server of the fleet."""
    directory = tmp_path_factory.mktemp("nova")
    with (
        AuthTokenFixture() as tokens,
        Installation(
            directory, SQLiteFiles(directory), authtoken=True
        ) as installation,
    ):
        tokens.add_token_data(
            token_id=backends.TOKEN,
            user_id=ADMIN["X-User-Id"],
            project_id=ADMIN["X-Project-Id"],
            role_list=ADMIN["X-Roles"].split(","),
        )
        fleet.create(fleet.fleet())
        yield installation


@pytest.fixture(scope="session")
def demo(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Backend]:
    with backends.demo(tmp_path_factory.mktemp("demo")) as backend:
        yield backend


@pytest.fixture(scope="session")
def nova_as_it_is(nova: Installation) -> Iterator[Backend]:
    with backends.nova(nova) as backend:
        yield backend


@pytest.fixture(scope="session")
def nova_behind_shim(nova: Installation) -> Iterator[Backend]:
    with backends.nova_behind_shim(nova) as backend:
        yield backend


@pytest.fixture(scope="session")
def nova_behind_shim_for_tempest(nova: Installation) -> Iterator[Backend]:
    with backends.nova_behind_shim_for_tempest(nova) as backend:
        yield backend


@pytest.fixture(
    scope="session", params=["demo", "nova_as_it_is", "nova_behind_shim"]
)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each Compute API in turn."""
    found: Backend = request.getfixturevalue(request.param)
    return found
