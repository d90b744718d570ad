"""Who may see states: the policy, and the callers that it knows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from oslo_config import cfg
from oslo_context import context as oslo_context
from oslo_context.context import RequestContext

from nova_ext_sts import ExtendedStatus, filter_factory, policies
from nova_ext_sts.opts import GROUP, OPTS
from tests.support.applications import Client, answering

if TYPE_CHECKING:
    from tests.support.databases import Database

RULE = policies.RULE
LIST = b'{"servers": [{"id": "a"}]}'
EXTENDED_LIST = (
    b'{"servers": [{"id": "a", "OS-EXT-STS:vm_state": "active", '
    b'"OS-EXT-STS:task_state": null, "OS-EXT-STS:power_state": 1}]}'
)

#: What keystonemiddleware puts into the environ, beside the token's headers.
CONFIRMED = {
    "keystone.token_auth": object(),
    "HTTP_X_IDENTITY_STATUS": "Confirmed",
}
READER = {
    "HTTP_X_USER_ID": "user",
    "HTTP_X_PROJECT_ID": "project",
    "HTTP_X_ROLES": "reader",
}
ADMIN = {**READER, "HTTP_X_ROLES": "reader,admin"}


class Site:
    """A service with a configuration and a policy of its own."""

    def __init__(self, directory: Path, connection: str) -> None:
        self.file = directory / "policy.yaml"
        self.asked: list[dict[str, Any]] = []
        self._directory = directory
        self.connection = connection
        self.configure("")

    def configure(self, text: str) -> None:
        (self._directory / "site.conf").write_text(text)

    def rule(self, check: str, **others: str) -> None:
        """Write the policy file."""
        rules = {RULE: check, **others}
        self.file.write_text(
            "".join(
                f"{json.dumps(name)}: {json.dumps(rule)}\n"
                for name, rule in rules.items()
            )
        )

    def client(self, body: bytes = LIST, **options: Any) -> Client:
        application = answering(body, asked=self.asked)
        return Client(
            filter_factory(
                {},
                oslo_config_project="nova-ext-sts-tests",
                oslo_config_file=str(self._directory / "site.conf"),
                **{"connection": self.connection, **options},
            )(application)
        )


@pytest.fixture
def site(sqlite: Database, tmp_path: Path) -> Site:
    sqlite.insert_instances([("a", "active", None, 1)])
    directory = tmp_path / "etc"
    directory.mkdir()
    return Site(directory, sqlite.url)


def sees(client: Client, **environ: Any) -> bool:
    body = client.get("/v2.1/servers", **environ).body
    assert body in (LIST, EXTENDED_LIST)
    return body == EXTENDED_LIST


def test_everybody_sees_states_by_default(site: Site) -> None:
    assert sees(site.client())


def test_denied_caller_gets_what_the_application_says(site: Site) -> None:
    site.rule("!")
    given = EXTENDED_LIST.replace(b"active", b"said")
    # One that cannot be read: nothing is looked up.
    absent = {"connection": "sqlite:////no/such/file", "on_error": "fail"}
    for body in (LIST, given, b'{"servers": '):
        client = site.client(body, overwrite=True, **absent)
        for path in ("/servers", "/servers/detail", "/servers/a"):
            response = client.get(path, HTTP_IF_NONE_MATCH="x")
            assert response.status == "200 OK"
            assert response.body == body
            # Not even the request is another.
            assert site.asked[-1]["HTTP_IF_NONE_MATCH"] == "x"


def test_extension_is_announced_to_all(site: Site) -> None:
    site.rule("!")
    response = site.client(b'{"extensions": []}').get("/v2.1/extensions")
    assert b'"OS-EXT-STS"' in response.body


@pytest.mark.parametrize(
    ("check", "admin", "reader", "nobody"),
    [
        ("@", True, True, True),
        ("", True, True, True),
        ("!", False, False, False),
        ("role:admin", True, False, False),
        ("is_admin:True", True, False, False),
        ("rule:context_is_admin", True, False, False),
        ("rule:admin_api", True, False, False),
        ("rule:admin_or_owner", True, True, False),
        ("rule:project_reader_api", True, True, False),
        ("rule:project_member_api", False, False, False),
        ("rule:project_member_or_admin", True, False, False),
        ("rule:project_reader_or_admin", True, True, False),
        ("rule:system_or_project_reader", True, True, False),
        ("rule:system_reader_api", False, False, False),
        ("rule:project_admin_api", True, False, False),
        ("rule:service_api", False, False, False),
        ("user_id:%(user_id)s", True, True, False),
        ("not role:admin", False, True, True),
    ],
)
def test_rule_decides_by_the_caller(
    site: Site, check: str, admin: bool, reader: bool, nobody: bool
) -> None:
    site.configure("[oslo_policy]\nenforce_new_defaults = true\n")
    site.rule(check)
    client = site.client()
    assert sees(client, **CONFIRMED, **ADMIN) is admin
    assert sees(client, **CONFIRMED, **READER) is reader
    assert sees(client) is nobody


def test_old_defaults_hold_where_nova_keeps_them(site: Site) -> None:
    site.rule("rule:project_member_api")
    for setting, expected in (("true", False), ("false", True)):
        site.configure(f"[oslo_policy]\nenforce_new_defaults = {setting}\n")
        # The owner has no member's role.
        assert sees(site.client(), **CONFIRMED, **READER) is expected


@pytest.mark.parametrize(
    "claimed",
    [
        ADMIN,
        {**ADMIN, "HTTP_X_IDENTITY_STATUS": "Confirmed"},
        {**ADMIN, **CONFIRMED, "HTTP_X_IDENTITY_STATUS": "Invalid"},
        {**ADMIN, "keystone.token_auth": object()},
    ],
)
def test_headers_that_nobody_has_confirmed_are_nobodys(
    site: Site, claimed: dict[str, Any]
) -> None:
    for check in ("role:admin", "rule:admin_or_owner", "role:reader"):
        site.rule(check)
        client = site.client()
        assert not sees(client, **claimed)
        assert sees(client, **{**claimed, **CONFIRMED})


def test_caller_without_a_project_owns_nothing(site: Site) -> None:
    site.rule("project_id:%(project_id)s")
    caller = {**CONFIRMED, "HTTP_X_USER_ID": "u", "HTTP_X_ROLES": "reader"}
    assert not sees(site.client(), **caller)


def test_context_comes_before_headers(site: Site) -> None:
    context = RequestContext(
        user_id="u", project_id="p", roles=["reader"], overwrite=False
    )
    site.rule("role:admin")
    assert not sees(
        site.client(), **{"nova.context": context}, **CONFIRMED, **ADMIN
    )
    site.rule("role:reader and project_id:p")
    assert sees(site.client(), **{"nova.context": context})


def test_caller_does_not_become_the_threads_context(site: Site) -> None:
    site.rule("role:reader")
    before = oslo_context.get_current()
    assert sees(site.client(), **CONFIRMED, **READER)
    assert oslo_context.get_current() is before


def test_administrator_is_whom_the_policy_says(site: Site) -> None:
    site.rule("is_admin:True", context_is_admin="role:reader")
    assert sees(site.client(), **CONFIRMED, **READER)


def test_changed_file_is_noticed(site: Site) -> None:
    client = site.client()
    assert sees(client)
    for check, expected in [("!", False), ("@", True), ("role:x", False)]:
        site.rule(check)
        assert sees(client) is expected
    site.file.unlink()
    assert sees(client)
    # As an editor writes it, in one step.
    new = site.file.with_name("new")
    new.write_text(json.dumps({RULE: "!"}))
    os.replace(new, site.file)
    assert not sees(client)


def test_directory_of_policies_is_noticed(site: Site) -> None:
    client = site.client()
    directory = site.file.parent / "policy.d"
    directory.mkdir()
    assert sees(client)
    one = directory / "one.yaml"
    one.write_text(json.dumps({RULE: "!"}))
    assert not sees(client)
    one.write_text(json.dumps({RULE: "@"}))
    assert sees(client)


def test_file_beside_it_changes_nothing(site: Site) -> None:
    site.rule("!")
    client: Any = site.client()
    permission = client._application._permission
    assert not sees(client)
    before = permission.policy.enforcer
    (site.file.parent / "other").write_text("")
    assert not sees(client)
    assert permission.policy.enforcer is before


def test_file_named_with_its_path_is_read(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / "rules.json"
    site.configure(f"[oslo_policy]\npolicy_file = {file}\n")
    client = site.client()
    assert sees(client)
    file.parent.mkdir()
    file.write_text(json.dumps({RULE: "!"}))
    assert not sees(client)
    shutil.rmtree(file.parent)
    assert sees(client)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "nova_ext_sts.permission"
    ]


def test_file_that_is_not_there_is_told(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.configure("[oslo_policy]\npolicy_file = polcy.yaml\n")
    client = site.client()
    assert sees(client)
    assert warnings(caplog) == [
        "There is no polcy.yaml, which policy_file of [oslo_policy] names, so "
        "that its rules do not hold: correct the name, or make it."
    ]


def test_file_that_cannot_be_read_denies_and_is_told_once(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.file.write_text('"x": [\n')
    client = site.client()
    for _ in range(3):
        assert not sees(client, **CONFIRMED, **ADMIN)
    (warning,) = warnings(caplog)
    assert warning.startswith(
        f"The policy in {site.file} cannot be read, so that nobody gets "
        "states: mend it, or take it away ("
    )
    site.rule("@")
    assert sees(client)
    site.file.write_text('"x": {\n')
    assert not sees(client)
    assert len(warnings(caplog)) == 2


def test_rule_that_names_what_cannot_be_denies_and_is_told(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.rule(
        "role:x or not (rule:admin_or_ownr and rule:mine) or rule:mine",
        mine="rule:admin_api and rule:yours",
        yours="rule:mine or rule:admin_or_ownr",
        other="rule:unknown",
    )
    assert not sees(site.client(), **CONFIRMED, **ADMIN)
    assert warnings(caplog) == [
        f"The policy rule {RULE} in {site.file} rests on admin_or_ownr, which "
        "is no rule there nor a base rule of Nova's, mine, which leads back "
        "to itself, so that nobody gets states: correct it."
    ]


@pytest.mark.parametrize("check", ["admin", "role:admin or", "is_admin=True"])
def test_rule_that_does_not_parse_denies_and_is_told(
    site: Site, caplog: pytest.LogCaptureFixture, check: str
) -> None:
    site.rule("not rule:mine", mine=check)
    assert not sees(site.client(), **CONFIRMED, **ADMIN)
    assert warnings(caplog) == [
        f'The policy rule {RULE} in {site.file} rests on mine ("{check}"), '
        "which does not parse, so that nobody gets states: correct it."
    ]


def test_directory_that_cannot_be_listed_denies_and_is_told(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    client = site.client()
    directory = site.file.parent / "policy.d"
    directory.mkdir()
    assert sees(client)
    listed = os.listdir

    def refused(path: str) -> list[str]:
        # Root may list every directory.
        if path == str(directory):
            raise PermissionError(13, "Permission denied", path)
        return listed(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "listdir", refused)
        (directory / "one.yaml").write_text("{}")
        for _ in range(2):
            assert not sees(client, **CONFIRMED, **ADMIN)
        assert not sees(site.client())
    message = (
        f"The policy file or directory {directory} cannot be read "
        "(Permission denied), so that nobody gets states: let the service's "
        "user read it."
    )
    # Once for each of the two.
    assert warnings(caplog) == [message, message]
    assert sees(client)


def test_file_that_cannot_be_opened_denies(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.file.symlink_to("absent.yaml")
    client = site.client()
    for _ in range(2):
        assert not sees(client)
    (message,) = warnings(caplog)
    assert message == (
        f"The policy file or directory {site.file} cannot be read (No such "
        "file or directory), so that nobody gets states: let the service's "
        "user read it."
    )
    target = site.file.with_name("absent.yaml")
    target.write_text(json.dumps({RULE: "role:reader"}))
    assert not sees(client)
    assert sees(client, **CONFIRMED, **READER)
    # Away for a moment, and back.
    target.rename(target.with_name("away"))
    assert not sees(client, **CONFIRMED, **READER)
    target.with_name("away").rename(target)
    assert sees(client, **CONFIRMED, **READER)
    opened = open
    site.file.unlink()

    def refused(file: Any, *arguments: Any, **options: Any) -> Any:
        if file == str(site.file):
            raise OSError(24, "Too many open files", file)
        return opened(file, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.open", refused)
        target.rename(site.file)
        assert not sees(client, **CONFIRMED, **READER)
    assert sees(client, **CONFIRMED, **READER)


def test_change_within_the_same_time_and_size_is_noticed(site: Site) -> None:
    site.rule("@")
    client = site.client()
    before = site.file.stat()
    assert sees(client)
    site.rule("!")
    os.utime(site.file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert site.file.stat().st_size == before.st_size
    assert not sees(client)


def test_directory_of_configurations_is_a_place(
    site: Site, tmp_path: Path
) -> None:
    directory = tmp_path / "conf.d"
    directory.mkdir()
    conf = cfg.ConfigOpts()
    conf(["--config-dir", str(directory)], project="nova-ext-sts-tests")
    conf.register_opts(OPTS, group=GROUP)
    conf.set_override("connection", site.connection, group=GROUP)
    client = Client(ExtendedStatus(answering(LIST), conf))
    assert sees(client)
    (directory / "policy.yaml").write_text(json.dumps({RULE: "!"}))
    assert not sees(client)


def test_place_in_the_home_is_watched(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    directory = tmp_path / ".nova-ext-sts-tests"
    directory.mkdir()
    client = site.client()
    assert sees(client)
    (directory / "policy.yaml").write_text(json.dumps({RULE: "!"}))
    assert not sees(client)


def test_name_with_a_directory_in_it_is_watched(site: Site) -> None:
    (site.file.parent / "sub").mkdir()
    site.configure("[oslo_policy]\npolicy_file = sub/rules.yaml\n")
    client = site.client()
    assert sees(client)
    file = site.file.parent / "sub" / "rules.yaml"
    file.write_text(json.dumps({RULE: "!"}))
    assert not sees(client)


@pytest.mark.parametrize("text", ["!", "null", "false", "{}", "1"])
def test_rule_without_a_text_denies_and_is_told(
    site: Site, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    site.file.write_text(f'"{RULE}": {text}\n')
    assert not sees(site.client(), **CONFIRMED, **ADMIN)
    (message,) = warnings(caplog)
    assert "cannot be read" in message or (
        f"rests on {RULE}, which has no text as its check, so that nobody"
        in message
    )


def test_nova_s_own_policy_gives_no_warning(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.rule(
        "rule:project_reader_or_admin",
        **{
            "os_compute_api:servers:index": "rule:some_rule_of_nova",
            "project_reader_api": "role:reader",
        },
    )
    assert sees(site.client(), **CONFIRMED, **READER)
    assert [
        record.getMessage()
        for record in caplog.records
        if record.levelname == "WARNING"
    ] == []


def test_policy_that_is_gone_is_told(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.rule("!")
    client = site.client()
    assert not sees(client)
    site.file.unlink()
    for _ in range(2):
        assert sees(client)
    assert warnings(caplog) == [
        f"The policy in {site.file} is gone, so that everybody gets states: "
        "write it again, if that is not meant."
    ]


def test_swapped_link_is_noticed(site: Site) -> None:
    """As containers have their configuration changed."""
    etc = site.file.parent
    for name, check in (("one", "!"), ("two", "@")):
        (etc / name).mkdir()
        (etc / name / "policy.yaml").write_text(json.dumps({RULE: check}))
    (etc / "data").symlink_to("one")
    site.file.symlink_to("data/policy.yaml")
    client = site.client()
    assert not sees(client)
    (etc / "new").symlink_to("two")
    os.replace(etc / "new", etc / "data")
    assert sees(client)


def test_late_thread_leaves_no_old_policy_in_force(site: Site) -> None:
    site.rule("@")
    client: Any = site.client()
    permission = client._application._permission
    old = permission.policy
    site.rule("!")
    assert not sees(client)
    # A thread that has read before the change, and comes after it.
    permission.policy = old
    assert not sees(client)


def test_user_without_a_home_loads_the_filter(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    site.rule("!")
    assert not sees(site.client())


def test_directories_that_are_named_and_absent_are_told(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.configure("[oslo_policy]\npolicy_dirs = polcy.d\n")
    site.rule("role:reader")
    assert sees(site.client(), **CONFIRMED, **READER)
    assert warnings(caplog) == [
        "There is no polcy.d, which policy_dirs of [oslo_policy] names, so "
        "that its rules do not hold: correct the name, or make it."
    ]


def test_rules_in_the_old_syntax_are_read(site: Site) -> None:
    for check, expected in ([["!"]], False), ([["role:x"], ["@"]], True):
        site.file.write_text(json.dumps({RULE: check}))
        assert sees(site.client()) is expected


def test_policy_is_checked_once_for_a_request(site: Site) -> None:
    site.rule("role:reader")
    counted: list[str] = []

    class Context(RequestContext):
        def to_policy_values(self) -> Any:
            counted.append("checked")
            return super().to_policy_values()

    environ: Any = {"nova.context": Context(roles=["reader"], overwrite=False)}
    body = b'{"servers": [{"id": "a"}, {"id": "b"}, {"id": "c"}]}'
    response = site.client(body).get("/servers", **environ)
    assert response.body.count(b"OS-EXT-STS:vm_state") == 1
    assert counted == ["checked"]


def test_default_rule_stands_for_unknown_ones(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.rule("rule:unknown", default="role:reader")
    assert sees(site.client(), **CONFIRMED, **READER)
    assert warnings(caplog) == []


def test_context_that_is_none_denies(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.rule("not role:x")
    client = site.client()
    for _ in range(3):
        assert not sees(client, **{"nova.context": "no context"})
    (warning,) = warnings(caplog)
    assert warning == (
        f"The policy rule {RULE} cannot be checked, which denies: it raised "
        "AttributeError."
    )


def test_service_without_configuration_files_has_no_policy_file(
    sqlite: Database,
) -> None:
    sqlite.insert_instances([("a", "active", None, 1)])
    extended = filter_factory({}, connection=sqlite.url)
    assert sees(Client(extended(answering(LIST))))


def test_service_without_a_project_has_its_policy_beside_its_configuration(
    site: Site, tmp_path: Path
) -> None:
    site.rule("!")
    conf = cfg.ConfigOpts()
    conf(["--config-file", str(tmp_path / "etc" / "site.conf")])
    conf.register_opts(OPTS, group=GROUP)
    conf.set_override("connection", "sqlite:////no/such", group=GROUP)
    assert not sees(Client(ExtendedStatus(answering(LIST), conf)))
    site.rule("@")
    conf.set_override("on_error", "fail", group=GROUP)
    client = Client(ExtendedStatus(answering(LIST), conf))
    assert client.get("/servers").status == "503 Service Unavailable"


def run(name: str, *arguments: object, cwd: Path) -> tuple[int, str]:
    """Run one of oslo.policy's tools, and return what it says."""
    result = subprocess.run(
        [
            Path(sysconfig.get_path("scripts"), name),
            *("--namespace", "nova-ext-sts"),
            *map(str, arguments),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env={**os.environ, "HOME": str(cwd)},
        text=True,
    )
    return result.returncode, result.stdout


def test_sample_of_the_policy_documents_the_rule(tmp_path: Path) -> None:
    code, sample = run("oslopolicy-sample-generator", cwd=tmp_path)
    assert code == 0
    assert f'#"{RULE}": "@"\n' in sample
    for path in ("", "/detail", "/{server_id}"):
        assert f"# GET  /servers{path}\n" in sample


def test_tools_read_the_policy_of_the_configuration(
    site: Site, tmp_path: Path
) -> None:
    site.rule("rule:mine", mine="role:x")
    file = ("--config-file", tmp_path / "etc" / "site.conf")
    site.configure(f"[oslo_policy]\npolicy_file = {site.file}\n")
    code, policy = run("oslopolicy-policy-generator", *file, cwd=tmp_path)
    assert code == 0
    assert f'"{RULE}": "rule:mine"' in policy
    assert run("oslopolicy-validator", *file, cwd=tmp_path) == (
        1,
        "Unknown rule found in policy file: mine\n",
    )
    site.rule("rule:admin_api")
    assert run("oslopolicy-validator", *file, cwd=tmp_path) == (0, "")
    site.rule("rule:admin_ap")
    code, said = run("oslopolicy-validator", *file, cwd=tmp_path)
    assert code == 1
    assert f"['{RULE}'] reference a rule that is not defined" in said


def test_tools_read_the_policy_of_nova_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    directory = tmp_path / ".nova"
    directory.mkdir()
    (directory / "nova.conf").write_text("[DEFAULT]\n")
    (directory / "policy.yaml").write_text(json.dumps({RULE: "role:x"}))
    code, policy = run("oslopolicy-policy-generator", cwd=tmp_path)
    assert code == 0
    assert f'"{RULE}": "role:x"' in policy
    # The same in this process: as a tool of no configuration files has it.
    monkeypatch.setattr(cfg, "CONF", cfg.ConfigOpts())
    cfg.CONF([], project="tool")
    enforcer = policies.get_enforcer()
    enforcer.load_rules()
    assert str(enforcer.rules[RULE]) == "role:x"
    assert policies.get_enforcer().conf.config_file == [
        str(directory / "nova.conf")
    ]
