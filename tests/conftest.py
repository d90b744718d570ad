"""What all tests use."""

from __future__ import annotations

import contextlib

import pytest

from tests.support import databases
from tests.support.proxies import Proxy


def pytest_configure(config):
    """Lift the coverage gate where tests are skipped for want of a server."""
    coverage = config.pluginmanager.getplugin("_cov")
    servers = databases.SERVERS.values()
    if coverage and not all(map(databases.answers, servers)):
        coverage.options.cov_fail_under = 0


@pytest.fixture(params=databases.SYSTEMS)
def system(request):
    """Each database system in turn."""
    return request.param


@pytest.fixture
def new_database(system, tmp_path):
    """Make as many databases on the system as a test asks for."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(databases.made(system, tmp_path))


@pytest.fixture
def database(new_database):
    """One database on each system in turn."""
    return new_database()


@pytest.fixture
def sqlite(tmp_path):
    """One SQLite database, where the system makes no difference."""
    with databases.made("sqlite", tmp_path) as database:
        yield database


@pytest.fixture
def pass_time(monkeypatch):
    """Stop the clock of the back-offs; return what lets time pass."""
    now = [1000.0]
    monkeypatch.setattr("nova_ext_sts.records.backoff.clock", lambda: now[0])

    def passes(seconds):
        now[0] += seconds

    return passes


@pytest.fixture
def silent():
    """A server that accepts and says nothing."""
    with Proxy(None) as proxy:
        yield proxy
