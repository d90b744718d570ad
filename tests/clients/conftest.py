"""One demo and one real Nova for the whole run, over HTTP."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import pytest
from keystonemiddleware.fixture import AuthTokenFixture
from webtest.http import StopableWSGIServer

from nova_ext_sts.demo.servers import ALL_STATES, server_id
from nova_ext_sts.states import States
from tests.clients.adapters import TOKEN
from tests.nova import fleet
from tests.nova.installation import (
    ADMIN,
    DOWN_CELL,
    Installation,
    SQLiteFiles,
)
from tests.support.demo import started


class Backend(NamedTuple):
    """A Compute API with the filter.

    :param records: the states of each server, by its id
    :param down: the ids of the servers in a cell that does not answer
    """

    endpoint: str
    records: dict[str, States]
    down: frozenset[str] = frozenset()


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The demo's command."""
    database = tmp_path_factory.mktemp("demo") / "demo.sqlite"
    with started("--all-states", "--database", database) as demo:
        records = {server_id(name): ALL_STATES[name] for name in ALL_STATES}
        yield Backend(demo.url, records)


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """Serve an application of a Nova with every server of the fleet."""
    directory = tmp_path_factory.mktemp("nova")
    with (
        contextlib.ExitStack() as stack,
        AuthTokenFixture() as tokens,
        Installation(
            directory, SQLiteFiles(directory), authtoken=True
        ) as installation,
    ):
        tokens.add_token_data(
            token_id=TOKEN,
            user_id=ADMIN["X-User-Id"],
            project_id=ADMIN["X-Project-Id"],
            role_list=ADMIN["X-Roles"].split(","),
        )
        servers = fleet.fleet()
        fleet.create(servers)
        # What Nova lists for one project: deleted servers only if asked to.
        records = {
            each.id: States(each.vm_state, each.task_state, each.power_state)
            for each in servers
            if each.project == ADMIN["X-Project-Id"]
            and not each.deleted
            and each.cell != DOWN_CELL
            and each.vm_state != "soft-delete"
        }
        down = frozenset(each.id for each in servers if each.cell == DOWN_CELL)

        def served(name):
            server = StopableWSGIServer.create(
                installation.application(name), threads=2
            )
            stack.callback(server.shutdown)
            return Backend(f"{server.application_url}v2.1", records, down)

        yield served


@pytest.fixture(scope="session")
def nova(served):
    """Nova as operators have it: only its plain list has no states."""
    return served("osapi_compute")


@pytest.fixture(scope="session")
def nova_behind_shim(served):
    """Nova without any states."""
    return served("behind_shim_and_filter")


@pytest.fixture(scope="session")
def nova_for_tempest(served):
    """Nova without any states, with ``calls = detail,show``."""
    return served("behind_shim_and_detail_and_show_filter")


@pytest.fixture(params=["demo", "nova", "nova_behind_shim"])
def backend(request):
    """Each Compute API in turn."""
    return request.getfixturevalue(request.param)
