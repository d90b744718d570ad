# SPDX-License-Identifier: Apache-2.0
"""The demo with ``--live``: servers whose states change, and their table."""

from __future__ import annotations

import itertools
import json
import os
import time
import urllib.request
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console
from rich.live import Live
from rich.text import Text

from nova_ext_sts import extension
from nova_ext_sts.demo import servers
from nova_ext_sts.states import POWER_STATES, States

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path


class Action(NamedTuple):
    """What Nova does to a server, by the states in its record."""

    name: str
    before: str
    tasks: tuple[str, ...]
    after: str


# Nova has more tasks; these fit the columns of a table.
_BUILD = ("scheduling", "networking", "block_device_mapping", "spawning")
_RESIZE = ("resize_prep", "resize_migrating", "resize_migrated")
_REBOOT = ("rebooting", "reboot_pending", "reboot_started")
_SNAPSHOT = ("image_snapshot", "image_pending_upload", "image_uploading")
_SHELVE = ("shelving", "shelving_image_uploading", "shelving_offloading")

#: Each VM state that a server can reach has an action, and each task belongs
#: to one of them.
ACTIONS = (
    Action("create", "building", _BUILD, "active"),
    Action("reboot", "active", _REBOOT, "active"),
    Action("stop", "active", ("powering-off",), "stopped"),
    Action("resize", "active", (*_RESIZE, "resize_finish"), "resized"),
    Action("createImage", "active", _SNAPSHOT, "active"),
    Action("pause", "active", ("pausing",), "paused"),
    Action("shelve", "active", _SHELVE, "shelved_offloaded"),
    Action("live-migration", "active", ("migrating",), "active"),
    Action("rebuild", "error", ("rebuilding", "rebuild_spawning"), "active"),
    Action("live-migration", "paused", ("migrating",), "paused"),
    Action("unpause", "paused", ("unpausing",), "active"),
    Action("confirmResize", "resized", (), "active"),
    Action("unshelve", "shelved_offloaded", ("unshelving",), "active"),
    Action("start", "stopped", ("powering-on",), "active"),
)

HEADING = ("NAME", "VM_STATE", "TASK_STATE", "POWER", "ACTION")
_WIDTHS = (9, 17, 22, 9, 14)

ENDPOINT = "The Compute API is at {url} (Ctrl-C ends it)"

SUGGESTION = """\
Watch them in a second terminal, with curl and jq:
watch -n1 "curl -s {url}/servers |
jq -r '.servers[] | [.[] | scalars] | @tsv'"
openstacksdk has them, too: compute.servers(details=False)"""


class Reading(NamedTuple):
    """A response to GET /servers, and the changes since the one before."""

    summary: str
    servers: Sequence[dict[str, Any]]
    #: The actions of the servers that have changed, by their ids.
    actions: dict[str, str]


def run(url: str, path: Path, interval: float) -> None:
    """Change the servers and show them, until the process is interrupted."""
    console = Console()
    if not os.isatty(1) or console.is_dumb_terminal:
        for reading in _readings(url, path, interval):
            # At once: tail reads it, or the other end of a pipe.
            print(*_lines(reading), sep="\n", flush=True)
    else:
        with Live(console=console, screen=True, auto_refresh=False) as screen:
            for reading in _readings(url, path, interval):
                screen.update(_picture(url, reading), refresh=True)


def _readings(url: str, path: Path, interval: float) -> Iterator[Reading]:
    # Without the proxies of the environment.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    actions = list(ACTIONS)
    changed: dict[str, str] = {}
    for turn in itertools.count(1):
        start = time.perf_counter()
        with opener.open(f"{url}/servers") as response:
            body = response.read()
        taken = (time.perf_counter() - start) * 1000
        summary = f"GET /servers: {taken:.1f} ms, {len(body):,} bytes"
        yield Reading(summary, json.loads(body)["servers"], changed)
        # The first change comes after a second at most.
        time.sleep(min(interval, 1) if turn == 1 else interval)
        # One server in three, so that each state can be seen for a while.
        rows = servers.rows(path)[turn % 3 :: 3]
        changes = list(step(rows, actions))
        servers.update(path, {each: now for each, _, now in changes})
        changed = {each: action for each, action, _ in changes}


def step(
    rows: Iterable[servers.Row], actions: list[Action]
) -> Iterator[tuple[str, str, States]]:
    """Yield the id, the action and the next states of each row's server.

    :param actions: the order in which they begin; each goes to the end
    """
    for row in rows:
        vm_state, task_state = row["vm_state"], row["task_state"]
        fitting = [
            action
            for action in actions
            if action.before == vm_state
            and task_state in (None, *action.tasks)
        ]
        if not fitting:
            # Users can write any states, which stay.
            continue
        action = fitting[0]
        actions.remove(action)
        actions.append(action)
        stages = (None, *action.tasks, None)
        task = stages[stages.index(task_state) + 1]
        if task:
            # Nova updates the other states when the last task is done.
            now = States(vm_state, task, row["power_state"])
        else:
            power_state = servers.POWER_STATES[action.after]
            now = States(action.after, None, power_state)
        yield row["uuid"], action.name, now


def _picture(url: str, reading: Reading) -> Text:
    """Return what a terminal shows; no line is wider than it is."""
    return Text.assemble(
        f"{ENDPOINT.format(url=url)}\n{reading.summary}\n\n",
        (f"{_row(HEADING)}\n", "bold"),
        *(
            (
                f"{_line(server, reading)}\n",
                "reverse" if server["id"] in reading.actions else "",
            )
            for server in reading.servers
        ),
        f"\n{SUGGESTION.format(url=url)}",
        no_wrap=True,
        overflow="crop",
    )


def _lines(reading: Reading) -> Iterator[str]:
    """Yield the servers that have changed, or all before any has."""
    yield f"{time.strftime('%H:%M:%S')} {reading.summary}"
    if not reading.actions:
        yield _row(HEADING)
    for server in reading.servers:
        if not reading.actions or server["id"] in reading.actions:
            yield _line(server, reading)


def _line(server: dict[str, Any], reading: Reading) -> str:
    vm_state, task_state, power_state = (
        server.get(name, "(missing)") for name in extension.ATTRIBUTES
    )
    power = POWER_STATES.get(power_state, power_state)
    action = reading.actions.get(server["id"], "")
    return _row((server["name"], vm_state, task_state, power, action))


def _row(values: Iterable[Any]) -> str:
    return "  ".join(
        f"{'-' if value is None else value:<{width}}"
        for value, width in zip(values, _WIDTHS, strict=True)
    ).rstrip()
