"""The wheel, installed where there is nothing else of the project."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.request
import venv
from pathlib import Path
from typing import NamedTuple

import pytest

ENDPOINT = re.compile(r"The Compute API is at (\S+)")

#: Loads every entry point, and prints where from, and the commands.
LOAD = """
import importlib.metadata, nova_ext_sts
entry_points = importlib.metadata.distribution("nova-ext-sts").entry_points
for entry_point in entry_points:
    assert callable(entry_point.load())
print(nova_ext_sts.__file__)
print(*sorted(entry_points.select(group="console_scripts").names))
"""

PIPELINE = """
[pipeline:main]
pipeline = status api

[filter:status]
use = egg:nova-ext-sts#extended_status
connection = sqlite:///servers.sqlite

[app:api]
paste.app_factory = nova_ext_sts.demo.api:app_factory
connection = sqlite:///servers.sqlite
"""

#: Prints the response to a list from that pipeline.
LIST = """
from paste.deploy import loadapp
from webob import Request
application = loadapp("config:paste.ini", relative_to=".")
print(Request.blank("/v2.1/servers").get_response(application).text)
"""


class Installation(NamedTuple):
    """An environment with the wheel, and an empty directory to be in."""

    scripts: Path
    directory: Path

    @property
    def surroundings(self):
        """Nothing of what these tests run in, and no home."""
        path = f"{self.scripts}{os.pathsep}{os.defpath}"
        return {
            "cwd": self.directory,
            "env": {"HOME": "/nonexistent", "PATH": path},
        }

    def output(self, program, *arguments):
        """Return what a program of the environment prints."""
        return subprocess.check_output(
            [self.scripts / program, *arguments],
            **self.surroundings,
            text=True,
            timeout=60,
        )


@pytest.fixture(scope="module")
def scripts(wheel, tmp_path_factory):
    """Install the wheel and its extra, the demo, in a new environment."""
    directory = tmp_path_factory.mktemp("environment")
    venv.create(directory, with_pip=True)
    subprocess.run(
        [directory / "bin/pip", "install", "--quiet", f"{wheel}[demo]"],
        cwd=directory,
        check=True,
    )
    return directory / "bin"


@pytest.fixture
def installation(scripts, tmp_path):
    return Installation(scripts, tmp_path)


def assert_all_have_states(document):
    assert document["servers"]
    for server in document["servers"]:
        assert "OS-EXT-STS:vm_state" in server


def test_demo_runs(installation):
    with subprocess.Popen(
        [installation.scripts / "nova-ext-sts-demo", "--port", "0"],
        **installation.surroundings,
        stdout=subprocess.PIPE,
        text=True,
    ) as demo:
        try:
            assert demo.stdout
            text = iter(demo.stdout.readline, "")
            url = next(filter(None, map(ENDPOINT.match, text)))[1]
            with urllib.request.urlopen(f"{url}/servers") as response:  # noqa: S310
                assert_all_have_states(json.load(response))
        finally:
            demo.terminate()
        assert demo.wait(30) == 0
    names = [path.name for path in installation.directory.iterdir()]
    assert names == ["nova-ext-sts-demo.sqlite"]


def test_every_entry_point_is_loaded(installation):
    place, commands = installation.output("python", "-c", LOAD).splitlines()
    assert place.startswith(str(installation.scripts.parent))
    assert commands == "nova-ext-sts-demo nova-ext-sts-status"
    for command in commands.split():
        assert f"usage: {command}" in installation.output(command, "--help")


def test_filter_is_an_egg_of_a_paste_pipeline(installation):
    (installation.directory / "paste.ini").write_text(PIPELINE)
    document = json.loads(installation.output("python", "-c", LIST))
    assert_all_have_states(document)
