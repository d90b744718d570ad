"""The command ``nova-ext-sts-status upgrade check``."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import sqlalchemy as sa
from oslo_config import cfg
from oslo_upgradecheck.upgradecheck import Code

from nova_ext_sts.cmd import status
from nova_ext_sts.cmd.checks import UNSEEN
from nova_ext_sts.cmd.databases import some_of
from nova_ext_sts.cmd.privileges import needed
from nova_ext_sts.policies import RULE
from nova_ext_sts.records import RecordsUnavailable
from nova_ext_sts.records.mappings import CellMappings
from tests.support.cells import Cells
from tests.support.databases import SERVERS, Database, made
from tests.support.distributions import installed
from tests.support.readers import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.proxies import Proxy

SUCCESS, WARNING, FAILURE = Code.SUCCESS, Code.WARNING, Code.FAILURE

TITLES = [
    "Configuration",
    "Databases",
    "Schema",
    "Privileges",
    "Cells",
    "Database users",
    "Calls",
    "Policy",
    "Pipeline",
    "Health checks",
]
#: As Nova's, with the filter in it.
PASTE = """\
[composite:openstack_compute_api_v21]
use = call:nova.api.auth:pipeline_factory_v21
keystone = faultwrap authtoken keystonecontext {keystone}

[filter:faultwrap]
paste.filter_factory = nova.api.openstack:FaultWrapper.factory

[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory

[filter:keystonecontext]
paste.filter_factory = nova.api.auth:NovaKeystoneContext.factory

[filter:compressed]
use = egg:Paste#gzip

[filter:extended_status]
paste.filter_factory = nova_ext_sts:filter_factory

[app:osapi_compute_app_v21]
paste.app_factory = nova.api.openstack.compute:APIRouterV21.factory
"""
USUAL = PASTE.format(keystone="extended_status osapi_compute_app_v21")


class Check(NamedTuple):
    """What one check says."""

    result: Code
    details: str


class Site:
    """A site's configuration."""

    def __init__(
        self, directory: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.directory = directory
        self.file = directory / "site.conf"
        self.paste = directory / "api-paste.ini"
        self.paste.write_text(USUAL)
        self._capsys = capsys

    def configure(self, *options: str, more: str = "") -> None:
        """Write the configuration file."""
        lines = ["[extended_status]", *options, more]
        text = "\n".join(line.replace("$", "$$") for line in lines)
        self.file.write_text(f"{text}\n")

    def check(self, *arguments: str) -> tuple[int, dict[str, Check]]:
        """Run the command, and return its exit code and what it says."""
        if self.file.exists():
            arguments = ("--config-file", str(self.file), *arguments)
        code = status.main(
            [*arguments, "upgrade", "check", "--json"], cfg.ConfigOpts()
        )
        said = json.loads(self._capsys.readouterr().out)
        checks = {
            each["check"]: Check(Code(each["result"]), each["details"])
            for each in said["checks"]
        }
        assert list(checks) == TITLES
        assert code == max(check.result for check in checks.values())
        return code, checks


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Site:
    directory = tmp_path / "etc"
    directory.mkdir()
    return Site(directory, capsys)


@pytest.fixture
def cells(new_database: Callable[[], Database]) -> Cells:
    return Cells(new_database)


@pytest.fixture
def readable(
    system: str, tmp_path: Path
) -> Iterator[tuple[Cells, dict[str, str], Reader]]:
    """Cells, and the URLs of a user who may read what is needed."""
    with (
        made(system, tmp_path) as api,
        made(system, tmp_path) as cell0,
        made(system, tmp_path) as cell1,
    ):
        databases = iter((api, cell0, cell1))
        cells = Cells(lambda: next(databases))
        reader = Reader(system)
        reader.may_read(api, "api")
        reader.may_read(cell0, "instances")
        reader.may_read(cell1, "instances")
        urls = {
            "api": reader.url(api),
            "cell0": reader.url(cell0),
            "cell1": reader.url(cell1),
        }
        yield cells, urls, reader
    reader.drop()


def configure_reader(site: Site, cells: Cells, urls: dict[str, str]) -> None:
    site.configure(
        f"api_connection = {urls['api']}",
        f"cell_connection = cell0={urls['cell0']}",
        f"cell_connection = cell1={urls['cell1']}",
        more=f"[api_database]\nconnection = {cells.api.url}",
    )


@pytest.mark.parametrize("system", SERVERS)
def test_site_with_a_user_of_its_own_is_fine(
    site: Site, readable: tuple[Cells, dict[str, str], Reader]
) -> None:
    cells, urls, reader = readable
    configure_reader(site, cells, urls)
    code, checks = site.check()
    assert code == SUCCESS, checks
    for name in ("API database", "cell cell0", "cell cell1"):
        assert f"The {name} (" in checks["Databases"].details
        assert f"The {name} (" in checks["Schema"].details
    assert (
        checks["Privileges"].details.count("what is needed and no more.") == 3
    )
    assert (
        checks["Database users"].details.count(
            f"is read as {reader.name}, which is not Nova's own user."
        )
        == 3
    )
    assert checks["Cells"].details == (
        "2 cells are known, of which 2 can be read."
    )
    assert checks["Pipeline"].details == (
        "The filter is in [composite:openstack_compute_api_v21] keystone of "
        f"{site.paste}."
    )
    assert checks["Policy"].details == (
        "There is no policy file: everybody gets states."
    )
    assert "SECRET" not in str(checks)


@pytest.mark.parametrize("system", SERVERS)
def test_nova_s_own_user_is_told_of(site: Site, cells: Cells) -> None:
    site.configure(more=f"[api_database]\nconnection = {cells.api.url}")
    code, checks = site.check()
    assert code == WARNING, checks
    user = sa.make_url(cells.api.url).username
    result, details = checks["Privileges"]
    assert result == WARNING
    assert f"The user {user} of the API database (" in details
    assert "may do more than is needed: " in details
    result, details = checks["Database users"]
    assert result == WARNING
    assert "set api_connection in [extended_status]." in details
    assert details.count("set cell_connection in [extended_status].") == 2


@pytest.mark.parametrize(
    ("system", "grant", "more"),
    [
        ("mysql", "GRANT UPDATE ON {db}.instances TO {user}", "UPDATE on "),
        ("mysql", "GRANT SELECT ON {db}.instances TO {user}", "SELECT on "),
        ("mysql", "GRANT SELECT ON {db}.* TO {user}", "SELECT on "),
        (
            "mysql",
            "GRANT SELECT (hidden, deleted) ON {db}.instances TO {user}",
            "SELECT (deleted, hidden) on ",
        ),
        ("mysql", "GRANT {user}_role TO {user}", "whatever the role "),
        (
            "mysql",
            "GRANT {user}_role TO {user}; "
            "SET DEFAULT ROLE {user}_role FOR {user}",
            "whatever the role ",
        ),
        ("postgresql", "GRANT DELETE ON instances TO {user}", "DELETE on "),
        (
            "postgresql",
            "GRANT SELECT (hidden, deleted) ON instances TO {user}",
            "SELECT (deleted, hidden) on instances",
        ),
        (
            "mysql",
            "GRANT SELECT (uuid) ON {db}.instances TO {user} "
            "WITH GRANT OPTION",
            "GRANT OPTION on ",
        ),
        (
            "mysql",
            "GRANT SELECT (id) ON {db}.instances TO {user}",
            "SELECT (id",
        ),
        ("postgresql", "GRANT TRUNCATE ON instances TO {user}", "TRUNCATE on"),
        (
            "postgresql",
            "GRANT UPDATE (vm_state) ON instances TO {user}",
            "UPDATE on instances",
        ),
        (
            "postgresql",
            "CREATE VIEW seen AS SELECT id FROM instances; "
            "GRANT SELECT ON seen TO {user}",
            "SELECT (id) on seen",
        ),
        (
            "postgresql",
            "CREATE SCHEMA other; CREATE TABLE other.instances (uuid text); "
            "GRANT USAGE ON SCHEMA other TO {user}; "
            "GRANT SELECT ON other.instances TO {user}",
            "SELECT (uuid) on other.instances",
        ),
        (
            "postgresql",
            "GRANT {user}_role TO {user}",
            "whatever the role ",
        ),
        ("postgresql", "ALTER ROLE {user} CREATEDB", "CREATEDB"),
        ("postgresql", "ALTER ROLE {user} CREATEROLE", "CREATEROLE"),
        ("postgresql", "ALTER ROLE {user} BYPASSRLS", "BYPASSRLS"),
        ("postgresql", "ALTER ROLE {user} REPLICATION", "REPLICATION"),
        ("postgresql", "ALTER ROLE {user} SUPERUSER", "SUPERUSER: a user"),
    ],
)
def test_each_privilege_too_many_is_told_of(
    site: Site,
    readable: tuple[Cells, dict[str, str], Reader],
    grant: str,
    more: str,
) -> None:
    cells, urls, reader = readable
    configure_reader(site, cells, urls)
    cell = cells.cells["cell1"]
    name = sa.make_url(cell.url).database
    is_role = "_role" in grant
    if is_role:
        cell.execute(f"CREATE ROLE {reader.name}_role")
    try:
        for statement in grant.split("; "):
            cell.execute(statement.format(db=name, user=reader.name))
        result, details = site.check()[1]["Privileges"]
    finally:
        if is_role:
            cell.execute(f"DROP ROLE {reader.name}_role")
    assert result == WARNING
    assert f"may do more than is needed: {more}" in details


@pytest.mark.parametrize("system", SERVERS)
def test_user_of_a_url_without_one_is_asked_for(
    site: Site, database: Database
) -> None:
    url = sa.make_url(database.url)
    user = url.username
    # PostgreSQL takes the user of the process, or the environment's.
    bare = url.set(username=None).update_query_dict({"user": str(user)})
    site.configure(f"connection = {bare.render_as_string(False)}")
    details = site.check()[1]["Database users"].details
    assert details.endswith(f" is read as {user}.")


def test_only_some_of_much_are_named() -> None:
    assert some_of("abcd") == "a; b; c; d"
    assert some_of("abcde") == "a; b; c; d; and 1 more"


@pytest.mark.parametrize("system", SERVERS)
def test_privilege_that_is_missing_is_told_of(
    site: Site, readable: tuple[Cells, dict[str, str], Reader]
) -> None:
    cells, urls, reader = readable
    configure_reader(site, cells, urls)
    cell = cells.cells["cell1"]
    name = sa.make_url(cell.url).database
    is_mysql = cell.url.startswith("mysql")
    cell.execute(
        "REVOKE SELECT (power_state) ON "
        f"{f'{name}.' if is_mysql else ''}instances FROM {reader.name}"
    )
    code, checks = site.check()
    assert code == FAILURE
    result, details = checks["Privileges"]
    assert result == FAILURE
    assert details.startswith(f"The user {reader.name} of the cell cell1 (")
    assert "may not read what is needed: " in details
    result, details = checks["Schema"]
    assert result == WARNING
    assert "Not checked: the cell cell1 (" in details
    assert checks["Databases"].result == SUCCESS
    assert checks["Cells"].result == FAILURE


def test_column_that_is_missing_is_told_of(site: Site, cells: Cells) -> None:
    site.configure(f"api_connection = {cells.api.url}")
    cells.cells["cell1"].execute(
        "ALTER TABLE instances DROP COLUMN power_state"
    )
    code, checks = site.check()
    assert code == FAILURE
    result, details = checks["Schema"]
    assert result == FAILURE
    assert details.startswith("The cell cell1 (")
    assert "is not as Nova makes it: " in details
    assert "power_state" in details
    assert checks["Cells"].details.startswith("Servers in cell cell1 (")


def test_cell_that_is_down_is_told_of(site: Site, cells: Cells) -> None:
    cells.add_cell(3, "down", "sqlite:////no/such/s3cret")
    cells.add_cell(4, "odd", "{scheme}://{port}:s3cret@x/y")
    site.configure(
        f"api_connection = {cells.api.url}",
        f"cell_connection = down={'sqlite:////no/such/file'}",
        "cell_connection = cell9=sqlite://",
    )
    code, checks = site.check()
    assert code == FAILURE
    result, details = checks["Databases"]
    assert result == FAILURE
    for text in (
        "The cell down (sqlite:////no/such/file) cannot be asked (unable to "
        "open database file): see that it runs, and that its URL is right "
        "(cell_connection).",
        "The cell odd cannot be asked (its database_connection is a template "
        "that cannot be filled: set connection in [extended_status], or",
        "The cell cell9 cannot be asked (cell_connection names it, and there "
        "is no such cell): see",
    ):
        assert text in details
    result, details = checks["Cells"]
    assert result == FAILURE
    assert "5 cells are known, of which 2 can be read." in details
    assert checks["Schema"].result == WARNING
    assert "s3cret" not in str(checks)


def test_api_database_that_is_down_leaves_cells_unchecked(
    site: Site, silent: Proxy
) -> None:
    site.configure(
        f"api_connection = mysql+pymysql://u:p@127.0.0.1:{silent.port}/x",
        "timeout = 0.5",
    )
    code, checks = site.check()
    assert code == FAILURE
    assert checks["Databases"].details == (
        f"The API database (mysql://127.0.0.1:{silent.port}/x) cannot be "
        "asked (no answer in 0.5 s): see that it runs, and that its URL is "
        "right (api_connection)."
    )
    for title in ("Schema", "Privileges", "Cells", "Database users"):
        assert checks[title].result == WARNING, title
        assert checks[title].details.startswith("Not checked: ")


def test_cell_with_any_name_is_shown_in_one_line(
    site: Site, cells: Cells
) -> None:
    cells.add_cell(3, "two\nlines", cells.cells["cell0"].url)
    site.configure(f"api_connection = {cells.api.url}")
    details = site.check()[1]["Databases"].details
    assert "The cell two\\nlines (" in details
    assert details.isprintable()


def test_api_database_that_failed_for_a_moment_is_no_site_without_cells(
    site: Site, cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.configure(f"api_connection = {cells.api.url}")

    def failed(self: Any, deadline: float) -> None:
        raise RecordsUnavailable("it was away")

    monkeypatch.setattr(CellMappings, "read", failed)
    code, checks = site.check()
    assert code == FAILURE
    assert "cannot be asked (it was away)" in checks["Databases"].details
    assert checks["Cells"].result == WARNING


def test_site_without_cell_mappings_is_told_of(
    site: Site, cells: Cells
) -> None:
    cells.api.execute("DELETE FROM cell_mappings")
    site.configure(f"api_connection = {cells.api.url}")
    assert site.check()[1]["Cells"] == (
        FAILURE,
        "There is no cell mapping: add the cells with nova-manage cell_v2.",
    )


def test_one_database_is_enough(site: Site, sqlite: Database) -> None:
    site.configure(f"connection = {sqlite.url}", "calls = show")
    code, checks = site.check()
    assert code == SUCCESS
    place = sqlite.url
    assert checks["Databases"].details == (
        f"The instances' database ({place}) answers."
    )
    assert checks["Privileges"].details == checks["Database users"].details
    assert checks["Privileges"].details == (
        f"The instances' database ({place}) has no users."
    )
    assert checks["Cells"].details == "No cells are read."
    assert checks["Calls"].details == (
        "By [filter:extended_status], these calls are extended: show."
    )
    assert checks["Configuration"].details == (
        f"[filter:extended_status] with {site.file}: records are read from "
        "the source database."
    )


@pytest.mark.parametrize("system", SERVERS)
def test_database_of_another_api_has_no_user_of_nova_s(
    site: Site, database: Database
) -> None:
    site.configure(f"connection = {database.url}")
    user = sa.make_url(database.url).username
    result, details = site.check()[1]["Database users"]
    assert result == SUCCESS
    assert details.endswith(f"is read as {user}.")


@pytest.mark.parametrize("system", SERVERS)
def test_user_beside_an_unknown_nova_is_not_judged(
    site: Site, readable: tuple[Cells, dict[str, str], Reader]
) -> None:
    cells, urls, _ = readable
    configure_reader(site, cells, urls)
    site.configure(
        *(
            line
            for line in site.file.read_text().splitlines()
            if line.startswith(("api_", "cell_"))
        )
    )
    result, details = site.check()[1]["Database users"]
    assert result == WARNING
    assert details.count("Not checked: ") == 3


def test_options_of_the_filters_own_section_are_seen(
    site: Site, sqlite: Database
) -> None:
    site.configure()
    site.paste.write_text(
        f"{USUAL}\n[filter:second]\nuse = extended_status\n"
        f"connection = {sqlite.url}\ncalls = detail\n"
        "[filter:third]\nuse = second\n"
    )
    code, checks = site.check()
    # The first knows no database.
    assert code == FAILURE
    assert checks["Configuration"].details.startswith(
        f"[filter:extended_status] of {site.paste}: No database is known that "
        "holds the instances: set connection in"
    )
    assert "[filter:third] with" in checks["Configuration"].details
    for text in (
        "By [filter:extended_status], these calls are extended: detail, list, "
        "show. In list, Nova's own response schemas, and Tempest's, allow no "
        "more members: a site that is tested against them sets calls = "
        "detail,show.",
        "By [filter:third], these calls are extended: detail.",
    ):
        assert text in checks["Calls"].details
    assert checks["Databases"].result == SUCCESS


def test_option_that_paste_does_not_hand_on_is_told_of(
    site: Site, sqlite: Database
) -> None:
    site.configure(f"connection = {sqlite.url}")
    site.paste.write_text(
        USUAL.replace(
            "nova_ext_sts:filter_factory\n",
            "nova_ext_sts:filter_factory\ntimeout = 1\ncalls = list\n",
        )
        + "[DEFAULT]\ntimeout = 9\nother = x\n"
    )
    assert site.check()[1]["Configuration"].details.startswith(
        "timeout in [filter:extended_status] never reaches the filter, since "
        f"it stands in [DEFAULT] of {site.paste}, too: take it away there. "
    )


def test_section_with_a_configuration_of_its_own_is_seen(
    site: Site, sqlite: Database
) -> None:
    other = site.directory / "other.conf"
    other.write_text(f"[extended_status]\nconnection = {sqlite.url}\n")
    (site.directory / "policy.yaml").write_text(f'"{RULE}": "role:x"\n')
    site.paste.write_text(
        USUAL.replace(
            "nova_ext_sts:filter_factory\n",
            "nova_ext_sts:filter_factory\noslo_config_project = x\n"
            f"oslo_config_file = {other}\n",
        )
    )
    code, checks = site.check("--paste-file", str(site.paste))
    assert code == SUCCESS
    assert checks["Policy"].details == (
        f'{RULE} is "role:x" by {site.directory / "policy.yaml"}.'
    )


def test_without_a_paste_file_the_check_says_what_it_cannot_see(
    site: Site, sqlite: Database
) -> None:
    site.paste.unlink()
    site.configure(f"connection = {sqlite.url}")
    code, checks = site.check()
    assert code == WARNING
    unseen = (
        WARNING,
        "Not checked: no paste file was read: name the one with the filter "
        "with --paste-file, before upgrade check.",
    )
    assert checks["Pipeline"] == checks["Health checks"] == unseen
    assert checks["Configuration"].details.endswith(UNSEEN)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("s3cret\n", "line 1 stands before every [section]"),
        ("[filter:x]\na=1\n s3cret\nb s3cret\n", "line 4 is none of a conf"),
        ("[filter:x]\n[filter:x]\n", "line 2 begins a section that there is"),
        ("[filter:x]\na = 1\na = s3cret\n", "line 3 sets an option that its"),
        ("\xff", "it is not in UTF-8"),
        (None, "No such file or directory"),
    ],
)
def test_paste_file_that_cannot_be_read_is_told_of(
    site: Site, sqlite: Database, text: str | None, why: str
) -> None:
    site.configure(f"connection = {sqlite.url}")
    site.paste.unlink()
    if text is not None:
        site.paste.write_bytes(text.encode("latin-1"))
    code, checks = site.check("--paste-file", str(site.paste))
    assert code == FAILURE
    details = checks["Configuration"].details
    assert details.startswith(
        f"The paste file {site.paste} cannot be read: {why}"
    )
    assert details.endswith(": mend it, or name another one.")
    assert checks["Pipeline"] == (
        WARNING,
        f"Not checked: the paste file {site.paste} cannot be read.",
    )
    assert "s3cret" not in str(checks)


@pytest.mark.parametrize(
    ("option", "details"),
    [
        ("calls = lits", "Bad value for the option calls of [extended_stat"),
        ("record_source = cels", "Unknown record source cels in the option"),
        ("connection = s3cret", "The URL of the instances' database does not"),
    ],
)
@pytest.mark.parametrize("has_paste", [True, False])
def test_bad_option_is_told_of(
    site: Site, option: str, details: str, has_paste: bool
) -> None:
    where = f"[filter:extended_status] of {site.paste}: "
    if not has_paste:
        site.paste.unlink()
        where = ""
    site.configure(option)
    code, checks = site.check()
    assert code == FAILURE
    assert checks["Configuration"].details.startswith(f"{where}{details}")
    for title in ("Databases", "Schema", "Privileges", "Cells"):
        assert checks[title] == (
            WARNING,
            "Not checked: there is no configuration that can work.",
        )
    assert "s3cret" not in str(checks)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("timeout = soon", "Bad value for the option timeout in the section"),
        ("timeot = 3", "Unknown option timeot in the section of the filter:"),
        ("connection = x://u:p%40s3cret@h/x", ""),
        ("oslo_config_project = x\noslo_config_file = /no/such", "Failed"),
    ],
)
def test_bad_option_of_the_filters_own_section_names_the_section(
    site: Site, line: str, what: str
) -> None:
    site.configure("connection = sqlite://")
    site.paste.write_text(
        USUAL.replace(
            "nova_ext_sts:filter_factory\n",
            f"nova_ext_sts:filter_factory\n{line}\n",
        )
    )
    code, checks = site.check()
    section = f"[filter:extended_status] of {site.paste}"
    assert code == FAILURE
    assert checks["Calls"].result == WARNING
    assert checks["Configuration"].details.startswith(
        f"{section}: {what}"
        if what
        else f"{section} has a % that stands for nothing in connection: write "
        "each % as %%."
    )
    assert "s3cret" not in str(checks)


def test_option_that_there_is_not_is_told_of(
    site: Site, sqlite: Database
) -> None:
    directory = site.directory / "conf.d"
    directory.mkdir()
    more = directory / "more.conf"
    more.write_text("[extended_status]\nzzz = 1\ntimeot = 2\n")
    site.configure(f"connection = {sqlite.url}", "max_conections = 3")
    code, checks = site.check("--config-dir", str(directory))
    assert code == FAILURE
    for text in (
        f"[extended_status] of {site.file} has an option max_conections, "
        "which there is not: write max_connections.",
        f"[extended_status] of {more} has an option timeot, which there is "
        "not: write timeout.",
        f"[extended_status] of {more} has an option zzz, which there is not: "
        "take it away.",
    ):
        assert text in checks["Configuration"].details


@pytest.mark.parametrize("system", SERVERS)
def test_column_of_urls_is_needed_for_mapped_cells_alone(
    site: Site, readable: tuple[Cells, dict[str, str], Reader]
) -> None:
    cells, urls, reader = readable
    configure_reader(site, cells, urls)
    reader.may_read(cells.api, "urls")
    result, details = site.check()[1]["Privileges"]
    assert result == WARNING
    assert "more than is needed: SELECT (database_connection) on " in details


@pytest.mark.parametrize("system", SERVERS)
def test_column_of_urls_that_is_missing_is_told_of(
    site: Site, readable: tuple[Cells, dict[str, str], Reader]
) -> None:
    _, urls, reader = readable
    site.configure(
        f"api_connection = {urls['api']}",
        f"cell_connection = cell0={urls['cell0']}",
    )
    code, checks = site.check()
    assert code == FAILURE
    result, details = checks["Privileges"]
    assert result == FAILURE
    assert details.startswith(f"The user {reader.name} of the API database (")
    assert "or name the cells in cell_connection" in details


def test_record_source_of_others_is_asked(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "status_mine.py").write_text(
        "from nova_ext_sts.records import RecordSource\n"
        "class Mine(RecordSource):\n"
        "    def __init__(self, settings): pass\n"
        "    def lookup(self, ids): return {}\n"
    )
    installed("status-mine", tmp_path, monkeypatch, mine="status_mine:Mine")
    site.configure("record_source = mine")
    code, checks = site.check()
    assert code == SUCCESS
    for title in ("Databases", "Schema", "Privileges", "Database users"):
        assert checks[title].details == (
            "What the record source mine reads is no database that is known."
        )


def pipeline(stages: str, more: str = "") -> str:
    return f"{PASTE.format(keystone=stages)}\n{more}"


@pytest.mark.parametrize(
    ("paste", "result", "details"),
    [
        (
            pipeline("osapi_compute_app_v21"),
            FAILURE,
            "The filter extended_status is in no pipeline of {file}: add it "
            "right before the application. "
            "[composite:openstack_compute_api_v21] keystone of {file} ends in "
            "Nova's API and is without the filter: add it right before the "
            "application.",
        ),
        (
            USUAL.replace("nova_ext_sts:filter_factory", "other:factory"),
            FAILURE,
            "No section of {file} makes the filter: add "
            "[filter:extended_status] with paste.filter_factory = "
            "nova_ext_sts:filter_factory, and its name to the pipelines.",
        ),
        (
            pipeline("extended_staus osapi_compute_app_v21"),
            FAILURE,
            "[composite:openstack_compute_api_v21] keystone of {file} names "
            "extended_staus, which no section defines (is extended_status "
            "meant?): correct it.",
        ),
        (
            pipeline("extended_status compressed osapi_compute_app_v21"),
            WARNING,
            "In [composite:openstack_compute_api_v21] keystone of {file}, "
            "extended_status is in the wrong place: compressed comes after "
            "it, and what it has compressed would be decoded again, and sent "
            "so: move it right before the application.",
        ),
        (
            USUAL.replace("faultwrap auth", "extended_status auth").replace(
                "keystonecontext extended_status", "faultwrap keystonecontext"
            ),
            WARNING,
            "keystonecontext comes after it, and the policy knows the caller "
            "only behind it: move",
        ),
        (
            USUAL.replace("faultwrap auth", "extended_status auth").replace(
                "keystonecontext extended_status", "faultwrap keystonecontext"
            ),
            WARNING,
            "faultwrap comes after it, and an error in between would not "
            "become one of Nova's faults; keystonecontext comes",
        ),
        (
            pipeline("extended_status extended_status osapi_compute_app_v21"),
            WARNING,
            "has the filter 2 times, of which one is enough: take the outer",
        ),
        (
            pipeline(
                "osapi_compute_app_v21",
                "[pipeline:main]\n"
                "pipeline = extended_status mapped\n"
                "[composite:mapped]\n"
                "use = egg:Paste#urlmap\n"
                "/: osapi_compute_app_v21\n"
                "/v2.1: osapi_compute_app_v21\n"
                "/compute: osapi_compute_app_v21\n",
            ),
            FAILURE,
            "In [pipeline:main] of {file}, extended_status stands before "
            "mapped, which mounts an application at /compute: the filter "
            "would not know its calls, so put it behind.",
        ),
        (
            pipeline(
                "osapi_compute_app_v21",
                "[pipeline:main]\n"
                "pipeline = faultwrap outer\n"
                "[pipeline:outer]\n"
                "pipeline = extended_status inner\n"
                "[pipeline:inner]\n"
                "pipeline = compressed osapi_compute_app_v21\n",
            ),
            WARNING,
            "In [pipeline:main] of {file}, extended_status is in the wrong "
            "place: compressed comes after it",
        ),
        (
            pipeline(
                "wrapped",
                "[filter-app:wrapped]\n"
                "use = compressed\n"
                "next = osapi_compute_app_v21\n"
                "[app:other]\n"
                "use = osapi_compute_app_v21\n"
                "filter-with = extended_status\n",
            ),
            WARNING,
            "The filter is in [app:other] of {file}.",
        ),
        (
            USUAL.replace(
                "nova_ext_sts:filter_factory", "nova_ext_st:factory"
            ),
            FAILURE,
            "[filter:extended_status] of {file} is made by nova_ext_st:factory"
            " (is nova_ext_sts:filter_factory meant?): correct it.",
        ),
        (
            USUAL.replace(
                "paste.filter_factory = nova_ext_sts", "factory = x"
            ),
            FAILURE,
            "[filter:extended_status] of {file} has neither use nor "
            "paste.filter_factory: for the filter, write "
            "paste.filter_factory = nova_ext_sts:filter_factory.",
        ),
        (
            pipeline("osapi_compute_app_v21 extended_status"),
            FAILURE,
            "names osapi_compute_app_v21, which is an application, which has "
            "to come last: correct it.",
        ),
        (
            pipeline("osapi_compute_app_v21 extended_status"),
            FAILURE,
            "names extended_status, which is a filter, which an application "
            "has to follow: correct it.",
        ),
        (
            pipeline("egg:nova-ext-sts#extended_status osapi_compute_app_v21"),
            SUCCESS,
            "The filter is in [composite:openstack_compute_api_v21] keystone",
        ),
        (
            pipeline(
                "wrapped",
                "[filter-app:wrapped]\n"
                "paste.filter_factory = nova_ext_sts:filter_factory\n"
                "next = osapi_compute_app_v21\n",
            ),
            SUCCESS,
            "The filter is in [composite:openstack_compute_api_v21] keystone",
        ),
        (
            pipeline(
                "extended_status stored osapi_compute_app_v21",
                "[filter:stored]\nuse = egg:Beaker#cache\n",
            ),
            WARNING,
            "stored comes after it, and what it keeps would get states",
        ),
        (
            pipeline(
                "extended_status session osapi_compute_app_v21",
                "[filter:session]\nuse = egg:x#memcache\n",
            ),
            SUCCESS,
            "The filter is in [composite:openstack_compute_api_v21] keystone",
        ),
        (
            pipeline(
                "extended_status auth osapi_compute_app_v21",
                "[filter:auth]\nuse = egg:keystonemiddleware#auth_token\n",
            ),
            WARNING,
            "auth comes after it, and the policy knows the caller only behind",
        ),
        (
            pipeline(
                "extended_status nobody osapi_compute_app_v21",
                "[filter:nobody]\npaste.filter_factory = "
                "nova.api.openstack.auth:NoAuthMiddlewareV2_18.factory\n",
            ),
            WARNING,
            "nobody comes after it, and the policy knows the caller only",
        ),
        (
            USUAL.replace(
                "keystone = faultwrap",
                "noauth2 = osapi_compute_app_v21\nkeystone = faultwrap",
            ),
            SUCCESS,
            "The filter is in [composite:openstack_compute_api_v21] keystone",
        ),
        (
            pipeline("extended_status config:other.ini"),
            WARNING,
            "Not checked: [composite:openstack_compute_api_v21] keystone of "
            "{file} goes on in another file, config:other.ini.",
        ),
        (
            # In front of Nova's own urlmap, it stands outside of all.
            pipeline(
                "osapi_compute_app_v21",
                "[pipeline:main]\n"
                "pipeline = extended_status mapped\n"
                "[composite:mapped]\n"
                "use = call:nova.api.openstack.urlmap:urlmap_factory\n"
                "/v2.1/+: openstack_compute_api_v21\n",
            ),
            WARNING,
            "In [pipeline:main] of {file}, extended_status is in the wrong "
            "place: faultwrap comes after it, and an error in between would "
            "not become one of Nova's faults; authtoken comes after it, and "
            "the policy knows the caller only behind it; keystonecontext "
            "comes after it, and the policy knows the caller only behind it: "
            "move it right before the application. The filter is in "
            "[pipeline:main] of {file}.",
        ),
        (
            # A circle, and a section that is none: paste says so itself.
            pipeline(
                "one",
                "[app:one]\nuse = two\n[app:two]\nuse = one\n"
                "[pipeline:p]\npipeline = p\n[pipeline:e]\npipeline =\n"
                "[app:absent]\nuse = nothing\n[app:empty]\nx = %%\n"
                "[app:percent]\nx = %\n"
                "[pipeline:s]\npipeline = egg:Paste#gzip q\n"
                "[pipeline:q]\npipeline = r\n[pipeline:r]\npipeline = q\n",
            ),
            FAILURE,
            "The filter extended_status is in no pipeline",
        ),
    ],
)
def test_place_of_the_filter_is_judged(
    site: Site, sqlite: Database, paste: str, result: Code, details: str
) -> None:
    site.configure(f"connection = {sqlite.url}")
    site.paste.write_text(paste)
    check = site.check()[1]["Pipeline"]
    assert details.format(file=site.paste) in check.details
    assert check.result == result


@pytest.mark.parametrize(
    "factory",
    [
        "paste.filter_factory = nova_ext_sts:filter_factry",
        "use = egg:nova-ext-sts#extended_staus",
        "use = egg:nova_ext_sts",
    ],
)
def test_mistyped_factory_is_told_of(
    site: Site, sqlite: Database, factory: str
) -> None:
    site.configure(f"connection = {sqlite.url}")
    site.paste.write_text(
        USUAL.replace(
            "paste.filter_factory = nova_ext_sts:filter_factory", factory
        )
    )
    code, checks = site.check()
    assert code == FAILURE
    details = checks["Configuration"].details
    assert details.startswith(
        f"[filter:extended_status] of {site.paste} cannot be loaded ("
    )
    assert details.endswith(
        "): write paste.filter_factory = nova_ext_sts:filter_factory."
    )


@pytest.mark.parametrize(
    ("section", "result", "details"),
    [
        ("", SUCCESS, "There is none in {file}."),
        (
            "backends = extended_status, disable_by_file\n"
            "connection = sqlite:////no/such\n",
            SUCCESS,
            "[app:health] of {file} asks whether records can be read.",
        ),
        (
            "backends = extended_status\npaste_file = /no/such\n",
            FAILURE,
            "[app:health] of {file} can never be well: The paste file "
            "/no/such cannot be read: No such file or directory: mend it, or "
            "name another one.",
        ),
        (
            "backends = extended_status\noslo_config_project = x\n"
            "oslo_config_file = {own}\n",
            SUCCESS,
            "[app:health] of {file} asks whether records can be read.",
        ),
        (
            # The configuration file's stand for it.
            "detailed = true\n",
            SUCCESS,
            "[app:health] of {file} asks whether records can be read.",
        ),
        (
            "backend = extended_status\nbackends = disable_by_file\n",
            FAILURE,
            "[app:health] of {file} has an option backend, which there is not "
            "(is backends meant?): correct it. [app:health] of {file} does "
            "not ask whether records can be read: add extended_status to "
            "backends, if it should.",
        ),
        (
            "backends = extended_staus\n",
            FAILURE,
            "[app:health] of {file} names the backend extended_staus, which "
            "is not installed (is extended_status meant?), and so is always "
            "well: correct backends. [app:health] of {file} does not ask "
            "whether records can be read: add extended_status to backends, if "
            "it should.",
        ),
        (
            "backends = extended_status\napi_conection = x\nsome_path = y\n",
            FAILURE,
            "[app:health] of {file} has an option api_conection, which there "
            "is not (is api_connection meant?): correct it. [app:health] of "
            "{file} asks whether records can be read.",
        ),
    ],
)
def test_health_checks_are_judged(
    site: Site, sqlite: Database, section: str, result: Code, details: str
) -> None:
    own = site.directory / "own.conf"
    own.write_text(f"[extended_status]\nconnection = {sqlite.url}\n")
    site.configure(
        f"connection = {sqlite.url}",
        more="[healthcheck]\nbackends = extended_status",
    )
    factory = "paste.app_factory = oslo_middleware:Healthcheck.app_factory"
    section = section.replace("{own}", str(own))
    more = f"[app:health]\n{factory}\n{section}" if section else ""
    site.paste.write_text(f"{USUAL}\n{more}")
    check = site.check()[1]["Health checks"]
    assert check == (result, details.format(file=site.paste))


@pytest.mark.parametrize(
    ("rules", "result", "details"),
    [
        ({RULE: "@"}, SUCCESS, f'{RULE} is "@" by {{file}}: everybody gets'),
        (
            {RULE: "role:x", f"{RULE}es": "!", "os_compute_api:servers": "!"},
            WARNING,
            f"{{file}} has a rule {RULE}es, which nothing asks for: is {RULE} "
            f'meant? {RULE} is "role:x" by {{file}}.',
        ),
        (
            {RULE: "rule:admin_ap"},
            FAILURE,
            f"The policy rule {RULE} in {{file}} rests on admin_ap, which is",
        ),
        (
            {RULE: "http://127.0.0.1:9/x"},
            WARNING,
            f"{RULE} asks another server, and each response waits for it up",
        ),
        (
            {"compute_extension:extended_status": "rule:admin_api"},
            WARNING,
            "{file} has a rule compute_extension:extended_status, which "
            f"nothing asks for: is {RULE} meant? {RULE} is",
        ),
        (
            {"os_compute_api:os-extended-volumes": "!"},
            SUCCESS,
            f'{RULE} is "@" by {{file}}: everybody gets states.',
        ),
    ],
)
def test_policy_is_judged(
    site: Site,
    sqlite: Database,
    rules: dict[str, str],
    result: Code,
    details: str,
) -> None:
    site.configure(f"connection = {sqlite.url}")
    file = site.directory / "policy.yaml"
    file.write_text(json.dumps(rules))
    check = site.check()[1]["Policy"]
    assert check.details.startswith(details.format(file=file))
    assert check.result == result


def test_check_that_raises_is_not_fine(
    site: Site, sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Any) -> Any:
        raise OSError("s3cret")

    site.configure(f"connection = {sqlite.url}")
    monkeypatch.setattr("nova_ext_sts.cmd.checks.Permission", broken)
    result, details = site.check()[1]["Policy"]
    assert result == WARNING
    assert details.startswith("Not checked: it raised ")


def test_statements_of_others_need_nothing_that_is_known() -> None:
    assert needed([("x", "SHOW TABLES"), ("x", "SELECT a FROM b")]) == {
        ("x", "b"): {"a"}
    }


def run(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            Path(sysconfig.get_path("scripts"), "nova-ext-sts-status"),
            *arguments,
            "upgrade",
            "check",
        ],
        capture_output=True,
        check=False,
        cwd=home,
        env={**os.environ, "HOME": str(home)},
        text=True,
    )


def test_nova_s_configuration_is_read_by_default(
    tmp_path: Path, sqlite: Database
) -> None:
    directory = tmp_path / ".nova"
    directory.mkdir()
    (directory / "nova.conf").write_text(
        f"[database]\nconnection = {sqlite.url}\n"
    )
    (directory / "api-paste.ini").write_text(USUAL)
    done = run(home=tmp_path)
    assert done.stderr == ""
    assert done.returncode == SUCCESS, done.stdout
    for title in TITLES:
        assert f"| Check: {title} " in done.stdout


def test_without_any_configuration_the_command_says_what_to_do(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    code, checks = site.check()
    assert code == FAILURE
    assert checks["Configuration"].details == (
        "No database is known that holds the instances: set connection in "
        "[extended_status], or [database] connection. No configuration file "
        "was read: name the service's with --config-file. "
        f"{UNSEEN}"
    )


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (None, "Failed to find some config files: {file}"),
        (
            b"[database]\nconnection s3cret\n",
            "{file} does not parse",
        ),
        (b"[x]\ny = Z\xfcrich\n", "it is not in UTF-8"),
        ("directory", "Is a directory: '{file}'"),
    ],
)
def test_configuration_file_that_cannot_be_read_is_told_of(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    written: Any,
    said: str,
) -> None:
    file = tmp_path / "site.conf"
    if written == "directory":
        file.mkdir()
    elif written is not None:
        file.write_bytes(written)
    done = run("--config-file", str(file), home=tmp_path)
    assert done.returncode == 255
    assert done.stdout == ""
    assert done.stderr.startswith("The configuration cannot be read: ")
    assert said.format(file=file) in done.stderr
    assert done.stderr.count("\n") == 1
    assert "s3cret" not in done.stderr
    arguments = ["--config-file", str(file), "upgrade", "check"]
    assert status.main(arguments, cfg.ConfigOpts()) == 255
    assert capsys.readouterr().err == done.stderr


def test_terminal_without_the_letters_of_a_name_is_no_trouble(
    tmp_path: Path, sqlite: Database
) -> None:
    file = tmp_path / "Z\u00fcrich.conf"
    file.write_text(f"[extended_status]\nconnection = {sqlite.url}\n")
    done = subprocess.run(
        [
            Path(sysconfig.get_path("scripts"), "nova-ext-sts-status"),
            *("--config-file", file, "upgrade", "check"),
        ],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == WARNING
    assert rb"Z\xfcrich.conf" in done.stdout
