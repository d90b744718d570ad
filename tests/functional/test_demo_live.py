# SPDX-License-Identifier: Apache-2.0
"""``nova-ext-sts-demo --live``: servers whose states change."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import urllib.request

import pytest

from nova_ext_sts.demo import live, servers
from nova_ext_sts.extension import ATTRIBUTES
from nova_ext_sts.states import POWER_STATES, server_status
from tests.support.demo import COMMAND, started

#: What a terminal is told, besides text.
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\^C")
TAKEN, GIVEN_BACK = "\x1b[?1049h", "\x1b[?1049l"
HOME = "\x1b[H"
LIVE = ("--port=0", "--live", "--interval=0.1")


def test_steps_are_novas_actions():
    """Each server goes on from where it is, and no state is a dead end."""
    rows = [
        {"uuid": name, **states._asdict()}
        for name, states in servers.SERVERS.items()
    ]
    actions = [*live.ACTIONS]
    begun: dict[str, str] = {}
    performed = set()
    for _ in range(100):
        steps = list(live.step(rows, actions))
        for row, (name, action, now) in zip(rows, steps, strict=True):
            assert name == row["uuid"]
            assert server_status(*now[:2]) != "UNKNOWN"
            if row["task_state"]:
                assert begun.get(name, action) == action
            if now.task_state:
                assert now.vm_state == row["vm_state"]
                assert now.power_state == row["power_state"]
            else:
                power_state = servers.POWER_STATES[f"{now.vm_state}"]
                assert now.power_state == power_state
            begun[name] = action
            performed.add(action)
            row.update(now._asdict())
    assert performed == {action.name for action in live.ACTIONS}


def test_states_that_users_write_stay():
    row = {"uuid": "x", "vm_state": "active", "task_state": "own"}
    assert not [*live.step([row], [*live.ACTIONS])]


# Lines.


def shown(vm_state, task_state, power_state):
    """Return the words of a line."""
    return [vm_state, task_state or "-", POWER_STATES[power_state]]


def test_lines_are_the_servers_and_then_what_changes(tmp_path):
    """The first change waits for a second, not for the interval."""
    with started(
        "--live", "--interval=600", "--database", tmp_path / "x"
    ) as demo:
        assert demo.process.stdout is not None
        beginning = [demo.process.stdout.readline() for _ in range(12)]
        change = [demo.process.stdout.readline() for _ in range(4)]
        with urllib.request.urlopen(f"{demo.url}/servers") as response:  # noqa: S310
            listed = json.load(response)["servers"]
        assert demo.end() == (0, "")

    summary = r"[0-9:]{8} GET /servers: [0-9.]+ ms, [0-9,]+ bytes\n"
    assert re.fullmatch(summary, beginning[0])
    assert re.fullmatch(summary, change[0])
    heading = "NAME VM_STATE TASK_STATE POWER ACTION"
    assert beginning[1].split() == heading.split()
    assert [line.split() for line in beginning[2:]] == [
        [name, *shown(*states)] for name, states in servers.SERVERS.items()
    ]
    changed = [line.split() for line in change[1:]]
    now = {
        server["name"]: shown(*(server[name] for name in ATTRIBUTES))
        for server in listed
    }
    for name, *states, _action in changed:
        assert states == now[name]
    assert changed[0] == ["db-1", "stopped", "-", "Shutdown", "stop"]
    assert max(map(len, demo.text.splitlines())) < 80


def test_reader_who_has_seen_enough_ends_it_silently(tmp_path):
    with started(
        *("--live", "--interval=0.01", "--without-filter"),
        f"--database={tmp_path / 'x'}",
    ) as demo:
        assert demo.process.stdout is not None
        lines = [demo.process.stdout.readline() for _ in range(3)]
        assert lines[2].split() == ["web-1", *["(missing)"] * 3]
        demo.process.stdout.close()
        assert demo.process.wait(30) == 0


# A terminal.


class Terminal:
    """A demo on a terminal of 80 columns and 24 lines."""

    def __init__(self, process, master):
        self.process = process
        self.output = ""
        self._master = master

    def type(self, text):
        os.write(self._master, text.encode())

    def read(self, until):
        """Read until a condition holds for the whole output."""
        deadline = time.monotonic() + 30
        while not until(self.output):
            assert time.monotonic() < deadline, self.output
            if select.select([self._master], [], [], 0.1)[0]:
                try:
                    self.output += os.read(self._master, 65536).decode()
                except OSError:
                    # Nobody can write any more.
                    return

    def frames(self):
        """Return the lines of each picture, the first ones first."""
        screen = self.output.partition(TAKEN)[2].partition(GIVEN_BACK)[0]
        return [
            ESCAPES.sub("", picture).split("\n")
            for picture in screen.split(HOME)
            if "NAME" in picture
        ]


@contextlib.contextmanager
def on_terminal(*arguments, **environ):
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    inherited = dict(os.environ)
    for name in ("COLUMNS", "LINES", "NO_COLOR"):
        inherited.pop(name, None)
    with subprocess.Popen(
        # Its controlling terminal: Ctrl-C is typed there.
        ["setsid", "--ctty", "--wait", COMMAND, *LIVE, *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=inherited | {"TERM": "xterm"} | environ,
    ) as process:
        os.close(slave)
        try:
            yield Terminal(process, master)
        finally:
            process.terminate()
            process.wait(30)
            os.close(master)


def test_table_changes_in_place_until_ctrl_c(tmp_path):
    with on_terminal(f"--database={tmp_path / 'x'}") as terminal:
        terminal.read(lambda _: len(terminal.frames()) > 3)
        terminal.type("\x03")
        terminal.read(lambda output: GIVEN_BACK in output)
        assert terminal.process.wait(30) == 0
    frames = terminal.frames()
    for frame in frames:
        assert len(frame) <= 24
        assert max(map(len, frame)) <= 80
        assert re.match("The Compute API is at http://", frame[0])
        assert re.match("GET /servers: [0-9.]+ ms", frame[1])
        assert "".join(frame).isascii()
        names = [line.split()[0] for line in frame[4:14]]
        assert names == list(servers.SERVERS)
    # None has changed in the first picture, and three in the second.
    pictures = terminal.output.split("GET /servers")
    assert [picture.count("\x1b[7mdb-1") for picture in pictures[1:3]] == [
        0,
        1,
    ]


def test_suggested_command_reads_the_states(tmp_path):
    with started("--live", "--database", tmp_path / "x") as demo:
        (command,) = re.findall('^watch -n1 "(.*?)"$', demo.text, re.M | re.S)
        output = subprocess.run(
            ["sh", "-c", command], stdout=subprocess.PIPE, check=True
        ).stdout.decode()
    lines = [line.split("\t") for line in output.splitlines()]
    assert [line[1] for line in lines] == list(servers.SERVERS)
    assert lines[3][2:] == ["active", "", "6"]


def test_what_ends_it_is_said_on_the_terminal_as_it_was(tmp_path):
    file = tmp_path / "x"
    with on_terminal(f"--database={file}") as terminal:
        terminal.read(lambda _: terminal.frames())
        file.unlink()
        terminal.read(lambda output: "nova-ext-sts-demo: " in output)
        assert terminal.process.wait(30) == 1
    (sentence,) = terminal.output.partition(GIVEN_BACK)[2].splitlines()
    assert ESCAPES.sub("", sentence).startswith("nova-ext-sts-demo: ")


@pytest.mark.parametrize("name", ["dumb", "unknown"])
def test_dumb_terminal_gets_lines(name, tmp_path):
    with on_terminal(f"--database={tmp_path}/x", TERM=name) as terminal:
        terminal.read(lambda output: output.count("GET /servers:") > 2)
        terminal.type("\x03")
        assert terminal.process.wait(30) == 0
    assert "\x1b" not in terminal.output
