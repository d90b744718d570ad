"""What the sdist and the wheel hold."""

import subprocess
import tarfile
import zipfile

import pytest

from tests.packaging.conftest import ROOT

PACKAGE = "nova_ext_sts/"

METADATA = {
    "METADATA",
    "RECORD",
    "WHEEL",
    "entry_points.txt",
    "licenses/LICENSE",
    "top_level.txt",
}


@pytest.fixture(scope="module")
def tracked():
    """Every file that git knows."""
    listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT)
    return set(listed.decode().split("\0")) - {""}


def test_wheel_holds_the_package_and_its_metadata_alone(wheel, tracked):
    package = {name for name in tracked if name.startswith(PACKAGE)}
    assert {f"{PACKAGE}py.typed", f"{PACKAGE}demo/api-paste.ini"} <= package
    information = "-".join(wheel.name.split("-")[:2]) + ".dist-info"
    metadata = {f"{information}/{name}" for name in METADATA}
    with zipfile.ZipFile(wheel) as archive:
        assert set(archive.namelist()) == package | metadata


def test_sdist_holds_every_file_of_the_tree(sdist, tracked):
    with tarfile.open(sdist) as archive:
        names = {
            member.name.partition("/")[2]
            for member in archive.getmembers()
            if not member.isdir()
        }
    made = {"PKG-INFO"} | {
        name for name in names if name.startswith("nova_ext_sts.egg-info/")
    }
    assert names - made == tracked - {".gitignore"}
