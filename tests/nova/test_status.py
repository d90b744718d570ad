"""``nova-ext-sts-status upgrade check`` beside a real Nova."""

import pytest
import sqlalchemy as sa
from oslo_upgradecheck.upgradecheck import Code

from tests.nova.installation import DOWN_CELL, LIVE_CELLS, paste_file
from tests.support.checks import run
from tests.support.databases import SERVERS, Database
from tests.support.readers import Reader


class Status:
    """The command, with Nova's configuration and an operator's paste file."""

    def __init__(self, nova, directory):
        self._own = directory / "own.conf"
        paste = directory / "api-paste.ini"
        paste.write_text(paste_file("extended_status"))
        self._arguments = (
            *("--config-file", nova.directory / "nova.conf"),
            *("--config-file", self._own, "--paste-file", paste),
        )

    def check(self, *options):
        """Run the command, with options of the filter."""
        lines = "\n".join(options).replace("$", "$$")
        self._own.write_text(f"[extended_status]\n{lines}\n")
        return run(*self._arguments)


class NovasDatabase(Database):
    """One of Nova's databases, for a user with every privilege."""

    def __init__(self, url):
        root = SERVERS["mysql"].set(database=sa.engine.make_url(url).database)
        self._engine = sa.create_engine(
            root, future=True, poolclass=sa.pool.NullPool
        )
        self.url = root.render_as_string(hide_password=False)


@pytest.fixture
def status(nova, tmp_path):
    return Status(nova, tmp_path)


def test_default_site_fails_for_the_cell_that_is_down_alone(nova, status):
    _, checks = status.check()
    assert checks["Databases"].result == Code.FAILURE
    assert checks["Databases"].details.count("cannot be read") == 1
    assert checks["Cells"].result == Code.FAILURE
    assert DOWN_CELL in checks["Cells"].details
    assert "3 of 4 cells" in checks["Cells"].details
    up = nova.databases.cell_urls[LIVE_CELLS[1]]
    code, checks = status.check(f"cell_connection = {DOWN_CELL}={up}")
    assert code == Code.SUCCESS, checks
    assert "4 of 4 cells" in checks["Cells"].details
    assert checks["Pipeline"].details.count("keystone") == 2


def test_site_with_the_user_of_the_documentation_is_fine(nova, status):
    if not nova.databases.connection.startswith("mysql"):
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
        code, checks = status.check(*options)
    finally:
        reader.drop()
    assert code == Code.SUCCESS, checks
    assert reader.name not in str(checks)
