"""Databases, users and record sources of the functional tests."""

import sys

import pytest

from nova_ext_sts import settings
from nova_ext_sts.records import RecordSource, engine
from tests.support.cells import Cells
from tests.support.databases import SERVERS, made
from tests.support.distributions import installed
from tests.support.readers import Reader


@pytest.fixture
def connection(sqlite):
    """Return the URL of a database with the record of server a."""
    sqlite.insert_instances([("a", "active", "rebooting", 1)])
    return sqlite.url


@pytest.fixture(params=SERVERS)
def active(request, tmp_path):
    """A database with the active server a, on each server in turn."""
    with made(request.param, tmp_path) as database:
        database.insert_instances([("a", "active", None, 1)])
        yield database


@pytest.fixture
def cells(new_database):
    """Return cells v2 with the cells cell0 and cell1."""
    return Cells(new_database)


@pytest.fixture
def reader(system, tmp_path):
    """Create the database user of the documentation."""
    with made(system, tmp_path):
        reader = Reader(system)
    yield reader
    reader.drop()


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Return a function that installs the record source ``plugin``.

    It takes the function ``lookup(ids)`` and, optionally, the function
    ``init(settings)``.
    """

    def install(lookup, init=lambda settings: None):
        class Source(RecordSource):
            def __init__(self, settings):
                init(settings)

            def lookup(self, ids):
                return lookup(ids)

        module = sys.modules[__name__]
        monkeypatch.setattr(module, "Source", Source, raising=False)
        installed("p", tmp_path, monkeypatch, plugin=f"{__name__}:Source")

    return install


def opened(url, **options):
    """Return a database as the filter opens it."""
    return engine.Database(settings.Database(name="x", url=url, **options))


def raising(error):
    """Return a function of one argument that raises an error."""

    def function(_):
        raise error

    return function
