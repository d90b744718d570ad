# SPDX-License-Identifier: Apache-2.0
"""The demo with --live: over HTTP, and what ends it."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from nova_ext_sts import states
from nova_ext_sts.demo import command, fleet
from tests.functional import test_demo
from tests.functional.test_demo import (
    NAMES,
    ROWS,
    STATES,
    connected,
    free_port,
    refusal,
    started,
)
from tests.functional.test_demo_lives import SCRIPT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_signals = test_demo._signals

HEADING = ["NAME", "STATUS", "VM_STATE", "TASK_STATE", "POWER"]


# Over HTTP.


def agreed(server: dict[str, Any]) -> states.States:
    """Return a server's states, which are the script's and its status's."""
    now = states.States(*(server[name] for name in STATES))
    assert now in SCRIPT
    assert server["status"] == states.server_status(*now[:2])
    return now


def test_states_come_and_go_and_always_agree_with_the_status(
    tmp_path: Path,
) -> None:
    file = tmp_path / "servers.sqlite"
    arguments = ("--live", "--interval", "0.01", "--database", str(file))
    missing = {row.status for row in ROWS}
    tasks: set[str | None] = set()
    with started(*arguments) as demo:
        # Else the pipe is full one day.
        assert demo.process.stdout is not None
        reader = threading.Thread(target=demo.process.stdout.read)
        reader.start()
        deadline = time.monotonic() + 60
        while missing or len(tasks) < 30:
            assert time.monotonic() < deadline, (missing, tasks)
            status, document = demo.get("/v2.1/servers/detail")
            assert status == 200
            assert [each["name"] for each in document["servers"]] == NAMES
            for server in document["servers"]:
                tasks.add(agreed(server).task_state)
                missing.discard(server["status"])
            _, listed = demo.get("/v2.1/servers?limit=5")
            for server in listed["servers"]:
                assert states.States(*map(server.get, STATES)) in SCRIPT
        demo.process.terminate()
        reader.join()
        assert demo.process.stderr is not None
        assert demo.process.stderr.read() == ""
        assert demo.process.wait(timeout=30) == 0


def test_the_next_start_puts_the_servers_back(tmp_path: Path) -> None:
    file = tmp_path / "servers.sqlite"
    arguments = ("--database", str(file))
    with started(*arguments, "--live", "--interval", "0.01") as demo:
        for line in itertools.islice(demo.process.stdout or (), 5):
            assert line
        demo.process.kill()
        demo.process.wait(timeout=30)
    fleet.make(tmp_path / "new")
    for word in ("Made", "Kept"):
        with started(*arguments) as demo:
            assert demo.text.startswith(f"{word} {len(ROWS)} servers in ")
        assert fleet.servers(file) == fleet.servers(tmp_path / "new")


# What ends it.


@contextlib.contextmanager
def meanwhile(port: int, action: Callable[[], None]) -> Iterator[None]:
    """Do something in a thread once the demo, run in this one, answers."""

    def client() -> None:
        try:
            with connected(port) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                connection.makefile("rb").read()
        finally:
            action()

    thread = threading.Thread(target=client)
    thread.start()
    yield
    thread.join()


@pytest.mark.parametrize(
    "arguments", [[], ["--interval", "0.01", "--without-filter"]]
)
def test_it_lives_until_it_is_ended(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: Sequence[str],
) -> None:
    file = tmp_path / "servers.sqlite"
    port = free_port()

    def end() -> None:
        # With the interval that nobody has chosen, it is a long wait.
        deadline = time.monotonic() + 30
        while arguments and not any(
            row["task_state"] == "image_uploading"
            for row in fleet.servers(file)
        ):
            assert time.monotonic() < deadline
        os.kill(os.getpid(), signal.SIGTERM)

    with meanwhile(port, end):
        status = command.main(
            ["--live", f"--port={port}", f"--database={file}", *arguments]
        )
    output, errors = capsys.readouterr()
    assert (status, errors) == (0, "")
    after = output.partition("(Ctrl-C ends it)\n")[2].splitlines()
    assert after[0].split() == ["TIME", *HEADING, "ACTION"]
    assert (len(after) > 1) == bool(arguments)


def test_a_file_that_is_lost_meanwhile_ends_it_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "servers.sqlite"
    port = free_port()
    with meanwhile(port, file.unlink):
        status = command.main(
            [
                *("--live", "--interval=0.01"),
                *(f"--port={port}", f"--database={file}"),
            ]
        )
    assert (status, capsys.readouterr().err) in [
        (1, f"nova-ext-sts-demo: {sentence}: unable to open database file.\n")
        for sentence in (
            f"{file} cannot be used",
            "The demo's servers cannot be read",
        )
    ]


def test_a_busy_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        assert refusal("--live", f"--port={port}") == (
            f"nova-ext-sts-demo: Cannot listen on 127.0.0.1 port {port}: "
            "Address already in use; choose another with --port or --host.\n"
        )


def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "servers.sqlite"
    fleet.make(file)
    with file.open("r+b") as damaged:
        damaged.seek(100)
        damaged.write(b"x" * 4096)
    assert refusal("--live", "--port=0", f"--database={file}") == (
        f"nova-ext-sts-demo: {file} cannot be used: database disk image is "
        "malformed.\n"
    )


@pytest.mark.parametrize(
    "interval", ["0", "-1", "0.009", "3601", "nan", "inf", "soon", ""]
)
def test_an_interval_that_is_none_is_refused(
    capsys: pytest.CaptureFixture[str], interval: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(["--live", f"--interval={interval}"])
    assert caught.value.code == 2
    assert capsys.readouterr().err.endswith(
        f"error: argument --interval: {interval!r} is not a number of "
        "seconds from 0.01 to 3600\n"
    )


def test_an_interval_without_life_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(["--interval=1"])
    assert caught.value.code == 2
    assert capsys.readouterr().err.endswith(
        "error: --interval is for --live alone\n"
    )
