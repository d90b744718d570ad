"""Wait until servers are active and idle: wait_for_servers.py ID..."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

import openstack

if TYPE_CHECKING:
    from collections.abc import Iterable


def wait_for_servers(
    compute: Any, ids: Iterable[str], timeout: float = 600
) -> None:
    """Return when all servers are active and no task is pending."""
    waiting = set(ids)
    deadline = time.monotonic() + timeout
    delay = 1
    while True:
        # All pages of GET /servers. The states are None if they are missing.
        servers = {s.id: s for s in compute.servers(details=False)}
        for server_id in list(waiting):
            server = servers.get(server_id)
            if server is None:
                raise RuntimeError(f"{server_id} is not in the list")
            if server.task_state is not None:
                continue
            if server.vm_state in ("error", "deleted"):
                raise RuntimeError(f"{server_id} is {server.vm_state}")
            if server.vm_state == "active":
                waiting.remove(server_id)
        if not waiting:
            return
        if time.monotonic() >= deadline:
            raise TimeoutError(f"timed out: {', '.join(waiting)}")
        time.sleep(delay)
        delay = min(delay * 2, 15)


if __name__ == "__main__":
    wait_for_servers(
        openstack.connect().compute,
        sys.argv[1:],
        float(os.environ.get("TIMEOUT", "600")),
    )
