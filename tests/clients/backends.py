"""The Compute APIs that clients talk to, and what the records say there."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, NamedTuple

from tests.clients.serving import served
from tests.nova import fleet
from tests.nova.installation import ADMIN, DOWN_CELL
from tests.support.demo import started

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.nova.installation import Installation

#: What clients without an identity service send: keystoneauth's plug-ins
#: "none" and "noauth" both do.
TOKEN = "notused"  # noqa: S105

States = tuple[str | None, str | None, int | None]

#: How a client shows that it has been told nothing.
UNTOLD: States = (None, None, None)


class Backend(NamedTuple):
    """One API, with the filter and without it."""

    name: str
    #: The endpoint with the filter.
    extended: str
    #: The same API's, with the filter taken out.
    bare: str
    #: The vm_state, task_state and power_state of each server, by its id.
    records: Mapping[str, States]
    #: The calls, as in the option ``calls``, in which the API has states of
    #: its own.
    own: frozenset[str] = frozenset()
    #: The servers in a cell that is down.
    down: frozenset[str] = frozenset()

    def reachable(self, told: Mapping[str, States]) -> Mapping[str, States]:
        """Return what a client is told, without the servers that are down.

        Those are there from microversion 2.69, and nothing is told of them.
        """
        assert all(told[down] == UNTOLD for down in self.down & told.keys())
        return {
            server_id: states
            for server_id, states in told.items()
            if server_id not in self.down
        }

    def without_filter(self, call: str) -> Mapping[str, States]:
        """Return what clients are told in a call without the filter."""
        if call in self.own:
            return self.records
        return dict.fromkeys(self.records, UNTOLD)


@contextlib.contextmanager
def demo(directory: Path) -> Iterator[Backend]:
    """Run the demo's command, once with its filter and once without."""
    file = directory / "demo.sqlite"
    with (
        started("--all-states", "--database", file) as extended,
        started(
            "--all-states", "--without-filter", "--database", file
        ) as bare,
        contextlib.closing(sqlite3.connect(file)) as database,
    ):
        rows = database.execute(
            "SELECT uuid, vm_state, task_state, power_state FROM instances"
        )
        yield Backend(
            "demo",
            extended.url,
            bare.url,
            {uuid: tuple(states) for uuid, *states in rows},
        )


@contextlib.contextmanager
def nova(installation: Installation) -> Iterator[Backend]:
    """Serve Nova as an operator has it: its list alone has no states."""
    with (
        served(installation.application("osapi_compute")) as extended,
        served(installation.application("nova_alone")) as bare,
    ):
        yield Backend(
            "Nova",
            f"{extended}/v2.1",
            f"{bare}/v2.1",
            _listed_records(),
            own=frozenset(("detail", "show")),
            down=_down(),
        )


@contextlib.contextmanager
def nova_behind_shim(installation: Installation) -> Iterator[Backend]:
    """Serve Nova without any states of its own."""
    with (
        served(installation.application("behind_shim_and_filter")) as extended,
        served(installation.application("behind_shim")) as bare,
    ):
        yield Backend(
            "Nova behind the shim",
            f"{extended}/v2.1",
            f"{bare}/v2.1",
            _listed_records(),
            down=_down(),
        )


@contextlib.contextmanager
def nova_behind_shim_for_tempest(
    installation: Installation,
) -> Iterator[Backend]:
    """Serve the same with ``calls = detail,show``, where the list is bare."""
    extended = "behind_shim_and_detail_and_show_filter"
    with (
        served(installation.application(extended)) as narrow,
        served(installation.application("behind_shim")) as bare,
    ):
        yield Backend(
            "Nova behind the shim",
            f"{narrow}/v2.1",
            f"{bare}/v2.1",
            _listed_records(),
            down=_down(),
        )


def _listed_records() -> dict[str, States]:
    """Return the states of the servers that Nova lists for one project."""
    return {
        server.id: (server.vm_state, server.task_state, server.power_state)
        for server in fleet.fleet()
        if server.project == ADMIN["X-Project-Id"]
        and not server.deleted
        and server.cell != DOWN_CELL
        # Listed only for who asks for them.
        and server.vm_state != "soft-delete"
    }


def _down() -> frozenset[str]:
    return frozenset(
        server.id for server in fleet.fleet() if server.cell == DOWN_CELL
    )
