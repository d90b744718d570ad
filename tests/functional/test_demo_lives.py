# SPDX-License-Identifier: Apache-2.0
"""The script of the demo's lives, held to what Nova does."""

from __future__ import annotations

import itertools

from nova_ext_sts import states
from nova_ext_sts.demo import fleet, lives, walk
from tests.functional.test_demo import NAMES, ROWS

IDS = {fleet.server_id(name): name for name in NAMES}
SCRIPT = {
    states
    for life in lives.LIVES.values()
    for action in life
    for states in action.moments
}

#: In which VM states Nova's API lets each task begin.
BEGINNINGS = {
    "scheduling": {"building"},
    "deleting": {"active", "error", "soft-delete"},
    "soft-deleting": {"active"},
    "restoring": {"soft-delete"},
    "powering-off": {"active"},
    "powering-on": {"stopped"},
    "rebooting": {"active"},
    "rebooting_hard": {"active"},
    "pausing": {"active"},
    "unpausing": {"paused"},
    "suspending": {"active"},
    "resuming": {"suspended"},
    "rescuing": {"active"},
    "unrescuing": {"rescued"},
    "rebuilding": {"active", "stopped", "error"},
    "resize_prep": {"active", "stopped"},
    "resize_reverting": {"resized"},
    "migrating": {"active", "paused"},
    "shelving": {"active"},
    "shelving_offloading": {"shelved"},
    "unshelving": {"shelved", "shelved_offloaded"},
    "updating_password": {"active"},
    "image_snapshot_pending": {"active"},
    "image_backup": {"active"},
}

#: The tasks that follow one of these, while it is going on.
SEQUELS = {
    "networking",
    "block_device_mapping",
    "spawning",
    "reboot_pending",
    "reboot_started",
    "reboot_pending_hard",
    "reboot_started_hard",
    "rebuild_block_device_mapping",
    "rebuild_spawning",
    "resize_migrating",
    "resize_migrated",
    "resize_finish",
    "shelving_image_pending_upload",
    "shelving_image_uploading",
    "image_snapshot",
    "image_pending_upload",
    "image_uploading",
}

#: The power state that Nova writes at rest.
POWER_STATES = {
    "active": {1, 6},
    "building": {0},
    "deleted": {0},
    "error": {0, 1, 4},
    "paused": {3},
    "rescued": {1},
    "resized": {1, 4},
    "shelved": {4},
    "shelved_offloaded": {4},
    "soft-delete": {4},
    "stopped": {4},
    "suspended": {7},
}


def lifetimes() -> dict[str, list[states.States]]:
    """Return what becomes of each server, by its name, in 300 steps."""
    lifetimes = {IDS[id]: [now] for id, now in walk.beginnings().items()}
    for changes in itertools.islice(walk.steps(), 300):
        for id, now in changes.items():
            lifetimes[IDS[id]].append(now.states)
    return lifetimes


def test_every_server_has_a_life_of_its_own_name() -> None:
    assert list(lives.LIVES) == NAMES
    for row, name in zip(ROWS, NAMES, strict=True):
        begun = walk.beginnings()[fleet.server_id(name)]
        # Which Nova spells so.
        vm_state = row.vm_state.replace("soft_deleted", "soft-delete")
        assert begun[:2] == (vm_state, row.task_state)


def test_lives_are_in_novas_words() -> None:
    assert {now.vm_state for now in SCRIPT} == set(POWER_STATES)
    assert {now.task_state for now in SCRIPT} == {
        None,
        *BEGINNINGS,
        *SEQUELS,
    }
    for now in SCRIPT:
        assert now.power_state in POWER_STATES[str(now.vm_state)]


def test_lives_come_by_every_row_of_the_tables() -> None:
    passed = {now[:2] for life in lifetimes().values() for now in life}
    assert {
        (row.vm_state, row.task_state)
        for row in ROWS
        if (row.vm_state, row.task_state) not in passed
    } == {("soft_deleted", None)}
    assert {states.server_status(*now) for now in passed} == {
        row.status for row in ROWS
    }
    assert {now.power_state for now in SCRIPT} == set(states.POWER_STATES)


def test_a_task_begins_where_novas_api_lets_it() -> None:
    for life in lifetimes().values():
        for before, now in itertools.pairwise(life):
            if before.task_state is None and now.task_state in BEGINNINGS:
                assert now.vm_state in BEGINNINGS[now.task_state]


def test_a_task_changes_nothing_else_before_it_ends() -> None:
    for life in lifetimes().values():
        for before, now in itertools.pairwise(life):
            if now.task_state == "scheduling":
                assert before.vm_state == "deleted"
            elif now.task_state is not None:
                assert now == before._replace(task_state=now.task_state)
            # Else it ends, or nothing was pending and Nova has looked at
            # the guest, or a resize is confirmed.
            elif before.task_state is None:
                assert (before, now) in {
                    (
                        states.States("active", None, 1),
                        states.States("active", None, 6),
                    ),
                    (
                        states.States("error", None, 1),
                        states.States("error", None, 4),
                    ),
                    (
                        states.States("resized", None, 1),
                        states.States("active", None, 1),
                    ),
                    (
                        states.States("resized", None, 4),
                        states.States("stopped", None, 4),
                    ),
                }


def test_every_server_acts_again_and_again_and_a_few_at_a_time() -> None:
    steps = list(itertools.islice(walk.steps(), 300))
    assert all(3 <= len(changes) <= 15 for changes in steps)
    # None is left out, whatever the length of the others' actions.
    ends = [
        sum(id in changes and changes[id].is_last for changes in steps)
        for id in IDS
    ]
    assert min(ends) >= 20
    assert max(ends) <= 25


def test_who_sees_the_first_servers_alone_sees_tasks_too() -> None:
    now = walk.beginnings()
    for changes in itertools.islice(walk.steps(), 300):
        now |= {id: moment.states for id, moment in changes.items()}
        # As many as a table in a terminal of 24 rows has.
        first = list(now.values())[:19]
        assert any(states.task_state is not None for states in first)
