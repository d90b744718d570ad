"""Databases, users and record sources of the functional tests."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from nova_ext_sts.records import RecordSource
from tests.support.cells import Cells
from tests.support.databases import made
from tests.support.distributions import installed
from tests.support.readers import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.databases import Database


@pytest.fixture
def connection(sqlite: Database) -> str:
    """Return the URL of a database with the record of server a."""
    sqlite.insert_instances([("a", "active", "rebooting", 1)])
    return sqlite.url


@pytest.fixture
def cells(new_database: Callable[[], Database]) -> Cells:
    """Return cells v2 with the cells cell0 and cell1."""
    return Cells(new_database)


@pytest.fixture
def reader(system: str, tmp_path: Path) -> Iterator[Reader]:
    """Create the database user of the documentation."""
    with made(system, tmp_path):
        reader = Reader(system)
    yield reader
    reader.drop()


@pytest.fixture
def plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Return a function that installs the record source ``plugin``.

    It takes the function ``lookup(ids)`` and, optionally, the function
    ``init(settings)``.
    """

    def install(
        lookup: Callable[[Any], Any],
        init: Callable[[Any], Any] = lambda settings: None,
    ) -> None:
        class Source(RecordSource):
            def __init__(self, settings: Any) -> None:
                init(settings)

            def lookup(self, ids: Any) -> Any:
                return lookup(ids)

        module = sys.modules[__name__]
        monkeypatch.setattr(module, "Source", Source, raising=False)
        installed("p", tmp_path, monkeypatch, plugin=f"{__name__}:Source")

    return install


def raising(error: Exception) -> Callable[[Any], Any]:
    """Return a function of one argument that raises an error."""

    def function(_: Any) -> Any:
        raise error

    return function
