# SPDX-License-Identifier: Apache-2.0
"""The demo with ``--live``: servers whose states change, and their table."""

from __future__ import annotations

import collections
import contextlib
import itertools
import json
import os
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from nova_ext_sts import extension
from nova_ext_sts.demo import servers
from nova_ext_sts.states import POWER_STATES, States

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    Server = dict[str, Any]
    #: The actions of the servers that a step has changed, by their ids.
    Actions = dict[str, str]
    Show = Callable[[str, Sequence[Server], Actions], None]


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

#: Each VM state that a server can reach has an action.
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


def endpoint(url: str) -> str:
    """Return the line that says where the demo serves."""
    return f"The Compute API is at {url} (Ctrl-C ends it)"


def suggestion(url: str) -> Sequence[str]:
    """Return how to watch the states with other clients."""
    return (
        "Watch them in a second terminal, with curl and jq:",
        f'watch -n1 "curl -s {url}/servers |',
        "jq -r '.servers[] | [.[] | scalars] | @tsv'\"",
        "openstacksdk has them, too: compute.servers(details=False)",
    )


def run(url: str, path: Path, interval: float) -> None:
    """Change the servers and show them, until the process is interrupted."""
    # Without the proxies of the environment.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    steps = lives(servers.SERVERS)
    actions: Actions = {}
    with _display(url) as show:
        # The first change comes after a second at most.
        for pause in itertools.chain((1,), itertools.repeat(interval)):
            start = time.perf_counter()
            with opener.open(f"{url}/servers") as response:
                body = response.read()
            taken = (time.perf_counter() - start) * 1000
            summary = f"GET /servers: {taken:.1f} ms, {len(body):,} bytes"
            show(summary, json.loads(body)["servers"], actions)
            time.sleep(min(pause, interval))
            step = next(steps)
            servers.update(
                path,
                ((server_id, now) for server_id, (_, now) in step.items()),
            )
            actions = {
                server_id: action for server_id, (action, _) in step.items()
            }


def lives(
    beginnings: Mapping[str, States],
) -> Iterator[dict[str, tuple[str, States]]]:
    """Yield the action and the new states of each server that changes.

    With each step, all actions go on, and one server begins another.

    :param beginnings: the states of the servers, by their names
    """
    choices = {
        vm_state: itertools.cycle(
            [action for action in ACTIONS if action.before == vm_state]
        )
        for vm_state in {action.before for action in ACTIONS}
    }
    lives = {
        servers.server_id(name): _life(states, choices)
        for name, states in beginnings.items()
    }
    acting = [
        servers.server_id(name)
        for name, states in beginnings.items()
        if states.task_state
    ]
    resting = collections.deque(
        server_id for server_id in lives if server_id not in acting
    )
    while True:
        acting.append(resting.popleft())
        step = {server_id: next(lives[server_id]) for server_id in acting}
        yield step
        resting.extend(
            server_id
            for server_id in acting
            if not step[server_id][1].task_state
        )
        acting = [
            server_id for server_id in acting if step[server_id][1].task_state
        ]


def _life(
    now: States, choices: Mapping[str, Iterator[Action]]
) -> Iterator[tuple[str, States]]:
    """Yield one server's actions and states."""
    while True:
        # The next one, or at the beginning the one that is under way.
        action = next(
            action
            for action in choices[f"{now.vm_state}"]
            if now.task_state in (None, *action.tasks)
        )
        done = action.tasks.index(now.task_state) + 1 if now.task_state else 0
        for task in action.tasks[done:]:
            # Nova updates the power state when the task is done.
            now = now._replace(task_state=task)
            yield action.name, now
        now = States(action.after, None, servers.POWER_STATES[action.after])
        yield action.name, now


@contextlib.contextmanager
def _display(url: str) -> Iterator[Show]:
    """Return a function that shows servers, for a terminal or a file."""
    console = Console()
    if not os.isatty(1) or console.is_dumb_terminal:
        yield _print
        return

    def draw(
        summary: str, servers: Sequence[Server], actions: Actions
    ) -> None:
        lines = [(text, "") for text in (endpoint(url), summary, "")]
        lines.append((_row(HEADING), "bold"))
        for server in servers:
            style = "reverse" if server["id"] in actions else ""
            lines.append((_line(server, actions), style))
        lines += [(text, "") for text in ("", *suggestion(url))]
        screen.update(
            Group(
                *(
                    Text(text, style, no_wrap=True, overflow="crop")
                    for text, style in lines
                )
            ),
            refresh=True,
        )

    with Live(console=console, screen=True, auto_refresh=False) as screen:
        yield draw


def _print(summary: str, servers: Sequence[Server], actions: Actions) -> None:
    """Print the servers that have changed, or all before any has."""
    print(time.strftime("%H:%M:%S"), summary)
    if not actions:
        print(_row(HEADING))
    for server in servers:
        if not actions or server["id"] in actions:
            print(_line(server, actions))
    # At once: it is read by tail, or at the other end of a pipe.
    sys.stdout.flush()


def _line(server: Server, actions: Actions) -> str:
    vm_state, task_state, power_state = (
        server.get(name, "(missing)") for name in extension.ATTRIBUTES
    )
    power = POWER_STATES.get(power_state, power_state)
    action = actions.get(server["id"], "")
    return _row((server["name"], vm_state, task_state, power, action))


def _row(values: Iterable[Any]) -> str:
    return "  ".join(
        f"{'-' if value is None else value:<{width}}"
        for value, width in zip(values, _WIDTHS, strict=True)
    ).rstrip()
