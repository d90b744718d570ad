"""``nova-ext-sts-status upgrade check`` beside a real Nova."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
import sqlalchemy as sa

from tests.nova.installation import (
    DOWN_CELL,
    LIVE_CELLS,
    operators_paste_file,
)
from tests.support.databases import SERVERS, Database
from tests.support.readers import Reader

if TYPE_CHECKING:
    from tests.nova.installation import Installation

SUCCESS, WARNING, FAILURE = range(3)


class Check(NamedTuple):
    """What one check says."""

    result: int
    details: str


class Status:
    """The command, with Nova's configuration and an operator's paste file."""

    def __init__(self, nova: Installation, directory: Path) -> None:
        self._nova = nova
        self.own = directory / "own.conf"
        self.own.write_text("")
        self.paste = directory / "api-paste.ini"
        self.paste.write_text(operators_paste_file())

    def configure(self, *options: str) -> None:
        lines = "\n".join(options).replace("$", "$$")
        self.own.write_text(f"[extended_status]\n{lines}\n")

    def check(self) -> tuple[int, dict[str, Check]]:
        done = subprocess.run(
            [
                Path(sysconfig.get_path("scripts"), "nova-ext-sts-status"),
                *("--config-file", self._nova.directory / "nova.conf"),
                *("--config-file", self.own),
                *("--paste-file", self.paste),
                *("upgrade", "check", "--json"),
            ],
            capture_output=True,
            check=False,
            text=True,
        )
        assert done.stderr == ""
        checks = {
            each["check"]: Check(each["result"], each["details"])
            for each in json.loads(done.stdout)["checks"]
        }
        assert done.returncode == max(each.result for each in checks.values())
        return done.returncode, checks


class NovasDatabase(Database):
    """A database that is there, with Nova's own tables."""

    def __init__(self, url: str) -> None:
        # As somebody who may grant.
        root = SERVERS["mysql"].set(database=sa.make_url(url).database)
        self._engine = sa.create_engine(root, poolclass=sa.NullPool)
        self.url = root.render_as_string(hide_password=False)


@pytest.fixture
def status(nova: Installation, tmp_path: Path) -> Status:
    return Status(nova, tmp_path)


def is_mysql(nova: Installation) -> bool:
    return nova.databases.connection.startswith("mysql")


def test_cell_that_is_down_is_a_failure(
    nova: Installation, status: Status
) -> None:
    code, checks = status.check()

    assert code == FAILURE
    result, details = checks["Databases"]
    assert result == FAILURE
    assert details.startswith(f"The cell {DOWN_CELL} (")
    assert details.count(" cannot be asked (") == 1
    for name in ("API database", "cell cell0", *map(_cell, LIVE_CELLS)):
        assert f"The {name} (" in details
    result, details = checks["Cells"]
    assert result == FAILURE
    assert "4 cells are known, of which 3 can be read." in details
    assert checks["Schema"].result == WARNING
    assert checks["Configuration"] == (
        SUCCESS,
        "[filter:extended_status] with "
        f"{nova.directory}/nova.conf, {status.own}: records are read from the "
        "source cells.",
    )
    assert checks["Pipeline"] == (
        SUCCESS,
        "The filter is in [composite:openstack_compute_api_v21] keystone, "
        "[composite:openstack_compute_api_v21_legacy_v2_compatible] keystone "
        f"of {status.paste}.",
    )


def test_healthy_site_of_novas_user_has_warnings_and_no_failure(
    nova: Installation, status: Status
) -> None:
    up = nova.databases.cell_urls[LIVE_CELLS[1]]
    status.configure(f"cell_connection = {DOWN_CELL}={up}")
    code, checks = status.check()

    users = WARNING if is_mysql(nova) else SUCCESS
    assert code == users
    for title, check in checks.items():
        usual = title not in ("Privileges", "Database users")
        assert check.result == (SUCCESS if usual else users), title
    assert checks["Cells"].details == (
        "4 cells are known, of which 4 can be read."
    )
    if users == WARNING:
        details = checks["Database users"].details
        # Of whom there are two, in one mapping or the other.
        assert details.count(", which is Nova's own user: make one") == 5


def test_site_with_a_user_of_its_own_is_fine(
    nova: Installation, status: Status
) -> None:
    if not is_mysql(nova):
        pytest.skip("SQLite has no users")
    urls = nova.databases.cell_urls
    api = NovasDatabase(nova.databases.api_connection)
    reader = Reader("mysql")
    try:
        reader.may_read(api, "api")
        options = [f"api_connection = {reader.url(api)}"]
        for name in ("cell0", *LIVE_CELLS):
            cell = NovasDatabase(urls[name])
            reader.may_read(cell, "instances")
            options.append(f"cell_connection = {name}={reader.url(cell)}")
        options.append(f"cell_connection = {DOWN_CELL}={reader.url(cell)}")
        status.configure(*options)
        code, checks = status.check()
    finally:
        reader.drop()

    assert code == SUCCESS, checks
    assert checks["Privileges"].details.count("is needed and no more.") == 5
    details = checks["Database users"].details
    assert details.count(", which is not Nova's own user.") == 5


def _cell(name: str) -> str:
    return f"cell {name}"
