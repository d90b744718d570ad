"""One demo and one real Nova for the whole run, over HTTP."""

import pytest
from keystonemiddleware.fixture import AuthTokenFixture

from tests.clients import backends
from tests.nova import fleet
from tests.nova.installation import ADMIN, Installation, SQLiteFiles


@pytest.fixture(scope="session")
def installation(tmp_path_factory):
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
def demo(tmp_path_factory):
    with backends.demo(tmp_path_factory.mktemp("demo")) as backend:
        yield backend


@pytest.fixture(scope="session")
def nova(installation):
    """Nova as operators have it: only its plain list has no states."""
    with backends.nova(installation, "osapi_compute", "nova_alone") as backend:
        yield backend


@pytest.fixture(scope="session")
def nova_behind_shim(installation):
    """Nova without any states."""
    with backends.nova(
        installation, "behind_shim_and_filter", "behind_shim"
    ) as backend:
        yield backend


@pytest.fixture(scope="session")
def nova_for_tempest(installation):
    """Nova without any states, with ``calls = detail,show``."""
    with backends.nova(
        installation, "behind_shim_and_detail_and_show_filter", "behind_shim"
    ) as backend:
        yield backend


@pytest.fixture(scope="session", params=["demo", "nova", "nova_behind_shim"])
def backend(request):
    """Each Compute API in turn."""
    found = request.getfixturevalue(request.param)
    return found
