"""One real Nova for the whole run, on MariaDB where it answers."""

import os

import pytest

from tests.nova import fleet
from tests.nova.client import Api, Client, Novas
from tests.nova.installation import Installation, MariaDB, SQLiteFiles
from tests.support import databases

#: The first; the one from which servers in a cell that is down have stand-ins;
#: the one from which PUT and rebuild answer with states; and a newer one.
MICROVERSIONS = ("2.1", "2.69", "2.75", "2.96")


@pytest.fixture(scope="session")
def nova(tmp_path_factory):
    directory = tmp_path_factory.mktemp("nova")
    is_required = bool(os.environ.get("NOVA_EXT_STS_REQUIRE_DATABASES"))
    on_mariadb = is_required or databases.answers(databases.SERVERS["mysql"])
    made_in = MariaDB() if on_mariadb else SQLiteFiles(directory)
    with Installation(directory, made_in) as installation:
        yield installation


@pytest.fixture(scope="session")
def servers(nova):
    """Every server of the fleet, made."""
    servers = fleet.fleet()
    fleet.create(servers)
    return servers


@pytest.fixture(scope="session")
def novas(nova, servers):
    return Novas(
        alone=Client(nova.application("nova_alone")),
        extended=Client(nova.application("osapi_compute")),
        restored=Client(nova.application("behind_shim_and_filter")),
        blind=Client(nova.application("behind_blind_filter")),
    )


@pytest.fixture(scope="session")
def newest(novas):
    """The newest microversion, as Nova announces it."""
    version = novas.alone.request(Api("/v2.1", None), "/").json["version"]
    return version["version"]


@pytest.fixture(scope="session", params=[*MICROVERSIONS, "newest", "v2"])
def api(request, newest):
    """Each microversion in turn, and the legacy endpoint that has none."""
    if request.param == "v2":
        return Api("/v2", None)
    return Api("/v2.1", newest if request.param == "newest" else request.param)
