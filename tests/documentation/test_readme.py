"""The commands of README.rst, as a reader pastes them.

A new clone, an empty home, and a new shell for each block.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import textwrap
import venv
from pathlib import Path

import pytest

from tests.support.servers import free_port

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.rst").read_text()
BLOCK = re.compile(r"^\.\. code-block:: sh\n\n((?:   .*\n|\n)+)", re.M)

#: What each block prints, in the README's order.
OUTPUTS = (
    # The demo, and a list from it.
    "The Compute API is at",
    '"OS-EXT-STS:vm_state": "active"',
    # A record is changed.
    '"OS-EXT-STS:task_state": "rebooting"',
    # The demo with --live.
    "The Compute API is at",
    # Installing in Nova: the package, the paste file, the check, a look.
    "Successfully installed",
    "",
    "Success",
    "OS-EXT-STS:vm_state",
    # Rolling back.
    "",
    # The tests.
    "py3",
)

#: Nova's pipelines.
PASTE_FILE = """\
[composite:openstack_compute_api_v21]
use = call:nova.api.auth:pipeline_factory_v21
keystone = cors keystonecontext osapi_compute_app_v21

[composite:openstack_compute_api_v21_legacy_v2_compatible]
use = call:nova.api.auth:pipeline_factory_v21
keystone = cors keystonecontext legacy_v2_compatible osapi_compute_app_v21
"""


class Reader:
    """Somebody at a terminal, with a clone of the repository."""

    def __init__(self, folder):
        self.clone = folder / "clone"
        self.paste_file = folder / "etc" / "api-paste.ini"
        nova, home, port = folder / "opt", folder / "home", free_port()
        self._demo: subprocess.Popen[str] | None = None
        #: The README's words, and this test's; tox would run it once more.
        self._places = {
            "bin/nova-ext-sts-demo": f"bin/nova-ext-sts-demo --port {port}",
            "127.0.0.1:8774": f"127.0.0.1:{port}",
            "/etc/nova": f"{self.paste_file.parent}",
            "/opt/nova": f"{nova}",
            "bin/tox": "bin/tox list",
        }
        self._environ = {
            # pip's own variables name its index and its certificates.
            **{k: v for k, v in os.environ.items() if k.startswith("PIP_")},
            "HOME": f"{home}",
            "PATH": os.defpath + ":/usr/local/bin",
            "LANG": "C.UTF-8",
            "TOKEN": "any",
            "COMPUTE": f"http://127.0.0.1:{port}/v2.1",
        }
        subprocess.run(
            ["git", "clone", "-q", f"file://{ROOT}", self.clone], check=True
        )
        venv.create(nova, with_pip=True)
        self.paste_file.parent.mkdir()
        self.paste_file.write_text(PASTE_FILE)
        nova_conf = home / ".nova" / "nova.conf"
        nova_conf.parent.mkdir(parents=True)
        database = self.clone / "nova-ext-sts-demo.sqlite"
        nova_conf.write_text(
            f"[wsgi]\napi_paste_config = {self.paste_file}\n"
            f"[database]\nconnection = sqlite:///{database}\n"
        )

    def paste(self, block):
        """Run a block in a new shell, and return what it prints.

        The demo is left running, until a block starts it again.
        """
        if "bin/nova-ext-sts-demo" in block:
            self.press_ctrl_c()
        for place, own in self._places.items():
            block = block.replace(place, own)
        process = subprocess.Popen(
            ["bash", "-e", "-c", block],
            cwd=self.clone,
            env=self._environ,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        printed = ""
        for line in process.stdout or ():
            printed += line
            if line.startswith("The Compute API is at"):
                self._demo = process
                return printed
        assert process.wait() == 0, printed
        return printed

    def press_ctrl_c(self):
        """End the demo, if it runs."""
        if self._demo:
            os.killpg(self._demo.pid, signal.SIGINT)
            self._demo.communicate(timeout=30)
            self._demo = None


@pytest.fixture
def reader(tmp_path):
    reader = Reader(tmp_path)
    yield reader
    reader.press_ctrl_c()


def test_every_command_works_in_a_new_shell(reader):
    blocks = [textwrap.dedent(text) for text in BLOCK.findall(README)]
    for block, output in zip(blocks, OUTPUTS, strict=True):
        if "upper-constraints.txt" in block:
            constrain(reader)
        printed = reader.paste(block)
        assert output in printed, block
        if "printf " in block:
            # Once more changes nothing.
            reader.paste(block)
            lines = reader.paste_file.read_text().splitlines()
            words = [line.split() for line in lines if "keystone =" in line]
            application = ["extended_status", "osapi_compute_app_v21"]
            assert [each[-2:] for each in words] == [application] * 2
    # The section may stay.
    pipelines, section, _ = reader.paste_file.read_text().partition(
        "\n[filter:extended_status]\n"
    )
    assert (pipelines, bool(section)) == (PASTE_FILE, True)


def constrain(reader):
    """Write the constraints that pip finds in the demo's environment."""
    pip = reader.clone / ".venv/bin/pip"
    installed = subprocess.check_output(
        [pip, "freeze", "--exclude", "nova-ext-sts"], text=True
    )
    (reader.clone / "upper-constraints.txt").write_text(installed)


@pytest.mark.parametrize("path", re.findall(r"<([\w/.-]+\.rst)>`_", README))
def test_links_lead_to_files(path):
    assert (ROOT / path).is_file()
