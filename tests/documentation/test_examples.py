"""The programs on the page for authors of clients, against the demo."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nova_ext_sts.demo import servers
from nova_ext_sts.demo.servers import server_id
from nova_ext_sts.states import States
from tests.support.demo import started
from tests.support.servers import missing

EXAMPLES = Path(__file__).parents[2] / "doc/source/user/examples"
#: {program: (its command, what it needs)}.
PROGRAMS = {
    "wait-for-servers.sh": ("bash", ("curl", "jq")),
    "wait_for_servers.py": (sys.executable, ()),
}


@pytest.fixture
def url(tmp_path, request):
    """The demo's endpoint, with the option that a test asks for."""
    option = getattr(request, "param", ())
    with started("--database", tmp_path / "demo.sqlite", *option) as demo:
        yield demo.url


@pytest.fixture(params=PROGRAMS)
def start(request, url):
    """Start each program in turn, for servers with these names."""
    interpreter, needs = PROGRAMS[request.param]
    for tool in needs:
        if not shutil.which(tool):
            missing(f"{tool} is not installed")
    environment = {
        **os.environ,
        "TOKEN": "any",
        "COMPUTE": url,
        "OS_AUTH_TYPE": "none",
        "OS_ENDPOINT": url,
    }
    return lambda *names, timeout: subprocess.Popen(
        [interpreter, EXAMPLES / request.param, *map(server_id, names)],
        env={**environment, "TIMEOUT": f"{timeout}"},
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process):
    """Return the exit status of a program, and its errors."""
    _, errors = process.communicate(timeout=90)
    return process.returncode, errors


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
    status, errors = ended(start(*names, timeout=0))
    assert status == code
    assert complaint in errors


def test_waits_until_servers_are_idle(tmp_path, start):
    process = start("db-1", "build-7", timeout=60)
    active = States("active", None, 1)
    ready = {server_id(name): active for name in ("db-1", "build-7")}
    servers.update(tmp_path / "demo.sqlite", ready)
    assert ended(process)[0] == 0


@pytest.mark.parametrize("url", [["--without-filter"]], indirect=True)
def test_missing_states_do_not_count_as_idle(start):
    status, errors = ended(start("web-1", timeout=0))
    assert status == 1
    assert "timed out" in errors
