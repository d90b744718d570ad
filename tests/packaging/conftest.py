"""The distributions that tox built, and one environment with the wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]


def pytest_addoption(parser):
    parser.addoption(
        "--distributions",
        type=Path,
        required=True,
        metavar="DIRECTORY",
        help="where one sdist is, and the wheel that was built from it",
    )


@pytest.fixture(scope="session")
def distributions(pytestconfig):
    directory: Path = pytestconfig.getoption("--distributions")
    return directory.absolute()


@pytest.fixture(scope="session")
def sdist(distributions):
    (sdist,) = distributions.glob("*.tar.gz")
    return sdist


@pytest.fixture(scope="session")
def wheel(distributions):
    (wheel,) = distributions.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def wheel_of_an_export(tracked, tmp_path_factory):
    """Build a wheel from the files alone, without the repository."""
    export = tmp_path_factory.mktemp("export")
    for name in tracked:
        copy = export / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / name).read_bytes())
    directory = tmp_path_factory.mktemp("of-an-export")
    subprocess.run(
        [
            *(sys.executable, "-m", "build", "--wheel"),
            *("--outdir", directory, export),
        ],
        check=True,
    )
    (wheel,) = directory.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def tracked():
    """Every file that git knows."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    return set(listed.stdout.decode().split("\0")) - {""}


class Installation(NamedTuple):
    """An environment with the wheel, and an empty directory to be in.

    :param environ: no home, and nothing of what these tests run in
    """

    scripts: Path
    directory: Path
    environ: dict[str, str]

    def output(self, program, *arguments):
        """Return what a program of the environment prints."""
        return subprocess.run(
            [self.scripts / program, *arguments],
            cwd=self.directory,
            env=self.environ,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=60,
        ).stdout


@pytest.fixture(scope="session")
def environment(wheel, tmp_path_factory):
    """A new virtual environment with the wheel and its extra, the demo."""
    directory = tmp_path_factory.mktemp("environment")
    venv.create(directory, with_pip=True)
    subprocess.run(
        [directory / "bin/pip", "install", "--quiet", f"{wheel}[demo]"],
        cwd=directory,
        check=True,
    )
    return directory


@pytest.fixture
def installation(environment, tmp_path):
    here, home = tmp_path / "here", tmp_path / "home"
    here.mkdir()
    home.mkdir()
    environ = {
        "HOME": str(home),
        "PATH": f"{environment / 'bin'}{os.pathsep}{os.defpath}",
    }
    return Installation(environment / "bin", here, environ)
