# SPDX-License-Identifier: Apache-2.0
"""The states of a server: one record's values, and the vocabulary.

The API does not regulate the values ("it is possible that these status values
can be added, removed, or renamed", says the extension's specification), so
nothing here is used to judge a record: whatever an instance record holds goes
out as it is. The vocabulary serves the documentation and the demo.
"""

from __future__ import annotations

from typing import NamedTuple


class States(NamedTuple):
    """The extended status of one server, as its instance record holds it."""

    vm_state: str | None
    task_state: str | None
    power_state: int | None


#: What a server without a record gets with ``missing_record = null``.
NO_STATES = States(None, None, None)

#: What Nova shows for a server that is in no cell yet.
SCHEDULING = States("building", "scheduling", 0)


class ServerStatus(NamedTuple):
    """One row of a table of server statuses.

    ``task_state`` is None in the row that stands for every task state for
    which its ``vm_state`` has no row of its own.
    """

    status: str
    vm_state: str
    task_state: str | None


#: The specification's "Server Statuses and Corresponding VM and Task
#: Statuses", row by row.
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

#: What Nova has added since, in its own spellings.
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

#: ``power_state`` in words, as openstackclient writes them.
POWER_STATES = {
    0: "NOSTATE",
    1: "Running",
    3: "Paused",
    4: "Shutdown",
    6: "Crashed",
    7: "Suspended",
}

_STATUSES = {
    (row.vm_state, row.task_state): row.status
    for row in SPECIFIED_STATUSES + LATER_STATUSES
}


def server_status(vm_state: str | None, task_state: str | None) -> str:
    """Return the server status that corresponds with the two states.

    A task state without a row of its own leaves the status that the VM state
    has; a VM state that stands in no table gives ``UNKNOWN``, as in Nova.
    """
    if vm_state is None:
        return "UNKNOWN"
    return (
        _STATUSES.get((vm_state, task_state))
        or _STATUSES.get((vm_state, None))
        or "UNKNOWN"
    )
