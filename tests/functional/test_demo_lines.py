# SPDX-License-Identifier: Apache-2.0
"""The demo with --live where there is no terminal."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from nova_ext_sts import states
from nova_ext_sts.demo import command, fleet, greeting, lines, living, walk
from tests.functional import test_demo
from tests.functional.test_demo import (
    ROWS,
    Demo,
    started,
)
from tests.functional.test_demo_lives import IDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_signals = test_demo._signals

HEADING = ["NAME", "STATUS", "VM_STATE", "TASK_STATE", "POWER"]


def moved(steps: int, *, is_filtered: bool = True) -> list[list[str]]:
    """Return the cells that the lines of the first steps have."""
    cells = []
    for changes in itertools.islice(walk.steps(), steps):
        for id, name in IDS.items():
            if id not in changes:
                continue
            action, now, _ = changes[id]
            vm_state, task_state, power_state = now
            cells.append(
                [
                    name,
                    states.server_status(vm_state, task_state),
                    *(
                        (
                            str(vm_state),
                            task_state or "-",
                            states.POWER_STATES[power_state or 0],
                        )
                        if is_filtered
                        else ["(missing)"] * 3
                    ),
                    action,
                ]
            )
    return cells


def next_cells(demo: Demo, number: int) -> list[list[str]]:
    """Return the cells of the next lines that the demo prints."""
    assert demo.process.stdout is not None
    return [
        line.split() for line in itertools.islice(demo.process.stdout, number)
    ]


@pytest.mark.parametrize("arguments", [[], ["--without-filter"]])
def test_without_a_terminal_every_change_is_a_line(
    tmp_path: Path, arguments: Sequence[str]
) -> None:
    expected = moved(30, is_filtered=not arguments)
    file = tmp_path / "servers.sqlite"
    with started(
        *("--live", "--interval=0.01", f"--database={file}", *arguments)
    ) as demo:
        (heading, *cells) = next_cells(demo, 1 + len(expected))
    assert heading == ["TIME", *HEADING, "ACTION"]
    assert [each[1:] for each in cells] == expected
    times = [each[0] for each in cells]
    assert [time.strptime(each, "%H:%M:%S").tm_year for each in times] == [
        1900 for _ in expected
    ]


@pytest.mark.parametrize("columns", ["", "80"])
def test_lines_stand_one_below_the_other_where_there_is_room(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    fleet.make(tmp_path / "file")
    application = command.pipeline(fleet.connection(tmp_path / "file"))
    servers = living.servers(application, "http://localhost")
    with lines.Lines() as display:
        display.show(servers, {})
        for changes in itertools.islice(walk.steps(), 2):
            display.show(servers, changes)
    heading, *output = capsys.readouterr().out.splitlines()
    assert len(output) == len(moved(2))
    if columns:
        assert heading == "  ".join(["TIME", *HEADING, "ACTION"])
        assert output[0][8:] == (
            "  active  ACTIVE  active  -  Running  createBackup"
        )
    else:
        assert heading == (
            "TIME      NAME                                  STATUS         "
            "    VM_STATE           TASK_STATE                     POWER    "
            "  ACTION"
        )
        assert output[0][8:] == (
            "  active                                ACTIVE             "
            "active             -                              Running    "
            "createBackup"
        )


def test_the_greeting_says_how_to_watch(tmp_path: Path) -> None:
    file = tmp_path / "servers.sqlite"
    with started("--live", "--database", str(file), COLUMNS="80") as demo:
        text = demo.text
    first, table, *rest = text.split("\n\n")
    assert first == f"Made {len(ROWS)} servers in {file}"
    assert table.startswith("NAME ")
    assert (
        "\n\n".join(rest)
        == f"""\
Watch them in a second terminal, with python-openstackclient:

export OS_AUTH_TYPE=none OS_IDENTITY_API_VERSION=3
export OS_ENDPOINT=http://127.0.0.1:{demo.port}/v2.1
columns="-c Name -c Status -c 'Task State' -c 'Power State'"
watch "openstack server list --long --max-width 80 $columns"

The Compute API is at http://127.0.0.1:{demo.port}/v2.1 (Ctrl-C ends it)
"""
    )


def test_the_printed_commands_survive_two_shells(tmp_path: Path) -> None:
    # As watch does it: what it is given is one more time a shell's.
    (tmp_path / "watch").write_text('#!/bin/sh\nexec /bin/sh -c "$*"\n')
    (tmp_path / "openstack").write_text(
        '#!/bin/sh\nprintf \'%s\\n\' "$OS_ENDPOINT" "$@"\n'
    )
    for name in ("watch", "openstack"):
        (tmp_path / name).chmod(0o755)
    script = "\n".join([*greeting.to_watch("http://[::1]:1")][2:])
    process = subprocess.run(
        ["/bin/sh", "-ec", script],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout.splitlines() == [
        "http://[::1]:1/v2.1",
        *("server", "list", "--long", "--max-width", "80"),
        *("-c", "Name", "-c", "Status", "-c", "Task State"),
        *("-c", "Power State"),
    ]


def test_who_has_read_enough_ends_it_quietly(tmp_path: Path) -> None:
    file = tmp_path / "servers.sqlite"
    arguments = ("--live", "--interval=0.01", f"--database={file}")
    with started(*arguments) as demo:
        assert demo.process.stdout is not None
        assert demo.process.stderr is not None
        next_cells(demo, 3)
        demo.process.stdout.close()
        assert demo.process.stderr.read() == ""
        assert demo.process.wait(timeout=30) == 0


def test_nothing_more_is_written_where_nobody_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end, start = os.pipe()
    os.close(end)
    with os.fdopen(start, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        with pytest.raises(BrokenPipeError), lines.Lines() as display:
            display.show([], {})
        # As Python does when it ends.
        output.flush()
