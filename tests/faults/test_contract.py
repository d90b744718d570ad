"""The contract of record sources, kept with each driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nova_ext_sts.records.testing import RecordSourceConformance
from tests.support.cells import source

if TYPE_CHECKING:
    from collections.abc import Callable

    from nova_ext_sts.records import RecordSource
    from tests.support.databases import Database


class TestDrivers(RecordSourceConformance):
    @pytest.fixture
    def source(self, database: Database) -> RecordSource:
        return source(connection=database.url)

    @pytest.fixture
    def keep(self, database: Database) -> Callable[..., None]:
        return database.keep

    @pytest.fixture
    def timeout(self) -> float:
        return 1.0

    @pytest.fixture
    def unreachable(self, driver: str, timeout: float) -> RecordSource:
        url = f"{driver}://u@127.0.0.1:1/x"
        return source(connection=url, timeout=timeout)
