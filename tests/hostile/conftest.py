"""What the hostile suite shares, and the table that it ends with."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests.hostile.filtering import INSTANCES
from tests.support import databases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The same examples each time, and nothing remembered of earlier runs.
hypothesis.settings.register_profile(
    "hostile",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
hypothesis.settings.load_profile("hostile")

_CASES: collections.Counter[str] = collections.Counter()
_CHANGED: collections.Counter[str] = collections.Counter()


@pytest.fixture(scope="session")
def count() -> Callable[[str, bool], None]:
    """Count a case of a kind, and whether the filter changed the body."""

    def counted(kind: str, changed: bool) -> None:
        _CASES[kind] += 1
        _CHANGED[kind] += changed

    return counted


@pytest.fixture(scope="session")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a database that has a few servers."""
    directory = tmp_path_factory.mktemp("records")
    with databases.made("sqlite", directory) as database:
        database.insert_instances(INSTANCES)
        yield database.url


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> None:
    terminalreporter.section("hostile")
    terminalreporter.write_line(f"{'kind':30}{'cases':>9}{'extended':>9}")
    for kind, cases in sorted(_CASES.items()):
        line = f"{kind:30}{cases:9}{_CHANGED[kind]:9}"
        terminalreporter.write_line(line)
