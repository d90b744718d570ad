"""The wheel, installed where there is nothing else of the project."""

from __future__ import annotations

import configparser
import contextlib
import http.client
import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.packaging.conftest import ROOT

if TYPE_CHECKING:
    from tests.packaging.conftest import Installation

#: Prints every entry point that could be loaded, and whence.
LOAD = """
import importlib.metadata, json, nova_ext_sts
entry_points = importlib.metadata.distribution("nova-ext-sts").entry_points
for entry_point in entry_points:
    assert callable(entry_point.load())
names = sorted([each.group, each.name] for each in entry_points)
print(json.dumps([nova_ext_sts.__file__, names]))
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


def _entry_points() -> list[tuple[str, str]]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return sorted(
        (group, line.partition("=")[0].strip())
        for group, lines in setup["options.entry_points"].items()
        for line in lines.strip().split("\n")
    )


def listed(port: int) -> Any:
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    ) as connection:
        connection.request("GET", "/v2.1/servers")
        return json.load(connection.getresponse())


def assert_all_have_states(document: dict[str, Any]) -> None:
    assert document["servers"]
    for server in document["servers"]:
        assert "OS-EXT-STS:vm_state" in server


def test_demo_runs(installation: Installation) -> None:
    with subprocess.Popen(
        [installation.scripts / "nova-ext-sts-demo", "--port", "0"],
        cwd=installation.directory,
        env=installation.environ,
        stdout=subprocess.PIPE,
        text=True,
    ) as demo:
        try:
            assert demo.stdout
            text = ""
            for line in demo.stdout:
                text += line
                port = re.match(r"The Compute API is at \S+:(\d+)/", line)
                if port:
                    break
            else:
                pytest.fail(f"no endpoint in {text!r}")
            assert_all_have_states(listed(int(port[1])))
        finally:
            demo.terminate()
        assert demo.wait(30) == 0
    names = [path.name for path in installation.directory.iterdir()]
    assert names == ["nova-ext-sts-demo.sqlite"]


def test_every_entry_point_is_loaded(installation: Installation) -> None:
    place, names = json.loads(installation.output("python", "-c", LOAD))
    assert place.startswith(str(installation.scripts.parent))
    assert list(map(tuple, names)) == _entry_points()


@pytest.mark.parametrize(
    "script",
    [name for group, name in _entry_points() if group == "console_scripts"],
)
def test_every_command_tells_its_usage(
    script: str, installation: Installation
) -> None:
    assert f"usage: {script}" in installation.output(script, "--help")


def test_filter_is_an_egg_of_a_paste_pipeline(
    installation: Installation,
) -> None:
    (installation.directory / "paste.ini").write_text(PIPELINE)
    document = json.loads(installation.output("python", "-c", LIST))
    assert_all_have_states(document)
