"""The demo's command, as a process."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = Path(sysconfig.get_path("scripts"), "nova-ext-sts-demo")
ENDPOINT = re.compile(r"The Compute API is at (\S+) \(Ctrl-C ends it\)\n")


class Demo(NamedTuple):
    """A demo that serves: what it has printed, and its endpoint."""

    process: subprocess.Popen[str]
    text: str
    url: str

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Return its exit status and what it printed after the endpoint."""
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=30)
        return self.process.returncode, output


@contextlib.contextmanager
def running(
    *arguments: str | Path, **environ: str
) -> Iterator[subprocess.Popen[str]]:
    """Run the command until the block ends."""
    with subprocess.Popen(
        [COMMAND, "--port=0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | environ,
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)


@contextlib.contextmanager
def started(*arguments: str | Path, **environ: str) -> Iterator[Demo]:
    """Run the command, and wait until it serves."""
    with running(*arguments, **environ) as process:
        assert process.stdout is not None
        text = ""
        for line in process.stdout:
            text += line
            if match := ENDPOINT.fullmatch(line):
                yield Demo(process, text, match[1])
                return
        pytest.fail(f"no endpoint in {text!r}")
