"""The policy: which callers get states.

``tests/nova`` has Nova's own rules, contexts and tokens.
"""

import json
import os
import subprocess
import sysconfig
import threading
import time
from pathlib import Path

import pytest
from oslo_config import cfg
from oslo_context import context as oslo_context
from oslo_context.context import RequestContext

from nova_ext_sts import policy
from nova_ext_sts.policy import RULE
from tests.support.applications import answering, filtered

LIST = b'{"servers": [{"id": "a"}]}'
STATES = b'"OS-EXT-STS:'

#: What keystonemiddleware adds to the environ, besides the token's headers.
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


@pytest.fixture(autouse=True)
def _reload_on_every_request(monkeypatch):
    monkeypatch.setattr(policy, "RELOAD_INTERVAL", 0)


class Site:
    """A service with its own configuration and policy."""

    def __init__(self, directory, connection):
        self.directory = directory
        self.requests = []
        self._connection = connection
        self._mtime = int(time.time())
        self.configure("")

    def configure(self, text):
        (self.directory / "nova.conf").write_text(text)

    def write(self, text, name="policy.yaml"):
        """Replace a policy file; oslo.policy compares its mtime."""
        new = self.directory / "new"
        new.write_text(text)
        self._mtime += 1
        os.utime(new, (self._mtime, self._mtime))
        new.replace(self.directory / name)

    def rule(self, check, **others):
        self.write(json.dumps({RULE: check, **others}))

    def client(self, body=LIST, **options):
        options = {
            "oslo_config_project": "nova-ext-sts-tests",
            "oslo_config_file": str(self.directory / "nova.conf"),
            "connection": self._connection,
            **options,
        }
        return filtered(answering(body, asked=self.requests), **options)


@pytest.fixture
def site(connection, tmp_path):
    directory = tmp_path / ".nova"
    directory.mkdir()
    return Site(directory, connection)


def sees(client, **environ):
    return STATES in client.get("/v2.1/servers", **environ).body


def test_everybody_gets_states_without_configuration_files(
    connection, monkeypatch
):
    monkeypatch.setattr(cfg, "CONF", cfg.ConfigOpts())
    assert sees(filtered(answering(LIST), connection=connection))


@pytest.mark.parametrize("body", [LIST, b'{"servers": '])
def test_denied_request_passes_unchanged_without_a_lookup(site, body):
    site.rule("!")
    client = site.client(
        body, connection="sqlite:////no/such/file", on_error="fail"
    )
    for path in ("/servers", "/servers/detail", "/servers/a"):
        response = client.get(path, HTTP_IF_NONE_MATCH="x")
        assert response.status == "200 OK"
        assert response.body == body
        assert site.requests[-1]["HTTP_IF_NONE_MATCH"] == "x"


def test_denied_caller_gets_the_extensions_entry(site):
    site.rule("!")
    response = site.client(b'{"extensions": []}').get("/v2.1/extensions")
    assert b'"OS-EXT-STS"' in response.body


#: Headers of clients that keystonemiddleware has not confirmed.
UNCONFIRMED: list[dict[str, object]] = [
    {},
    {**ADMIN, "HTTP_X_IDENTITY_STATUS": "Confirmed"},
    {**CONFIRMED, **ADMIN, "HTTP_X_IDENTITY_STATUS": "Invalid"},
]


@pytest.mark.parametrize(
    ("check", "admin", "reader", "others"),
    [
        ("@", True, True, True),
        ("role:admin", True, False, False),
        ("is_admin:True", True, False, False),
        ("rule:context_is_admin", True, False, False),
        ("rule:admin_api", True, False, False),
        ("rule:admin_or_owner", True, True, False),
        ("user_id:%(user_id)s", True, True, False),
        ("not role:admin", False, True, True),
    ],
)
def test_rule_is_checked_with_the_callers_credentials(
    site, check, admin, reader, others
):
    site.rule(check)
    client = site.client()
    assert sees(client, **CONFIRMED, **ADMIN) is admin
    assert sees(client, **CONFIRMED, **READER) is reader
    for claimed in UNCONFIRMED:
        assert sees(client, **claimed) is others


def test_caller_without_a_project_owns_nothing(site):
    site.rule("project_id:%(project_id)s")
    caller = {**CONFIRMED, "HTTP_X_USER_ID": "u", "HTTP_X_ROLES": "reader"}
    assert not sees(site.client(), **caller)


def test_nova_context_takes_precedence_over_headers(site):
    context = RequestContext(
        user_id="u", project_id="p", roles=["reader"], overwrite=False
    )
    environ = {"nova.context": context, **CONFIRMED, **ADMIN}
    site.rule("role:admin")
    client = site.client()
    assert not sees(client, **environ)
    site.rule("role:reader and project_id:p")
    assert sees(client, **environ)


def test_check_keeps_the_context_of_the_thread(site):
    site.rule("role:reader")
    before = oslo_context.get_current()
    assert sees(site.client(), **CONFIRMED, **READER)
    assert oslo_context.get_current() is before


def test_policy_file_can_redefine_the_base_rules(site):
    site.rule("is_admin:True", context_is_admin="role:reader")
    assert sees(site.client(), **CONFIRMED, **READER)


@pytest.mark.parametrize(
    ("name", "configuration"),
    [
        ("policy.yaml", ""),
        ("policy.d/rule.yaml", ""),
        ("rules.yaml", "[oslo_policy]\npolicy_file = rules.yaml\n"),
    ],
)
def test_changed_policy_is_loaded(site, name, configuration):
    site.configure(configuration)
    (site.directory / "policy.d").mkdir()
    client = site.client()
    assert sees(client)
    for check, seen in (("!", False), ("@", True), ("role:x", False)):
        site.write(json.dumps({RULE: check}), name)
        assert sees(client) is seen


def test_removed_policy_file_is_loaded_when_it_returns(site, caplog):
    site.rule("!")
    client = site.client()
    assert not sees(client)
    file = site.directory / "policy.yaml"
    away = file.rename(site.directory / "away")
    assert sees(client)
    # With the same modification time.
    away.rename(file)
    assert not sees(client)
    assert "not found" not in caplog.text


def test_policy_is_not_reloaded_within_the_interval(site, monkeypatch):
    client = site.client()
    site.rule("!")
    for interval, seen in ((3600, True), (0, False)):
        monkeypatch.setattr(policy, "RELOAD_INTERVAL", interval)
        assert sees(client) is seen


def test_former_rules_are_used_while_another_thread_loads(site):
    site.rule("role:reader")
    (site.directory / "policy.d").mkdir()
    site.write(json.dumps({RULE: "!"}), "policy.d/1.yaml")
    client = site.client()
    # A pipe suspends the load between the two files.
    pipe = site.directory / "policy.d" / "0.yaml"
    os.mkfifo(pipe)
    os.utime(pipe, (2**31, 2**31))
    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(sees(client, **CONFIRMED, **READER)),
        daemon=True,
    )
    thread.start()
    # open() returns when the other thread reads the pipe.
    with pipe.open("w") as writer:
        assert not sees(client, **CONFIRMED, **READER)
        writer.write("{}")
    thread.join(10)
    assert answers == [False]


@pytest.mark.parametrize(
    ("fault", "keyword"),
    [("invalid file", "loaded"), ("invalid context", "AttributeError")],
)
def test_error_denies_and_is_logged_once(site, caplog, fault, keyword):
    site.rule("not role:x")
    client = site.client()
    for number in (1, 2):
        environ = {**CONFIRMED, **ADMIN}
        if fault == "invalid file":
            site.write(f'"x{number}": [')
        else:
            environ = {"nova.context": "not a context"}
        for _ in range(3):
            assert not sees(client, **environ)
        messages = [
            record.getMessage()
            for record in caplog.records
            if record.name == "nova_ext_sts.policy"
        ]
        assert len(messages) == number
        assert keyword in messages[-1]
        site.rule("not role:x")
        assert sees(client)


@pytest.mark.parametrize(
    ("tool", "check", "code", "output"),
    [
        ("sample-generator", "@", 0, f'#"{RULE}": "@"\n'),
        ("policy-generator", "role:x", 0, f'"{RULE}": "role:x"\n'),
        ("list-redundant", "@", 0, f'"{RULE}": "@"\n'),
        ("validator", "@", 0, ""),
        ("validator", "rule:admin_ap", 1, RULE),
    ],
)
def test_tools_of_oslo_policy_know_the_rule(site, tool, check, code, output):
    site.rule(check)
    command = Path(sysconfig.get_path("scripts"), f"oslopolicy-{tool}")
    done = subprocess.run(
        [command, "--namespace", "nova-ext-sts"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=site.directory,
        # By itself it reads ~/.nova/nova.conf.
        env={**os.environ, "HOME": str(site.directory.parent)},
        text=True,
    )
    assert done.returncode == code
    assert output in done.stdout
