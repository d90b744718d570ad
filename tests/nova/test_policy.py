"""The policy with Nova's own policy file, rules, contexts and tokens."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from nova_ext_sts import filter_factory, policy
from tests.nova.client import Api
from tests.nova.comparison import assert_same
from tests.nova.installation import ADMIN, SCRIPTS
from tests.nova.splices import states
from tests.support.applications import Client as PlainClient
from tests.support.applications import answering
from tests.support.checks import run

API = Api("2.96", "/v2.1", "2.96")
#: Nova hands an ordinary user's token on to Neutron.
READER = ADMIN | {"X-Roles": "reader", "X-Auth-Token": "token"}
MEMBER = READER | {"X-Roles": "member,reader"}
TOKEN = "token"  # noqa: S105


@pytest.fixture
def rule(nova, monkeypatch):
    """Write the rule into Nova's own policy file."""
    monkeypatch.setattr(policy, "RELOAD_INTERVAL", 0)
    file = nova.directory / "policy.yaml"

    def write(check):
        file.write_text(json.dumps({policy.RULE: check}))

    yield write
    # Nova with oslo.policy 4.3 fails if the file vanishes.
    file.write_text("{}")


@pytest.mark.parametrize(
    ("check", "admin", "member", "reader"),
    [
        ("@", True, True, True),
        ("!", False, False, False),
        ("is_admin:True", True, False, False),
        ("rule:context_is_admin", True, False, False),
        ("rule:project_member_or_admin", True, True, False),
        (
            "rule:os_compute_api:os-extended-server-attributes",
            True,
            False,
            False,
        ),
        ("rule:project_reader_or_admin", True, True, True),
        ("rule:admin_or_owner", True, True, True),
        ("project_id:%(project_id)s", True, True, True),
        ("project_id:somebody_else", False, False, False),
        ("user_id:%(user_id)s and not role:admin", False, True, True),
    ],
)
def test_novas_context_is_checked_by_any_of_novas_rules(
    rule, novas, check, admin, member, reader
):
    rule(check)
    for identity, sees in [(ADMIN, admin), (MEMBER, member), (READER, reader)]:
        path = "/v2.1/servers?limit=3"
        said = novas.alone.request(API, path, identity=identity)
        answer = novas.extended.request(API, path, identity=identity)
        if not sees:
            assert_same(answer, said)
            continue
        assert len(answer.servers) == 3
        assert all(states(server) for server in answer.servers)


def test_denied_caller_gets_novas_response(rule, novas):
    rule("!")
    # This filter answers 503 if it looks up anything.
    for path in ("/servers", "/servers/detail"):
        said = novas.alone.get(API, path)
        assert_same(novas.blind.get(API, path), said)
        assert said.status == "200 OK"


def test_check_and_tools_read_the_file_that_the_filter_reads(
    rule, nova, tmp_path
):
    rule("role:admin")
    _, checks = run("--config-file", nova.directory / "nova.conf")
    assert 'role:admin" (set in ' in checks["Policy"].details
    # Where oslo.config looks for Nova's files.
    (tmp_path / ".nova").symlink_to(nova.directory)
    rules = subprocess.run(
        [
            SCRIPTS / "oslopolicy-policy-generator",
            *("--namespace", "nova-ext-sts"),
        ],
        check=True,
        env=os.environ | {"HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    assert f'"{policy.RULE}": "role:admin"' in rules


@pytest.fixture
def tokens():
    """Let keystonemiddleware know one token, of a reader."""
    from keystonemiddleware.fixture import AuthTokenFixture

    with AuthTokenFixture() as fixture:
        fixture.add_token_data(
            token_id=TOKEN,
            user_id="user",
            project_id="project",
            role_list=["reader"],
        )
        yield


@pytest.mark.usefixtures("tokens")
@pytest.mark.parametrize(
    ("check", "sees"),
    [
        ("role:reader", True),
        ("rule:project_reader_api", True),
        ("project_id:project and user_id:user", True),
        ("role:admin", False),
        ("is_admin:True", False),
    ],
)
def test_token_of_keystonemiddleware_is_checked(check, sees, rule, sqlite):
    from keystonemiddleware import auth_token

    rule(check)
    sqlite.insert_instances([("a", "active", None, 1)])
    bare = b'{"servers": [{"id": "a"}]}'
    # Nova's configuration, but no nova.context.
    extended = filter_factory({}, connection=sqlite.url)(answering(bare))
    options: dict[str, Any] = {"auth_type": "none"}
    client = PlainClient(auth_token.filter_factory(options)(extended))

    response = client.get("/v2.1/servers", HTTP_X_AUTH_TOKEN=TOKEN)

    assert response.status == "200 OK"
    assert (response.body != bare) is sees
    # auth_token removes what a client claims; without it claims are ignored.
    claimed = {
        "HTTP_X_ROLES": "admin,reader",
        "HTTP_X_USER_ID": "user",
        "HTTP_X_PROJECT_ID": "project",
        "HTTP_X_IDENTITY_STATUS": "Confirmed",
    }
    again = client.get("/v2.1/servers", HTTP_X_AUTH_TOKEN=TOKEN, **claimed)
    assert again.body == response.body
    past = PlainClient(extended).get("/v2.1/servers", **claimed)
    assert past.body == bare
