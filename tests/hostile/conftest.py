"""Fixed examples, and a database for all of them."""

import hypothesis
import pytest

from tests.hostile.filtering import RECORDS
from tests.support import databases

# The same examples each time, and nothing remembered of earlier runs.
hypothesis.settings.register_profile(
    "hostile",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
hypothesis.settings.load_profile("hostile")


@pytest.fixture(scope="session")
def connection(tmp_path_factory):
    """Give the URL of a database that has a few servers."""
    directory = tmp_path_factory.mktemp("records")
    with databases.made("sqlite", directory) as database:
        database.insert_instances(
            (name, *states) for name, states in RECORDS.items()
        )
        yield database.url
