"""The sample configuration file, with the tools of oslo.config."""

import subprocess
import sysconfig
from pathlib import Path

SAMPLE = Path(__file__).parents[2] / "etc" / "nova-ext-sts.conf.sample"
NAMESPACE = ("--namespace", "nova-ext-sts")


def run(name, *arguments):
    return subprocess.run(
        [Path(sysconfig.get_path("scripts"), name), *NAMESPACE, *arguments],
        capture_output=True,
        check=False,
        text=True,
    )


def test_sample_is_up_to_date():
    done = run("oslo-config-generator")
    assert done.returncode == 0, done.stderr
    assert done.stdout == SAMPLE.read_text()


def test_validator_accepts_the_sample():
    done = run("oslo-config-validator", "--input-file", str(SAMPLE))
    assert done.returncode == 0, done.stderr


def test_validator_reports_an_unknown_option(tmp_path):
    file = tmp_path / "site.conf"
    file.write_text("[extended_status]\nconection = x\n")
    done = run("oslo-config-validator", "--input-file", str(file))
    assert done.returncode == 1
    assert "extended_status/conection" in done.stderr
