"""The wheel, installed where there is nothing else of the project."""

import configparser
import json
import re
import subprocess
import urllib.request

import pytest

from tests.packaging.conftest import ROOT

ENDPOINT = re.compile(r"The Compute API is at (\S+)")

#: Prints every entry point that could be loaded, and whence.
LOAD = """
import importlib.metadata, nova_ext_sts
entry_points = importlib.metadata.distribution("nova-ext-sts").entry_points
for entry_point in entry_points:
    assert callable(entry_point.load())
print(nova_ext_sts.__file__)
for each in entry_points:
    print(each.group, each.name, each.value)
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


def _entry_points():
    """Return the group, name and object of each in ``setup.cfg``."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return [
        (group, *map(str.strip, line.split("=")))
        for group, lines in setup["options.entry_points"].items()
        for line in lines.strip().split("\n")
    ]


def assert_all_have_states(document):
    assert document["servers"]
    for server in document["servers"]:
        assert "OS-EXT-STS:vm_state" in server


def test_demo_runs(installation):
    with subprocess.Popen(
        [installation.scripts / "nova-ext-sts-demo", "--port", "0"],
        cwd=installation.directory,
        env=installation.environ,
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
    place, *found = installation.output("python", "-c", LOAD).splitlines()
    assert place.startswith(str(installation.scripts.parent))
    assert set(found) == set(map(" ".join, _entry_points()))


@pytest.mark.parametrize(
    "script",
    [name for group, name, _ in _entry_points() if group == "console_scripts"],
)
def test_every_command_tells_its_usage(script, installation):
    assert f"usage: {script}" in installation.output(script, "--help")


def test_filter_is_an_egg_of_a_paste_pipeline(installation):
    (installation.directory / "paste.ini").write_text(PIPELINE)
    document = json.loads(installation.output("python", "-c", LIST))
    assert_all_have_states(document)
