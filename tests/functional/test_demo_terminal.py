# SPDX-License-Identifier: Apache-2.0
"""The demo with --live on a pseudo-terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from typing import TYPE_CHECKING

import pytest

from nova_ext_sts.demo import command
from tests.functional import test_demo
from tests.functional.test_demo import COMMAND, free_port
from tests.functional.test_demo_screen import (
    CURSOR,
    GIVEN_BACK,
    HOME,
    TAKEN,
    pictures,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_signals = test_demo._signals


class Terminal:
    """A terminal, as a process that runs on it and who sits before it have it.

    All that is written on it is read at once, and kept.
    """

    def __init__(self, columns: int, rows: int) -> None:
        self._master, self.slave = pty.openpty()
        self.resize(columns, rows)
        self.output = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def resize(self, columns: int, rows: int) -> None:
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, size)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def wait_for(self, condition: Callable[[str], object]) -> None:
        deadline = time.monotonic() + 30
        while not condition(self.output):
            assert time.monotonic() < deadline, self.output
            time.sleep(0.01)

    def close(self) -> str:
        """Return all that was written."""
        os.close(self.slave)
        self._reader.join()
        os.close(self._master)
        return self.output

    def _read(self) -> None:
        # Fails once nobody can write any more.
        with contextlib.suppress(OSError):
            while chunk := os.read(self._master, 65536):
                self.output += chunk.decode().replace("\r\n", "\n")


@contextlib.contextmanager
def on_terminal(
    terminal: Terminal, *arguments: str, **environ: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the demo on a terminal of its own."""
    names = ("COLUMNS", "LINES", "NO_COLOR")
    inherited = {
        name: value for name, value in os.environ.items() if name not in names
    }
    with subprocess.Popen(
        # Its controlling terminal: what Ctrl-C is typed on.
        ["setsid", "--ctty", "--wait", *COMMAND, "--port=0", *arguments],
        stdin=terminal.slave,
        stdout=terminal.slave,
        stderr=terminal.slave,
        env=inherited | {"TERM": "xterm"} | environ,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def test_it_lives_on_a_terminal_until_ctrl_c(tmp_path: Path) -> None:
    file = tmp_path / "servers.sqlite"
    terminal = Terminal(80, 24)
    before = termios.tcgetattr(terminal.slave)
    with on_terminal(
        terminal, "--live", "--interval=0.1", f"--database={file}"
    ) as process:
        terminal.wait_for(lambda output: "\nStep 3, one every" in output)
        terminal.type("\x03")
        assert process.wait(timeout=30) == 0
    assert termios.tcgetattr(terminal.slave) == before
    output = terminal.close()
    first, *drawn = pictures(output)
    assert output.startswith(f"Made 40 servers in {file}\n{TAKEN}{HOME}")
    assert re.sub(r"\^C", "", output).endswith(CURSOR + GIVEN_BACK)
    # The cursor is hidden first.
    assert first == [""]
    assert {len(picture) for picture in drawn} == {24}
    (head, *_) = re.findall(r"http://127\.0\.0\.1:[0-9]+/v2\.1", output)
    assert drawn[0][0] == f"The Compute API is at {head} (Ctrl-C ends it)"
    assert drawn[0][-5:] == [
        "Watch them in a second terminal, with python-openstackclient:",
        "export OS_AUTH_TYPE=none OS_IDENTITY_API_VERSION=3",
        f"export OS_ENDPOINT={head}",
        "columns=\"-c Name -c Status -c 'Task State' -c 'Power State'\"",
        'watch "openstack server list --long --max-width 80 $columns"',
    ]


def test_a_terminal_whose_size_changes_is_filled_before_the_next_step(
    tmp_path: Path,
) -> None:
    file = tmp_path / "servers.sqlite"
    terminal = Terminal(80, 24)
    with on_terminal(
        terminal, "--live", "--interval=600", f"--database={file}"
    ) as process:
        terminal.wait_for(lambda output: "\nStep 0, one every" in output)
        terminal.resize(120, 50)
        terminal.wait_for(
            lambda output: any(len(each) == 50 for each in pictures(output))
        )
        terminal.type("\x03")
        assert process.wait(timeout=30) == 0
    assert "do not fit" not in "".join(pictures(terminal.close())[-1])


def test_what_ends_it_is_said_on_the_terminal_as_it_was(
    tmp_path: Path,
) -> None:
    file = tmp_path / "servers.sqlite"
    terminal = Terminal(80, 24)
    with on_terminal(
        terminal, "--live", "--interval=0.1", f"--database={file}"
    ) as process:
        terminal.wait_for(lambda output: "\nStep 3, one every" in output)
        file.unlink()
        assert process.wait(timeout=30) == 1
    after = terminal.close().partition(GIVEN_BACK)[2]
    assert after in [
        f"nova-ext-sts-demo: {sentence}: unable to open database file.\n"
        for sentence in (
            f"{file} cannot be used",
            "The demo's servers cannot be read",
        )
    ]


@pytest.mark.parametrize("name", ["dumb", ""])
def test_a_dumb_terminal_gets_lines(tmp_path: Path, name: str) -> None:
    file = tmp_path / "servers.sqlite"
    terminal = Terminal(80, 24)
    with on_terminal(
        terminal,
        *("--live", "--interval=0.1", f"--database={file}"),
        TERM=name,
    ) as process:
        terminal.wait_for(lambda output: output.count("createBackup") > 2)
        terminal.type("\x03")
        assert process.wait(timeout=30) == 0
    output = terminal.close()
    assert "\x1b" not in output
    lines = output.partition("(Ctrl-C ends it)\n")[2].splitlines()
    assert lines[0] == (
        "TIME  NAME  STATUS  VM_STATE  TASK_STATE  POWER  ACTION"
    )
    assert re.fullmatch(
        "[0-9:]{8}  active  ACTIVE  active  image_backup  Running  "
        "createBackup",
        lines[1],
    )


# The terminal, in this process.


def test_it_takes_the_terminal_and_gives_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    file = tmp_path / "servers.sqlite"
    terminal = Terminal(80, 24)

    def end() -> None:
        try:
            terminal.wait_for(lambda output: "\nStep 2, one every" in output)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=end)
    with os.fdopen(os.dup(terminal.slave), "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        thread.start()
        status = command.main(
            [
                *("--live", "--interval=0.05"),
                *(f"--port={free_port()}", f"--database={file}"),
            ]
        )
        thread.join()
    assert status == 0
    assert terminal.close().endswith(CURSOR + GIVEN_BACK)


def test_missing_rich_is_one_sentence_on_a_terminal(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setitem(sys.modules, "rich", None)
    file = tmp_path / "servers.sqlite"
    terminal = Terminal(80, 24)
    with os.fdopen(os.dup(terminal.slave), "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        assert command.main(["--live", f"--database={file}"]) == 1
    assert terminal.close() == ""
    assert capsys.readouterr().err == (
        "nova-ext-sts-demo: rich is not installed: pip install "
        "'nova-ext-sts[demo]'.\n"
    )
    assert not file.exists()


def test_lines_need_no_rich(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['rich'] = None; "
        "from nova_ext_sts.demo.command import main; sys.exit(main())"
    )
    with subprocess.Popen(
        [
            *(sys.executable, "-c", script, "--live", "--interval=0.1"),
            *("--port=0", f"--database={tmp_path / 'servers.sqlite'}"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert any("createBackup" in line for line in process.stdout)
        process.terminate()
