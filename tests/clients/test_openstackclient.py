"""The command ``openstack`` shows the states of the records."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nova_ext_sts import extension
from tests.clients.backends import UNTOLD
from tests.clients.tally import version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from tests.clients.backends import Backend, States
    from tests.clients.tally import Tally

CLIENT = version("python-openstackclient")
COMMAND = Path(sysconfig.get_path("scripts"), "openstack")

#: All that ``list --long`` shows of a server's states.
Shown = tuple[str | None, int | None]


class Client:
    """Runs the command, with no configuration but what it is given.

    :param home: an empty directory
    """

    def __init__(self, home: Path) -> None:
        self._home = home

    def by_environment(self, endpoint: str, *arguments: str) -> str:
        """Return the output, the endpoint being in the environment."""
        return self._run(
            arguments,
            OS_AUTH_TYPE="none",
            OS_ENDPOINT=endpoint,
            OS_IDENTITY_API_VERSION="3",
        )

    def by_clouds_yaml(self, endpoint: str, *arguments: str) -> str:
        """Return the output, the endpoint being in a ``clouds.yaml``."""
        file = self._home / "clouds.yaml"
        file.write_text(
            "clouds:\n"
            "  here:\n"
            "    auth_type: none\n"
            "    auth:\n"
            f"      endpoint: {endpoint}\n"
            "    identity_api_version: 3\n"
        )
        return self._run(
            ("--os-cloud", "here", *arguments),
            OS_CLIENT_CONFIG_FILE=str(file),
        )

    def _run(self, arguments: Iterable[str], **environ: str) -> str:
        environ |= {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("OS_")
        } | {"HOME": str(self._home), "COLUMNS": "200"}
        done = subprocess.run(
            [COMMAND, *arguments],
            capture_output=True,
            check=False,
            cwd=self._home,
            env=environ,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path)


def listed(output: str) -> Mapping[str, Shown]:
    return {
        server["ID"]: (server["Task State"], server["Power State"])
        for server in json.loads(output)
    }


def without_vm_state(records: Mapping[str, States]) -> Mapping[str, Shown]:
    return {
        server_id: (task_state, power_state)
        for server_id, (_, task_state, power_state) in records.items()
    }


def shown(output: str) -> States:
    server: dict[str, Any] = json.loads(output)
    vm_state, task_state, power_state = (
        server[name] for name in extension.ATTRIBUTES
    )
    return vm_state, task_state, power_state


def different(backend: Backend) -> Iterable[str]:
    """Return the ids of servers that have no states in common."""
    seen: list[States] = []
    for server_id, states in backend.records.items():
        if all(
            mine != theirs
            for others in seen
            for mine, theirs in zip(states, others, strict=True)
        ):
            seen.append(states)
            yield server_id


def test_list_long_has_the_states_of_the_records(
    client: Client, backend: Backend, tally: Tally
) -> None:
    output = client.by_environment(
        backend.extended, "server", "list", "--long", "-f", "json"
    )

    servers = listed(output)
    assert len(servers) == len(json.loads(output)) > 35
    assert servers == without_vm_state(backend.records)
    tally.count(CLIENT, backend.name, calls=1, servers=len(servers))


def test_list_long_is_told_nothing_without_the_filter(
    client: Client, backend: Backend
) -> None:
    output = client.by_environment(
        backend.bare, "server", "list", "--long", "-f", "json"
    )

    assert listed(output) == without_vm_state(backend.without_filter("detail"))


def test_show_has_the_states_of_its_record(
    client: Client, backend: Backend, tally: Tally
) -> None:
    chosen = list(different(backend))
    assert len(chosen) > 2
    for server_id in chosen:
        output = client.by_environment(
            backend.extended, "server", "show", server_id, "-f", "json"
        )

        assert shown(output) == backend.records[server_id] != UNTOLD
        tally.count(CLIENT, backend.name, calls=1, servers=1)


def test_show_is_told_nothing_without_the_filter(
    client: Client, backend: Backend
) -> None:
    server_id = next(iter(backend.records))
    output = client.by_environment(
        backend.bare, "server", "show", server_id, "-f", "json"
    )

    assert shown(output) == backend.without_filter("show")[server_id]


def test_clouds_yaml_does_as_well(
    client: Client, backend: Backend, tally: Tally
) -> None:
    output = client.by_clouds_yaml(
        backend.extended, "server", "list", "--long", "-f", "json"
    )
    assert listed(output) == without_vm_state(backend.records)
    tally.count(CLIENT, backend.name, calls=1, servers=len(backend.records))

    name = json.loads(output)[0]["Name"]
    output = client.by_clouds_yaml(
        backend.extended, "server", "show", name, "-f", "json"
    )
    assert shown(output) == backend.records[json.loads(output)["id"]]
    tally.count(CLIENT, backend.name, calls=1, servers=1)


def test_table_has_a_word_for_each_power_state(
    client: Client, demo: Backend, tally: Tally
) -> None:
    words = {
        0: "NOSTATE",
        1: "Running",
        3: "Paused",
        4: "Shutdown",
        6: "Crashed",
        7: "Suspended",
    }
    output = client.by_environment(demo.extended, "server", "list", "--long")

    head, *rows = (
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in output.splitlines()
        if line.startswith("|")
    )
    servers = [dict(zip(head, row, strict=True)) for row in rows]
    assert {
        server["ID"]: (server["Task State"], server["Power State"])
        for server in servers
    } == {
        server_id: (str(task_state), words[power_state or 0])
        for server_id, (_, task_state, power_state) in demo.records.items()
    }
    assert {server["Power State"] for server in servers} == {*words.values()}
    tally.count(CLIENT, demo.name, calls=1, servers=len(servers))
