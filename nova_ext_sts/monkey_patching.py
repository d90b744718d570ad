# SPDX-License-Identifier: Apache-2.0
"""Processes that eventlet has patched, with several native threads."""

from __future__ import annotations

import os
import sys
import threading

from oslo_log import log as logging

LOG = logging.getLogger(__name__)

#: The native threads that have looked up records, in this order.
_threads: list[int] = []


def may_look_up() -> bool:
    """Return False in the second and further native threads, if patched.

    eventlet's locks belong to one native thread: if another one releases a
    lock, a request that waits for it hangs.
    """
    # Not imported: Nova without eventlet forbids that.
    patcher = sys.modules.get("eventlet.patcher")
    if patcher is None or not patcher.is_monkey_patched("thread"):
        return True
    thread = threading.get_native_id()
    if thread not in _threads:
        _threads.append(thread)
        if _threads[1:2] == [thread]:
            LOG.warning(
                "eventlet has patched this process, which serves requests in "
                "several native threads: only one of them adds states, and "
                "requests may hang, with the filter and without. Set "
                "OS_NOVA_DISABLE_EVENTLET_PATCHING=true in its environment, "
                "or give each process one thread."
            )
    return _threads[0] == thread


# A server may answer a request before it forks.
os.register_at_fork(after_in_child=_threads.clear)
