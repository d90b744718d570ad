# SPDX-License-Identifier: Apache-2.0
"""The vocabulary of states, against the extension's specification."""

import pytest

from nova_ext_sts.states import SPECIFIED_STATUSES, server_status

#: "Server Statuses and Corresponding VM and Task Statuses".
SPECIFICATION = """
| ACTIVE        | active       |                              |
| HARD_REBOOT   | active       | rebooting_hard               |
| MIGRATING     | active       | migrating                    |
| PASSWORD      | active       | updating_password            |
| REBOOT        | active       | rebooting                    |
| REBUILD       | active       | rebuilding                   |
| REBUILD       | active       | rebuild_block_device_mapping |
| REBUILD       | active       | rebuild_spawning             |
| RESIZE        | active       | resize_prep                  |
| RESIZE        | active       | resize_migrating             |
| RESIZE        | active       | resize_migrated              |
| RESIZE        | active       | resize_finish                |
| BUILD         | building     |                              |
| DELETED       | deleted      |                              |
| ERROR         | error        |                              |
| PAUSED        | paused       |                              |
| RESCUE        | rescued      |                              |
| VERIFY_RESIZE | resized      |                              |
| REVERT_RESIZE | resized      | resize_reverting             |
| DELETED       | soft_deleted |                              |
| SHUTOFF       | stopped      |                              |
| SUSPENDED     | suspended    |                              |
"""


def test_table_is_the_specification_s():
    assert list(SPECIFIED_STATUSES) == [
        tuple(cell.strip() or None for cell in line.strip("|").split("|"))
        for line in SPECIFICATION.strip().splitlines()
    ]


@pytest.mark.parametrize(
    ("status", "vm_state", "task_state"),
    [
        ("PASSWORD", "active", "updating_password"),
        # A task state without a row leaves the status of the VM state.
        ("ACTIVE", "active", "powering-off"),
        ("ACTIVE", "active", ""),
        ("BUILD", "building", "scheduling"),
        ("PAUSED", "paused", "rebooting"),
        # These are in no table.
        ("UNKNOWN", None, None),
        ("UNKNOWN", None, "rebooting"),
        ("UNKNOWN", "ACTIVE", None),
        ("UNKNOWN", "hibernated", "rebooting"),
    ],
)
def test_states_give_the_status_of_their_row(status, vm_state, task_state):
    assert server_status(vm_state, task_state) == status
