"""The contract of record sources, kept with each driver."""

import pytest

from nova_ext_sts.records.testing import RecordSourceConformance
from tests.support.cells import source


class TestDrivers(RecordSourceConformance):
    @pytest.fixture
    def source(self, database):
        return source(connection=database.url)

    @pytest.fixture
    def keep(self, database):
        return database.keep

    @pytest.fixture
    def timeout(self):
        return 1.0

    @pytest.fixture
    def unreachable(self, driver, timeout):
        url = f"{driver}://u@127.0.0.1:1/x"
        return source(connection=url, timeout=timeout)
