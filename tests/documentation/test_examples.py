"""The programs on the page for authors of clients, against the demo."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from nova_ext_sts.demo.servers import server_id

EXAMPLES = Path(__file__).parents[2] / "doc/source/user/examples"
#: {program: (its command, what it needs)}.
PROGRAMS = {
    "wait-for-servers.sh": ("bash", ("curl", "jq")),
    "wait_for_servers.py": (sys.executable, ()),
}


class Demo(NamedTuple):
    url: str
    database: Path

    def change(self, name, **states):
        for column, value in states.items():
            with contextlib.closing(sqlite3.connect(self.database)) as file:
                file.execute(
                    f"UPDATE instances SET {column} = ? "
                    "WHERE display_name = ?",
                    (value, name),
                )
                file.commit()


@pytest.fixture
def demo(tmp_path, request):
    """The demo, with the option that a test asks for."""
    database = tmp_path / "demo.sqlite"
    process = subprocess.Popen(
        [
            Path(sys.executable).with_name("nova-ext-sts-demo"),
            *("--port", "0", "--database", database),
            *getattr(request, "param", ()),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        prefix = "The Compute API is at "
        line = next(
            line for line in process.stdout or () if line.startswith(prefix)
        )
        yield Demo(line.removeprefix(prefix).split()[0], database)
        process.terminate()


@pytest.fixture(params=PROGRAMS)
def start(request, demo):
    """Start each program in turn, for servers with these names."""
    interpreter, needs = PROGRAMS[request.param]
    for tool in needs:
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    if interpreter == sys.executable:
        pytest.importorskip("openstack")
    environment = {
        **os.environ,
        "TOKEN": "any",
        "COMPUTE": demo.url,
        "OS_AUTH_TYPE": "none",
        "OS_ENDPOINT": demo.url,
    }

    def start(*names, timeout):
        return subprocess.Popen(
            [
                interpreter,
                EXAMPLES / request.param,
                *map(server_id, names),
            ],
            env={**environment, "TIMEOUT": f"{timeout}"},
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.mark.parametrize(
    ("names", "code", "complaint"),
    [
        (("web-1", "web-2"), 0, ""),
        (("web-1", "db-1"), 1, "timed out"),
        (("web-1", "build-8"), 1, "error"),
        (("web-1", "none"), 1, "not in the list"),
    ],
)
def test_result(start, names, code, complaint):
    process = start(*names, timeout=0)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert complaint in errors


def test_waits_until_servers_are_idle(demo, start):
    process = start("db-1", "build-7", timeout=60)
    demo.change("db-1", task_state=None)
    demo.change("build-7", vm_state="active", task_state=None)
    process.communicate(timeout=90)
    assert process.returncode == 0


@pytest.mark.parametrize("demo", [["--without-filter"]], indirect=True)
def test_missing_states_do_not_count_as_idle(start):
    process = start("web-1", timeout=0)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "timed out" in errors
