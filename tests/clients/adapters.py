"""Each client behind the same few methods.

A client's ``calls`` are those that it can make. ``servers`` makes *list* or
*detail*, page after page, and ``show`` one *show*. They return the states that
the client shows: ``openstack server list`` has no column for the VM state.
"""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import openstack
from keystoneauth1 import noauth, session
from libcloud.compute.providers import get_driver
from libcloud.compute.types import Provider
from novaclient import client as novaclient

from nova_ext_sts import extension
from nova_ext_sts.states import NO_STATES

#: What keystoneauth's plug-ins "none" and "noauth" send.
TOKEN = "notused"  # noqa: S105

Shown = tuple[str | int | None, ...]
Servers = list[tuple[str, Shown]]


class Adapter:
    calls: tuple[str, ...] = ("list", "detail", "show")


class OpenStackSDK(Adapter):
    def __init__(self, endpoint: str) -> None:
        cloud = openstack.connect(auth_type="none", endpoint=endpoint)
        self._compute = cloud.compute

    def servers(self, call: str, limit: int | None = None) -> Servers:
        found = self._compute.servers(details=call == "detail", limit=limit)
        return [(server.id, self._shown(server)) for server in found]

    def show(self, server_id: str) -> Shown:
        return self._shown(
            self._compute.find_server(server_id, ignore_missing=False)
        )

    def _shown(self, server: Any) -> Shown:
        return server.vm_state, server.task_state, server.power_state


class NovaClient(Adapter):
    microversion = "2.1"

    def __init__(self, endpoint: str) -> None:
        self._servers = novaclient.Client(
            self.microversion,
            session=session.Session(auth=noauth.NoAuth(endpoint=endpoint)),
        ).servers

    def servers(self, call: str, limit: int | None = None) -> Servers:
        found: list[Any] = []
        while page := self._servers.list(
            detailed=call == "detail",
            limit=limit,
            marker=found[-1].id if found else None,
        ):
            found += page
        return [(server.id, self._shown(server)) for server in found]

    def show(self, server_id: str) -> Shown:
        return self._shown(self._servers.get(server_id))

    def _shown(self, server: Any) -> Shown:
        """Return all of a server's states, or none, but not some of them."""
        if not hasattr(server, extension.ATTRIBUTES[0]):
            assert extension.ALIAS not in str(server.to_dict().keys())
            return NO_STATES
        return tuple(getattr(server, name) for name in extension.ATTRIBUTES)


class LatestNovaClient(NovaClient):
    microversion = "2.96"


class Libcloud(Adapter):
    calls = ("detail", "show")

    def __init__(self, endpoint: str) -> None:
        self._driver = get_driver(Provider.OPENSTACK)(
            "user",
            "password",
            api_version="2.1",
            ex_force_auth_token=TOKEN,
            ex_force_auth_url=endpoint,
            ex_force_auth_version="3.x_password",
            ex_force_base_url=endpoint,
            ex_tenant_name="project",
        )

    def servers(self, call: str) -> Servers:
        nodes = self._driver.list_nodes()
        return [(node.id, self._shown(node)) for node in nodes]

    def show(self, server_id: str) -> Shown:
        return self._shown(self._driver.ex_get_node_details(server_id))

    def _shown(self, node: Any) -> Shown:
        return tuple(
            node.extra[name]
            for name in ("vm_state", "task_state", "power_state")
        )


class OpenStackClient(Adapter):
    """The command, with no configuration but what it is given."""

    calls = ("detail", "show")

    def __init__(self, endpoint: str) -> None:
        self._environ = {
            "PATH": os.environ["PATH"],
            "COLUMNS": "200",
            "OS_AUTH_TYPE": "none",
            "OS_ENDPOINT": endpoint,
            "OS_IDENTITY_API_VERSION": "3",
        }

    def servers(self, call: str) -> Servers:
        found = json.loads(self.run("list", "--long", "-f", "json"))
        return [
            (server["ID"], (server["Task State"], server["Power State"]))
            for server in found
        ]

    def show(self, server_id: str) -> Shown:
        server = json.loads(self.run("show", server_id, "-f", "json"))
        return tuple(server[name] for name in extension.ATTRIBUTES)

    def run(self, *arguments: str) -> str:
        """Return the output of ``openstack server``."""
        command = Path(sysconfig.get_path("scripts"), "openstack")
        with tempfile.TemporaryDirectory() as home:
            return subprocess.check_output(
                [command, "server", *arguments],
                cwd=home,
                env={**self._environ, "HOME": home},
                text=True,
                timeout=120,
            )


ADAPTERS = (
    OpenStackSDK,
    NovaClient,
    LatestNovaClient,
    Libcloud,
    OpenStackClient,
)
