# SPDX-License-Identifier: Apache-2.0
"""The extension's identity, as its specification and Nova's API v2 give it."""

ALIAS = "OS-EXT-STS"
NAME = "ExtendedStatus"
DESCRIPTION = "Extended Status support."
UPDATED = "2011-11-03T00:00:00Z"
NAMESPACE = "http://docs.openstack.org/compute/ext/extended_status/api/v1.1"

#: The attributes of a server, in the order of ``states.States``.
ATTRIBUTES = (
    f"{ALIAS}:vm_state",
    f"{ALIAS}:task_state",
    f"{ALIAS}:power_state",
)

#: What is put right in an entry of the application's own; Nova has listed a
#: placeholder for the namespace, and another date, since API v2.1.
RIGHT = {"namespace": NAMESPACE, "updated": UPDATED}
