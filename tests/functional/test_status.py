"""The command ``nova-ext-sts-status upgrade check``."""

import json
import os
import subprocess
import sysconfig
from pathlib import Path

import pytest
from oslo_config import cfg
from oslo_upgradecheck.upgradecheck import Code

from nova_ext_sts.cmd import status
from nova_ext_sts.policy import RULE
from tests.functional.conftest import raising
from tests.support.checks import TITLES, run
from tests.support.databases import PSYCOPG, SERVERS

SUCCESS, WARNING, FAILURE = Code

FILTER = "paste.filter_factory = nova_ext_sts:filter_factory"
NOVAS = "paste.app_factory = nova.api.openstack.compute:APIRouterV21.factory"
#: A shortened copy of Nova's paste file; {} is a pipeline.
PASTE = f"""\
[filter:faultwrap]
paste.filter_factory = nova.api.openstack:FaultWrapper.factory
[filter:sts]
{FILTER}
[app:api]
use = router
[app:router]
{NOVAS}
[composite:v21]
use = call:nova.api.auth:pipeline_factory_v21
keystone = {{}}
"""
USUAL = PASTE.format("faultwrap sts api")


class Site:
    """A site's configuration."""

    def __init__(self, directory):
        self.directory = directory
        self.file = directory / "site.conf"
        self.paste = directory / "api-paste.ini"
        self.paste.write_text(USUAL)

    def configure(self, *lines):
        """Write the configuration file, from [extended_status] on."""
        text = "\n".join(["[extended_status]", *lines, ""])
        self.file.write_text(text.replace("$", "$$"))

    def check(self, *arguments):
        if self.file.exists():
            arguments = ("--config-file", self.file, *arguments)
        return run(*arguments)

    def expect(self, title, result, *keywords):
        """Run the command; return the details of one check."""
        check = self.check()[1][title]
        assert check.result == result, check
        for keyword in keywords:
            assert keyword in check.details
        return check.details


@pytest.fixture
def site(tmp_path):
    directory = tmp_path / "etc"
    directory.mkdir()
    return Site(directory)


def test_default_site_has_no_warning(site, cells):
    site.configure("[api_database]", f"connection = {cells.api.url}")
    code, checks = site.check()
    assert code == SUCCESS, checks
    assert "cells" in checks["Configuration"].details
    for name in ("API database", "cell cell0", "cell cell1"):
        assert f"The {name} (" in checks["Databases"].details
    assert "2 of 2 cells" in checks["Cells"].details
    assert "everybody" in checks["Policy"].details
    assert str(site.paste) in checks["Pipeline"].details


@pytest.mark.parametrize("system", SERVERS)
def test_missing_privilege_is_a_failure_that_names_the_columns(
    site, reader, new_database
):
    database = new_database()
    site.configure(f"connection = {reader.url(database)}")
    reader.may_read(database, "instances")
    site.expect("Databases", SUCCESS)
    database.execute(
        f"REVOKE SELECT (power_state) ON instances FROM {reader.name}"
    )
    details = site.expect(
        "Databases", FAILURE, "SELECT on instances (uuid, vm_state, task_state"
    )
    assert "URL" not in details
    assert reader.name not in details
    # MySQL denies the database (error 1044), PostgreSQL the table.
    site.configure(f"connection = {reader.url(new_database())}")
    site.expect("Databases", FAILURE, "SELECT on instances")


@pytest.mark.parametrize("system", SERVERS)
def test_cell_connection_is_an_alternative_to_the_column_of_urls(
    site, reader, cells
):
    reader.may_read(cells.api, "api")
    site.configure(f"api_connection = {reader.url(cells.api)}")
    site.expect("Databases", FAILURE, "connection)", "set cell_connection")


def test_missing_column_is_a_failure(site, database):
    site.configure(f"connection = {database.url}")
    database.execute("ALTER TABLE instances DROP COLUMN power_state")
    details = site.expect("Databases", FAILURE, "nova-manage", "power_state")
    assert "URL" not in details


@pytest.mark.parametrize(
    ("option", "url"),
    [
        ("connection", "sqlite:////no/such/file"),
        ("connection", "mysql+pymysql://u:s3cret@127.0.0.1:1/x"),
        ("connection", "mysql+pymysql://u@127.0.0.1:1/x?nosuch=1"),
        ("api_connection", f"postgresql+{PSYCOPG}://u@127.0.0.1:1/x"),
    ],
)
def test_database_that_cannot_be_connected_to_names_the_option(
    site, option, url
):
    site.configure(f"{option} = {url}")
    site.expect("Databases", FAILURE, f"URL (option {option})")


@pytest.mark.parametrize("system", SERVERS)
def test_reachable_server_is_not_a_fault_of_the_url(site, database):
    # There is no such user, or no such database.
    url = database.url.replace("root@", "nobody:s3cret@")
    site.configure(f"connection = {url}x")
    assert "URL" not in site.expect("Databases", FAILURE)


@pytest.mark.parametrize("system", ["sqlite"])
def test_each_cell_that_cannot_be_read_is_a_failure(site, cells):
    cells.add_cell(3, "down", "sqlite:////no/such/file")
    cells.add_cell(4, "odd\n", "{scheme}://{port}:s3cret@x/y")
    site.configure(
        f"api_connection = {cells.api.url}", "cell_connection = gone=sqlite://"
    )
    site.expect("Cells", FAILURE, "2 of 4 cells", "cell down", "cell odd\\n")
    site.expect("Databases", FAILURE, "cell down", "Cell odd", "Cell gone")
    cells.api.execute("DELETE FROM cell_mappings")
    site.expect("Cells", FAILURE, "nova-manage")


@pytest.mark.parametrize(
    ("option", "keyword"),
    [
        ("calls = lits", "option calls"),
        ("record_source = cels", "option record_source"),
        ("connection = mysql+pymysql://u:s3cret@h:x/x", "(connection)"),
    ],
)
def test_invalid_option_is_a_failure(site, option, keyword):
    site.configure(option)
    site.expect("Configuration", FAILURE, keyword)
    site.expect("Databases", WARNING, "Not checked")
    site.expect("Cells", WARNING, "Not checked")


def test_unknown_option_has_a_suggestion(site, sqlite):
    more = site.directory / "conf.d" / "more.conf"
    more.parent.mkdir()
    more.write_text("[extended_status]\nzzz = 1\ntimeot = 2\n")
    site.configure(f"connection = {sqlite.url}", "max_conections = 3")
    _, checks = site.check("--config-dir", more.parent)
    result, details = checks["Configuration"]
    assert result == FAILURE
    for keyword in ("write max_connections", f"{more}: write timeout", "zzz"):
        assert keyword in details


def test_options_in_the_filters_section_apply(site, sqlite):
    other = site.directory / "other.conf"
    other.write_text(f"[extended_status]\nconnection = {sqlite.url}\nzz = 1")
    site.paste.write_text(
        f"{USUAL}\n[filter:one]\n{FILTER}\nconnection = sqlite:////no/such\n"
        "[filter:two]\nuse = one\noslo_config_project = x\n"
        f"oslo_config_file = {other}\nconnection = {sqlite.url}\n"
    )
    _, checks = site.check("--paste-file", site.paste)
    # The first has no database.
    for keyword in ("[filter:sts]: ", "No configuration file", str(other)):
        assert keyword in checks["Configuration"].details
    for keyword in ("/no/such) cannot be", f"({sqlite.url}) can be"):
        assert keyword in checks["Databases"].details


@pytest.mark.parametrize(
    ("section", "keyword"),
    [
        (f"{FILTER}\ntimeout = soon", "option timeout"),
        (f"{FILTER}\nconnection = x://u:p%40s3cret@h/x", "%%"),
        (f"{FILTER}\noslo_config_project = x\noslo_config_file = /no", "/no"),
        ("paste.filter_factory = nova_ext_sts:factry", "filter_factory"),
    ],
)
def test_invalid_filter_section_is_a_failure(site, section, keyword):
    site.paste.write_text(USUAL.replace(FILTER, section))
    site.configure("connection = sqlite://")
    site.expect("Configuration", FAILURE, "[filter:sts]: ", keyword)


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        (b"s3cret\n", "line 1"),
        (b"[filter:x]\na=1\n s3cret\nb s3cret\n", "line 4"),
        (b"[filter:x]\na = 1\na = s3cret\n", "line 3"),
        (b"[pipeline:x]\npipeline = %s3cret\n", "pipeline of [pipeline:x]"),
        (b"\xff", "utf-8"),
        (None, "No such file"),
    ],
)
def test_unreadable_paste_file_is_a_failure(site, sqlite, text, keyword):
    if text is None:
        site.paste.unlink()
    else:
        site.paste.write_bytes(text)
    site.configure(f"connection = {sqlite.url}")
    _, checks = site.check("--paste-file", site.paste)
    assert checks["Configuration"].result == FAILURE
    assert str(site.paste) in checks["Configuration"].details
    assert keyword in checks["Configuration"].details
    assert checks["Databases"].result == SUCCESS
    assert checks["Pipeline"].result == WARNING


@pytest.mark.parametrize(
    ("paste", "result", "keyword"),
    [
        (USUAL, SUCCESS, "[composite:v21] keystone"),
        (PASTE.format("egg:nova-ext-sts#extended_status api"), SUCCESS, ""),
        (f"{USUAL}noauth2 = faultwrap api\n", SUCCESS, "keystone"),
        (f"[pipeline:p]\npipeline = f x\n[filter:f]\n{FILTER}", SUCCESS, "p]"),
        (f"{USUAL}[pipeline:p]\npipeline =\n", SUCCESS, "keystone"),
        (USUAL.replace("nova_ext_sts:", "other:"), FAILURE, "No section"),
        (PASTE.format("faultwrap api"), FAILURE, "No pipeline"),
        (PASTE.format("stss api"), FAILURE, "keystone lacks"),
        (PASTE.format("sts faultwrap api"), WARNING, "faultwrap comes after"),
        (f"{USUAL}[pipeline:p]\npipeline = api\n", WARNING, "p] lacks"),
    ],
)
def test_pipelines_are_checked(site, sqlite, paste, result, keyword):
    site.paste.write_text(paste)
    site.configure(f"connection = {sqlite.url}")
    site.expect("Pipeline", result, keyword)


@pytest.mark.parametrize(
    ("rules", "result", "keyword"),
    [
        ({RULE: "@"}, SUCCESS, "everybody"),
        ({RULE: "role:x", f"{RULE}es": "!"}, WARNING, f"{RULE}es"),
        ({RULE: "rule:admin_ap"}, WARNING, "undefined"),
        ({RULE: "rule admin"}, FAILURE, "parsed"),
        ({"compute_extension:extended_status": "!"}, WARNING, "no effect"),
        ({"os_compute_api:os-extended-volumes": "!"}, SUCCESS, "everybody"),
    ],
)
def test_policy_is_checked(site, rules, result, keyword):
    site.configure()
    (site.directory / "policy.yaml").write_text(json.dumps(rules))
    site.expect("Policy", result, keyword)


@pytest.mark.parametrize(
    ("init", "result", "keyword"),
    [
        (lambda settings: None, SUCCESS, "Records"),
        (raising(OSError("s3cret")), WARNING, "Not checked: OSError"),
    ],
)
def test_plugin_is_checked(site, plugin, init, result, keyword):
    plugin(lambda ids: {}, init)
    site.configure("record_source = plugin")
    site.expect("Databases", result, keyword)


def test_missing_files_have_their_option_named(site, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    site.expect("Configuration", FAILURE, "--config-file")
    site.expect("Pipeline", WARNING, "--paste-file")


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        (b"[database]\nconnection s3cret\n", "does not parse"),
        (b"[x]\ny = Z\xfcrich\n", "UTF-8"),
        (None, "Failed to find"),
    ],
)
def test_unreadable_configuration_ends_the_command(
    site, capsys, text, keyword
):
    if text is not None:
        site.file.write_bytes(text)
    arguments = ["--config-file", str(site.file), "upgrade", "check"]
    assert status.main(arguments, cfg.ConfigOpts()) == 255
    out, err = capsys.readouterr()
    assert out == ""
    assert keyword in err
    assert "s3cret" not in err


def test_command_reads_novas_configuration_by_default(tmp_path, sqlite):
    home = tmp_path / "Z\u00fcrich"
    (home / ".nova").mkdir(parents=True)
    (home / ".nova" / "nova.conf").write_text(
        f"[database]\nconnection = {sqlite.url}\n"
    )
    (home / ".nova" / "api-paste.ini").write_text(USUAL)
    command = Path(sysconfig.get_path("scripts"), "nova-ext-sts-status")
    done = subprocess.run(
        [command, "upgrade", "check"],
        capture_output=True,
        check=False,
        env={**os.environ, "HOME": str(home), "PYTHONIOENCODING": "ascii"},
        text=True,
    )
    assert done.stderr == ""
    assert done.returncode == SUCCESS, done.stdout
    for text in ("Z\\xfcrich", *(f"| Check: {title} " for title in TITLES)):
        assert text in done.stdout
