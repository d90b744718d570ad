"""The Compute APIs that clients talk to, and the records behind them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from webtest.http import StopableWSGIServer

from nova_ext_sts.demo.servers import ALL_STATES, server_id
from tests.nova import fleet
from tests.nova.installation import ADMIN, DOWN_CELL
from tests.support.demo import started

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from _typeshed.wsgi import WSGIApplication

    from tests.nova.installation import Installation

#: What keystoneauth's plug-ins "none" and "noauth" send.
TOKEN = "notused"  # noqa: S105

#: vm_state, task_state, power_state.
States = tuple[str | None, str | None, int | None]

#: What clients show for a server without states.
NO_STATES: States = (None, None, None)


class Backend(NamedTuple):
    """One API, with the filter and without it.

    :param extended: the endpoint with the filter
    :param bare: the endpoint without it
    :param records: the states of each server, by its id
    :param down: the ids of the servers in a cell that does not answer
    """

    extended: str
    bare: str
    records: Mapping[str, States]
    down: frozenset[str] = frozenset()


@contextlib.contextmanager
def demo(directory: Path) -> Iterator[Backend]:
    """Run the demo's command with its filter, and once more without."""
    arguments = ("--all-states", "--database", directory / "demo.sqlite")
    with (
        started(*arguments) as extended,
        started("--without-filter", *arguments) as bare,
    ):
        records = {server_id(name): ALL_STATES[name] for name in ALL_STATES}
        yield Backend(extended.url, bare.url, records)


@contextlib.contextmanager
def nova(
    installation: Installation, extended: str, bare: str
) -> Iterator[Backend]:
    """Serve two of Nova's applications, with the filter and without."""
    servers = fleet.fleet()
    # What Nova lists for one project: deleted servers only if asked to.
    records = {
        server.id: (server.vm_state, server.task_state, server.power_state)
        for server in servers
        if server.project == ADMIN["X-Project-Id"]
        and not server.deleted
        and server.cell != DOWN_CELL
        and server.vm_state != "soft-delete"
    }
    down = {server.id for server in servers if server.cell == DOWN_CELL}
    with (
        served(installation.application(extended)) as with_filter,
        served(installation.application(bare)) as without,
    ):
        yield Backend(
            f"{with_filter}/v2.1",
            f"{without}/v2.1",
            records,
            frozenset(down),
        )


@contextlib.contextmanager
def served(application: WSGIApplication) -> Iterator[str]:
    """Serve an application, and give its URL without a slash at the end."""
    server = StopableWSGIServer.create(application, threads=2)
    try:
        yield server.application_url.rstrip("/")
    finally:
        server.shutdown()
