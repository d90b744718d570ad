"""``nova-ext-sts-status upgrade check`` beside a real Nova."""

import pytest
import sqlalchemy as sa
from oslo_upgradecheck.upgradecheck import Code

from tests.nova.installation import (
    DOWN_CELL,
    LIVE_CELLS,
    SQLiteFiles,
    paste_file,
)
from tests.support.checks import run
from tests.support.databases import SERVERS, Database
from tests.support.readers import Reader


@pytest.fixture
def check(nova, tmp_path):
    """Run the command as an operator, with more options of the filter."""
    paste, own = tmp_path / "api-paste.ini", tmp_path / "own.conf"
    paste.write_text(paste_file("extended_status"))

    def run_with(*options):
        own.write_text("\n".join(["[extended_status]", *options, ""]))
        return run(
            *("--config-file", nova.directory / "nova.conf"),
            *("--config-file", own, "--paste-file", paste),
        )

    return run_with


def test_default_site_fails_for_the_cell_that_is_down_alone(nova, check):
    _, checks = check()
    assert checks["Databases"].result == Code.FAILURE
    assert checks["Databases"].details.count("cannot be read") == 1
    assert checks["Cells"].result == Code.FAILURE
    assert DOWN_CELL in checks["Cells"].details
    assert "3 of 4 cells" in checks["Cells"].details
    code, checks = check(
        f"cell_connection = {DOWN_CELL}={nova.cells['cell2']}"
    )
    assert code == Code.SUCCESS, checks
    assert "4 of 4 cells" in checks["Cells"].details
    assert checks["Pipeline"].details.count("keystone") == 2


class NovasDatabase(Database):
    """One of Nova's databases, for a user with every privilege."""

    def __init__(self, url):
        root = SERVERS["mysql"].set(database=sa.engine.make_url(url).database)
        self._engine = sa.create_engine(root, future=True)
        self.url = root.render_as_string(hide_password=False)


def test_site_with_the_user_of_the_documentation_is_fine(nova, check):
    if isinstance(nova.databases, SQLiteFiles):
        pytest.skip("SQLite has no users")
    api = NovasDatabase(nova.databases.url("_api"))
    reader = Reader("mysql")
    try:
        reader.may_read(api, "api")
        options = [f"api_connection = {reader.url(api)}"]
        for name in ("cell0", *LIVE_CELLS):
            cell = NovasDatabase(nova.cells[name])
            reader.may_read(cell, "instances")
            options.append(f"cell_connection = {name}={reader.url(cell)}")
        options.append(f"cell_connection = {DOWN_CELL}={reader.url(cell)}")
        code, checks = check(*options)
    finally:
        reader.drop()
    assert code == Code.SUCCESS, checks
    assert reader.name not in str(checks)
