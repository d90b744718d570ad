"""The distributions that tox built."""

from pathlib import Path

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
