"""The package's options in the tools of oslo.config."""

import subprocess
import sysconfig
from pathlib import Path

SAMPLE = Path(__file__).parents[2] / "etc" / "nova-ext-sts.conf.sample"


def run(tool, *arguments):
    command = Path(sysconfig.get_path("scripts"), f"oslo-config-{tool}")
    return subprocess.run(
        [command, "--namespace", "nova-ext-sts", *arguments],
        capture_output=True,
        check=False,
        text=True,
    )


def test_sample_is_up_to_date():
    done = run("generator")
    assert done.returncode == 0, done.stderr
    assert done.stdout == SAMPLE.read_text()


def test_validator_reports_unknown_options_alone(tmp_path):
    file = tmp_path / "site.conf"
    file.write_text("[extended_status]\ntimeout = 2\nconection = x\n")
    done = run("validator", "--input-file", file)
    assert done.returncode == 1
    assert "extended_status/conection" in done.stderr
    assert "timeout" not in done.stderr
