# SPDX-License-Identifier: Apache-2.0
"""The states of a server, and the vocabulary of states.

The vocabulary serves the documentation and the demo. No record is validated
against it: the values of an instance record go out verbatim, since "it is
possible that these status values can be added, removed, or renamed", as the
extension's specification says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class States(NamedTuple):
    """The extended status of a server, with its instance record's values."""

    vm_state: str | None
    task_state: str | None
    power_state: int | None

    @classmethod
    def of(cls, values: Iterable[Any]) -> States:
        """Return the states with these values.

        :raises TypeError: they are not three, or no text, integer or None
        """
        states = cls(*values)
        for state in states:
            if not isinstance(state, str | int | None):
                raise TypeError(f"a state of type {type(state).__name__}")
        return states


#: The states of a server without a record, with ``missing_record = null``.
NO_STATES = States(None, None, None)

#: The states that Nova shows for a server that is in no cell yet.
SCHEDULING = States("building", "scheduling", 0)


class ServerStatus(NamedTuple):
    """One row of a table of server statuses.

    The row without a ``task_state`` applies to every task state that has no
    row with the same ``vm_state``.
    """

    status: str
    vm_state: str
    task_state: str | None


#: The specification's table "Server Statuses and Corresponding VM and Task
#: Statuses".
SPECIFIED_STATUSES = (
    ServerStatus("ACTIVE", "active", None),
    ServerStatus("HARD_REBOOT", "active", "rebooting_hard"),
    ServerStatus("MIGRATING", "active", "migrating"),
    ServerStatus("PASSWORD", "active", "updating_password"),
    ServerStatus("REBOOT", "active", "rebooting"),
    ServerStatus("REBUILD", "active", "rebuilding"),
    ServerStatus("REBUILD", "active", "rebuild_block_device_mapping"),
    ServerStatus("REBUILD", "active", "rebuild_spawning"),
    ServerStatus("RESIZE", "active", "resize_prep"),
    ServerStatus("RESIZE", "active", "resize_migrating"),
    ServerStatus("RESIZE", "active", "resize_migrated"),
    ServerStatus("RESIZE", "active", "resize_finish"),
    ServerStatus("BUILD", "building", None),
    ServerStatus("DELETED", "deleted", None),
    ServerStatus("ERROR", "error", None),
    ServerStatus("PAUSED", "paused", None),
    ServerStatus("RESCUE", "rescued", None),
    ServerStatus("VERIFY_RESIZE", "resized", None),
    ServerStatus("REVERT_RESIZE", "resized", "resize_reverting"),
    ServerStatus("DELETED", "soft_deleted", None),
    ServerStatus("SHUTOFF", "stopped", None),
    ServerStatus("SUSPENDED", "suspended", None),
)

#: The statuses that Nova has added since, in Nova's spellings.
LATER_STATUSES = (
    ServerStatus("REBOOT", "active", "reboot_pending"),
    ServerStatus("REBOOT", "active", "reboot_started"),
    ServerStatus("HARD_REBOOT", "active", "reboot_pending_hard"),
    ServerStatus("HARD_REBOOT", "active", "reboot_started_hard"),
    ServerStatus("REBUILD", "error", "rebuilding"),
    ServerStatus("REBUILD", "error", "rebuild_block_device_mapping"),
    ServerStatus("REBUILD", "error", "rebuild_spawning"),
    ServerStatus("MIGRATING", "paused", "migrating"),
    ServerStatus("SHELVED", "shelved", None),
    ServerStatus("SHELVED_OFFLOADED", "shelved_offloaded", None),
    ServerStatus("SOFT_DELETED", "soft-delete", None),
    ServerStatus("REBUILD", "stopped", "rebuilding"),
    ServerStatus("REBUILD", "stopped", "rebuild_block_device_mapping"),
    ServerStatus("REBUILD", "stopped", "rebuild_spawning"),
    ServerStatus("RESIZE", "stopped", "resize_prep"),
    ServerStatus("RESIZE", "stopped", "resize_migrating"),
    ServerStatus("RESIZE", "stopped", "resize_migrated"),
    ServerStatus("RESIZE", "stopped", "resize_finish"),
)

#: The names of power states, as openstackclient writes them.
POWER_STATES = {
    0: "NOSTATE",
    1: "Running",
    3: "Paused",
    4: "Shutdown",
    6: "Crashed",
    7: "Suspended",
}

_STATUSES: dict[tuple[str | None, str | None], str] = {
    (row.vm_state, row.task_state): row.status
    for row in SPECIFIED_STATUSES + LATER_STATUSES
}


def server_status(vm_state: str | None, task_state: str | None) -> str:
    """Return the server status for a VM state and a task state.

    A VM state that is in no table gives ``UNKNOWN``, as in Nova.
    """
    return (
        _STATUSES.get((vm_state, task_state))
        or _STATUSES.get((vm_state, None))
        or "UNKNOWN"
    )
