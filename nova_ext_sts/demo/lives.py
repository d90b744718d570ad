# SPDX-License-Identifier: Apache-2.0
"""The script by which the demo's servers live.

Every moment is one that Nova itself passes through, as its compute manager
writes it to the instance record. There the power state stays as it is while a
task is pending, whatever becomes of the guest meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nova_ext_sts.states import POWER_STATES, States

if TYPE_CHECKING:
    from collections.abc import Mapping

_POWER = {name: number for number, name in POWER_STATES.items()}

_ACTIVE = States("active", None, _POWER["Running"])
_DELETED = States("deleted", None, _POWER["NOSTATE"])
_PAUSED = States("paused", None, _POWER["Paused"])
_RESCUED = States("rescued", None, _POWER["Running"])
_SHELVED = States("shelved", None, _POWER["Shutdown"])
_SHELVED_OFFLOADED = States("shelved_offloaded", None, _POWER["Shutdown"])
_SOFT_DELETED = States("soft-delete", None, _POWER["Shutdown"])
_STOPPED = States("stopped", None, _POWER["Shutdown"])
# As the driver of VMware has it; libvirt says Shutdown.
_SUSPENDED = States("suspended", None, _POWER["Suspended"])
_VERIFY = States("resized", None, _POWER["Running"])
_VERIFY_STOPPED = States("resized", None, _POWER["Shutdown"])

_BUILDING = ("networking", "block_device_mapping", "spawning")
_REBUILDING = (
    "rebuilding",
    "rebuild_block_device_mapping",
    "rebuild_spawning",
)
_RESIZING = (
    "resize_prep",
    "resize_migrating",
    "resize_migrated",
    "resize_finish",
)


class Action(NamedTuple):
    """What is done to a server, and each of its moments until it rests.

    :param name: Nova's, as in ``openstack server event list``
    """

    name: str
    moments: tuple[States, ...]


def _action(name: str, *moments: States) -> Action:
    return Action(name, moments)


def _during(states: States, *tasks: str) -> tuple[States, ...]:
    """Return the moments of tasks that a server in these states goes through.

    Only the task state changes.
    """
    return tuple(states._replace(task_state=task) for task in tasks)


_NEW = States("building", None, _POWER["NOSTATE"])
_START_OF_LIFE = (
    *_during(_NEW, "scheduling"),
    _NEW,
    *_during(_NEW, *_BUILDING),
)
_NOT_BUILT = States("error", None, _POWER["NOSTATE"])
_NOT_RESIZED = States("error", None, _POWER["Shutdown"])

CREATE = _action("create", *_START_OF_LIFE, _ACTIVE)
CREATE_IN_VAIN = _action("create", *_START_OF_LIFE, _NOT_BUILT)
DELETE = _action("delete", *_during(_ACTIVE, "deleting"), _DELETED)
DELETE_FAILED = _action("delete", *_during(_NOT_BUILT, "deleting"), _DELETED)
# Where the site keeps deleted servers for a while.
SOFT_DELETE = _action(
    "delete", *_during(_ACTIVE, "soft-deleting"), _SOFT_DELETED
)
FORCE_DELETE = _action("delete", *_during(_SOFT_DELETED, "deleting"), _DELETED)
RESTORE = _action("restore", *_during(_SOFT_DELETED, "restoring"), _ACTIVE)

STOP = _action("stop", *_during(_ACTIVE, "powering-off"), _STOPPED)
START = _action("start", *_during(_STOPPED, "powering-on"), _ACTIVE)
# A guest that crashes is found by a periodic task, and stopped.
_CRASH = _ACTIVE._replace(power_state=_POWER["Crashed"])
CRASH = _action("stop", _CRASH, *_during(_CRASH, "powering-off"), _STOPPED)
REBOOT = _action(
    "reboot",
    *_during(_ACTIVE, "rebooting", "reboot_pending", "reboot_started"),
    _ACTIVE,
)
HARD_REBOOT = _action(
    "reboot",
    *_during(
        _ACTIVE,
        "rebooting_hard",
        "reboot_pending_hard",
        "reboot_started_hard",
    ),
    _ACTIVE,
)
PAUSE = _action("pause", *_during(_ACTIVE, "pausing"), _PAUSED)
UNPAUSE = _action("unpause", *_during(_PAUSED, "unpausing"), _ACTIVE)
SUSPEND = _action("suspend", *_during(_ACTIVE, "suspending"), _SUSPENDED)
RESUME = _action("resume", *_during(_SUSPENDED, "resuming"), _ACTIVE)
RESCUE = _action("rescue", *_during(_ACTIVE, "rescuing"), _RESCUED)
UNRESCUE = _action("unrescue", *_during(_RESCUED, "unrescuing"), _ACTIVE)

REBUILD = _action("rebuild", *_during(_ACTIVE, *_REBUILDING), _ACTIVE)
REBUILD_FAILED = _action(
    "rebuild", *_during(_NOT_RESIZED, *_REBUILDING), _ACTIVE
)
# It is spawned as any other one, and then stopped again.
REBUILD_STOPPED = _action(
    "rebuild", *_during(_STOPPED, *_REBUILDING), _ACTIVE, *STOP.moments
)
RESIZE = _action("resize", *_during(_ACTIVE, *_RESIZING), _VERIFY)
RESIZE_STOPPED = _action(
    "resize", *_during(_STOPPED, *_RESIZING), _VERIFY_STOPPED
)
# What had the guest shut down fails, which a periodic task notices later.
RESIZE_IN_VAIN = _action(
    "resize",
    *_during(_ACTIVE, *_RESIZING[:2]),
    _NOT_RESIZED._replace(power_state=_POWER["Running"]),
    _NOT_RESIZED,
)
# A cold one, which is a resize to the same flavor.
MIGRATE = RESIZE._replace(name="migrate")
MIGRATE_STOPPED = RESIZE_STOPPED._replace(name="migrate")
CONFIRM = _action("confirmResize", _ACTIVE)
CONFIRM_STOPPED = _action("confirmResize", _STOPPED)
REVERT = _action(
    "revertResize", *_during(_VERIFY, "resize_reverting"), _ACTIVE
)
REVERT_STOPPED = _action(
    "revertResize",
    *_during(_VERIFY_STOPPED, "resize_reverting", "powering-off"),
    _STOPPED,
)
LIVE_MIGRATE = _action(
    "live-migration", *_during(_ACTIVE, "migrating"), _ACTIVE
)
LIVE_MIGRATE_PAUSED = _action(
    "live-migration", *_during(_PAUSED, "migrating"), _PAUSED
)

SHELVE = _action(
    "shelve",
    *_during(
        _ACTIVE,
        "shelving",
        "shelving_image_pending_upload",
        "shelving_image_uploading",
    ),
    _SHELVED,
)
OFFLOAD = _action(
    "shelveOffload",
    *_during(_SHELVED, "shelving_offloading"),
    _SHELVED_OFFLOADED,
)
UNSHELVE = _action(
    "unshelve", *_during(_SHELVED, "unshelving", "powering-on"), _ACTIVE
)
UNSHELVE_OFFLOADED = _action(
    "unshelve",
    *_during(_SHELVED_OFFLOADED, "unshelving", "spawning"),
    _ACTIVE,
)
PASSWORD = _action(
    "changePassword", *_during(_ACTIVE, "updating_password"), _ACTIVE
)
_UPLOADING = ("image_pending_upload", "image_uploading")
IMAGE = _action(
    "createImage",
    *_during(_ACTIVE, "image_snapshot_pending", "image_snapshot", *_UPLOADING),
    _ACTIVE,
)
BACKUP = _action(
    "createBackup", *_during(_ACTIVE, "image_backup", *_UPLOADING), _ACTIVE
)

#: What is done to each server, by its name, over and over. A life comes by the
#: states that the server is named after.
LIVES: Mapping[str, tuple[Action, ...]] = {
    "active": (IMAGE, BACKUP),
    "active-rebooting-hard": (HARD_REBOOT,),
    "active-migrating": (LIVE_MIGRATE,),
    "active-updating-password": (PASSWORD,),
    "active-rebooting": (REBOOT,),
    "active-rebuilding": (REBUILD,),
    "active-rebuild-block-device-mapping": (REBUILD, REBOOT),
    "active-rebuild-spawning": (REBUILD, HARD_REBOOT),
    "active-resize-prep": (RESIZE, CONFIRM),
    "active-resize-migrating": (RESIZE, REVERT),
    "active-resize-migrated": (MIGRATE, CONFIRM),
    "active-resize-finish": (MIGRATE, REVERT),
    "building": (CREATE, DELETE),
    "deleted": (CREATE, DELETE),
    "error": (CREATE_IN_VAIN, DELETE_FAILED),
    "paused": (PAUSE, UNPAUSE),
    "rescued": (RESCUE, UNRESCUE),
    "resized": (RESIZE, CONFIRM),
    "resized-resize-reverting": (RESIZE, REVERT),
    # Named in the specification's spelling, which Nova does not write.
    "soft-deleted": (RESTORE, SOFT_DELETE),
    "stopped": (START, STOP, START, CRASH),
    "suspended": (SUSPEND, RESUME),
    "active-reboot-pending": (REBOOT,),
    "active-reboot-started": (REBOOT, IMAGE),
    "active-reboot-pending-hard": (HARD_REBOOT,),
    "active-reboot-started-hard": (HARD_REBOOT, BACKUP),
    "error-rebuilding": (RESIZE_IN_VAIN, REBUILD_FAILED),
    "error-rebuild-block-device-mapping": (RESIZE_IN_VAIN, REBUILD_FAILED),
    "error-rebuild-spawning": (RESIZE_IN_VAIN, REBUILD_FAILED),
    "paused-migrating": (PAUSE, LIVE_MIGRATE_PAUSED, UNPAUSE),
    "shelved": (SHELVE, UNSHELVE),
    "shelved-offloaded": (SHELVE, OFFLOAD, UNSHELVE_OFFLOADED),
    "soft-delete": (CREATE, SOFT_DELETE, FORCE_DELETE),
    "stopped-rebuilding": (REBUILD_STOPPED,),
    "stopped-rebuild-block-device-mapping": (REBUILD_STOPPED, START, STOP),
    "stopped-rebuild-spawning": (REBUILD_STOPPED, START, CRASH),
    "stopped-resize-prep": (RESIZE_STOPPED, CONFIRM_STOPPED),
    "stopped-resize-migrating": (RESIZE_STOPPED, REVERT_STOPPED),
    "stopped-resize-migrated": (MIGRATE_STOPPED, CONFIRM_STOPPED),
    "stopped-resize-finish": (MIGRATE_STOPPED, REVERT_STOPPED),
}
