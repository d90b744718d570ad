"""What the hostile suite shares, and the table that it ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests.hostile.filtering import INSTANCES
from tests.hostile.tally import Tally
from tests.support import databases

if TYPE_CHECKING:
    from collections.abc import Iterator

# The same examples each time, and nothing remembered of earlier runs.
hypothesis.settings.register_profile(
    "hostile",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
hypothesis.settings.load_profile("hostile")

_TALLY = Tally()


@pytest.fixture(scope="session")
def tally() -> Tally:
    """Counts the cases of the whole suite."""
    return _TALLY


@pytest.fixture(scope="session")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a database that knows a few servers."""
    directory = tmp_path_factory.mktemp("records")
    with databases.made("sqlite", directory) as database:
        database.insert_instances(INSTANCES)
        yield database.url


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> None:
    terminalreporter.section("hostile")
    for line in _TALLY.lines():
        terminalreporter.write_line(line)
