"""What the sdist and the wheel hold."""

import configparser
import tarfile
import zipfile
from email import message_from_bytes

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


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def information(wheel):
    """Return the prefix of the metadata's names."""
    return "-".join(wheel.name.split("-")[:2]) + ".dist-info/"


def test_wheel_holds_the_package_and_its_metadata_alone(wheel, tracked):
    package = {name for name in tracked if name.startswith(PACKAGE)}
    assert {f"{PACKAGE}py.typed", f"{PACKAGE}demo/api-paste.ini"} <= package
    metadata = {f"{information(wheel)}{name}" for name in METADATA}
    assert set(contents(wheel)) == package | metadata


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


def test_wheels_of_the_sdist_and_of_an_export_are_the_same(
    wheel, wheel_of_an_export
):
    assert wheel.name == wheel_of_an_export.name
    assert contents(wheel) == contents(wheel_of_an_export)


def test_wheel_requires_what_setup_cfg_says(wheel):
    setup_cfg = configparser.ConfigParser()
    setup_cfg.read(ROOT / "setup.cfg")
    metadata = message_from_bytes(
        contents(wheel)[f"{information(wheel)}METADATA"]
    )
    options = setup_cfg["options"]
    required = options["install_requires"].split("\n")[1:]
    for extra, requirements in setup_cfg["options.extras_require"].items():
        required += [
            f'{requirement}; extra == "{extra}"'
            for requirement in requirements.split("\n")[1:]
        ]
    assert sorted(metadata.get_all("Requires-Dist", [])) == sorted(required)
    assert metadata["Requires-Python"] == options["python_requires"]
    assert metadata["License"] == setup_cfg["metadata"]["license"]
    body = metadata.get_payload(decode=True)
    assert isinstance(body, bytes)
    readme = (ROOT / "README.rst").read_bytes()
    assert body.strip() == readme.strip()
