"""How many responses of each server have been compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clients.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable

TALLY = pytest.StashKey[Tally]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TALLY] = Tally("server", "version", "requests", "differences")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    lines: Iterable[str] = list(config.stash[TALLY].lines())
    if lines:
        terminalreporter.section("compared with wsgiref")
        for line in lines:
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Tally:
    return pytestconfig.stash[TALLY]
