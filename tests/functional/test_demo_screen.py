# SPDX-License-Identifier: Apache-2.0
"""What the demo with --live draws on a terminal."""

from __future__ import annotations

import contextlib
import io
import itertools
import re
import sys
from typing import TYPE_CHECKING, TextIO

import pytest

from nova_ext_sts.demo import command, fleet, living, screen, walk
from tests.functional.test_demo import NAMES

if TYPE_CHECKING:
    from pathlib import Path

TAKEN = "\x1b[?1049h"
GIVEN_BACK = "\x1b[?1049l"
CURSOR = "\x1b[?25h"
HOME = "\x1b[H"
YELLOW = "\x1b[33m"

FOOT = ["Watch them:", "watch openstack server list"]


def pictures(output: str) -> list[list[str]]:
    """Return each picture that was drawn: its lines, without colours."""
    _, *drawn = re.split(re.escape(HOME), output)
    return [
        [
            re.sub(r"\x1b\[[0-9;?]*[a-z]", "", line).rstrip()
            for line in picture.split("\n")
        ]
        for picture in drawn
    ]


def drawn(
    tmp_path: Path,
    output: TextIO,
    size: tuple[int, int],
    *,
    steps: int = 2,
    without_filter: bool = False,
    no_color: str | None = None,
) -> None:
    """Draw the first steps on a screen of a size."""
    file = tmp_path / "servers.sqlite"
    fleet.make(file)
    application = command.pipeline(
        fleet.connection(file), without_filter=without_filter
    )
    fleet.change(file, walk.beginnings(), contextlib.nullcontext())
    with pytest.MonkeyPatch.context() as patch:
        columns, rows = map(str, size)
        for name, value in {
            "COLUMNS": columns,
            "LINES": rows,
            "TERM": "xterm",
        }.items():
            patch.setenv(name, value)
        # Before rich 14, an empty one counts.
        patch.delenv("NO_COLOR", raising=False)
        if no_color is not None:
            patch.setenv("NO_COLOR", no_color)
        patch.setattr(sys, "stdout", output)
        with screen.Screen("It is here.", FOOT, 4.0) as display:
            url = "http://localhost"
            display.show(living.servers(application, url), {})
            for changes in itertools.islice(walk.steps(), steps):
                states = {id: now.states for id, now in changes.items()}
                fleet.change(file, states, contextlib.nullcontext())
                display.show(living.servers(application, url), changes)


def test_a_terminal_of_80_columns_and_24_rows(tmp_path: Path) -> None:
    output = io.StringIO()
    drawn(tmp_path, output, (80, 24))
    assert output.getvalue().startswith(TAKEN + HOME)
    assert output.getvalue().endswith(CURSOR + GIVEN_BACK)
    assert (
        pictures(output.getvalue())[-1]
        == """\
It is here.
Step 2, one every 4 s; 22 of 40 servers do not fit
NAME                      STATUS        VM_STATE     TASK_STATE        POWER
active                    ACTIVE        active       image_pending_up… Running
active-rebooting-hard     HARD_REBOOT   active       reboot_pending_h… Running
active-migrating          MIGRATING     active       migrating         Running
active-updating-password  PASSWORD      active       updating_password Running
active-rebooting          REBOOT        active       rebooting         Running
active-rebuilding         REBUILD       active       rebuilding        Running
active-rebuild-block-dev… REBUILD       active       rebuild_block_de… Running
active-rebuild-spawning   REBUILD       active       rebuild_spawning  Running
active-resize-prep        RESIZE        active       resize_migrated   Running
active-resize-migrating   RESIZE        active       resize_migrating  Running
active-resize-migrated    RESIZE        active       resize_migrated   Running
active-resize-finish      RESIZE        active       resize_finish     Running
building                  BUILD         building     -                 NOSTATE
deleted                   DELETED       deleted      -                 NOSTATE
error                     ERROR         error        -                 NOSTATE
rescued                   ACTIVE        active       -                 Running
active-reboot-pending-ha… HARD_REBOOT   active       reboot_started_h… Running
soft-delete               SOFT_DELETED  soft-delete  deleting          Shutdown

Watch them:
watch openstack server list
""".splitlines()
    )


def test_a_terminal_of_200_columns_has_room_for_all(tmp_path: Path) -> None:
    output = io.StringIO()
    drawn(tmp_path, output, (200, 50))
    picture = pictures(output.getvalue())[-1]
    assert len(picture) == 50
    assert picture[:5] == [
        "It is here.",
        "Step 2, one every 4 s",
        "NAME                                  STATUS             VM_STATE"
        "           TASK_STATE                     POWER      ACTION",
        "active                                ACTIVE             active"
        "             image_pending_upload           Running    createBackup",
        "active-rebooting-hard                 HARD_REBOOT        active"
        "             reboot_pending_hard            Running    reboot",
    ]
    assert [line.split()[0] for line in picture[3:43]] == NAMES
    assert picture[43:] == ["", *FOOT, "", "", "", ""]
    assert "…" not in output.getvalue()


@pytest.mark.parametrize(
    ("columns", "heading"),
    [
        (79, "NAME                     STATUS        VM_STATE     TASK_STATE"),
        (100, "NAME                                 STATUS        VM_STATE"),
        (116, "NAME                                  STATUS             VM_S"),
        (40, "NAME"),
        (9, ""),
    ],
)
def test_no_line_is_wider_than_the_terminal(
    tmp_path: Path, columns: int, heading: str
) -> None:
    output = io.StringIO()
    drawn(tmp_path, output, (columns, 12))
    picture = pictures(output.getvalue())[-1]
    assert len(picture) == 12
    assert max(map(len, picture)) <= columns
    assert picture[2].startswith(heading)
    # What stands below the table has given way to the servers.
    assert all(picture[3:])


def test_a_terminal_without_room_has_no_servers(tmp_path: Path) -> None:
    output = io.StringIO()
    drawn(tmp_path, output, (80, 2))
    assert pictures(output.getvalue())[-1] == [
        "It is here.",
        "Step 2, one every 4 s; 40 of 40 servers do not fit",
    ]


def test_what_is_new_is_bold_and_what_is_pending_coloured(
    tmp_path: Path,
) -> None:
    def line(name: str, no_color: str | None = None) -> str:
        output = io.StringIO()
        drawn(tmp_path, output, (80, 24), no_color=no_color)
        last = output.getvalue().rpartition(HOME)[2].split("\n")
        (number,) = (
            number
            for number, line in enumerate(pictures(output.getvalue())[-1])
            if line.startswith(f"{name} ")
        )
        return last[number]

    assert YELLOW in line("active-migrating")
    assert "\x1b[1" not in line("active-migrating")
    assert "\x1b[1;33m" in line("active")
    assert "\x1b[31m" in line("error")
    without = {line(name, no_color="1") for name in ("error", "active")}
    assert not any(
        re.search(r"\x1b\[[0-9;]*3[0-9]m", each) for each in without
    )
    assert {"\x1b[1m" in each for each in without} == {True, False}


def test_without_the_filter_nothing_is_pending(tmp_path: Path) -> None:
    output = io.StringIO()
    drawn(tmp_path, output, (80, 24), without_filter=True)
    assert pictures(output.getvalue())[-1][3] == (
        "active                    ACTIVE        (missing)    "
        "(missing)         (missing)"
    )
    assert YELLOW not in output.getvalue()


def test_an_encoding_without_an_ellipsis_does_without(tmp_path: Path) -> None:
    bytes = io.BytesIO()
    output = io.TextIOWrapper(bytes, "latin-1")
    drawn(tmp_path, output, (80, 24))
    output.flush()
    assert pictures(bytes.getvalue().decode("latin-1"))[-1][9] == (
        "active-rebuild-block-devi REBUILD       active       "
        "rebuild_block_dev Running"
    )
