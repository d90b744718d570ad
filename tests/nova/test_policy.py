"""The policy with Nova's own policy file, rules, contexts and tokens."""

import json

import pytest

from nova_ext_sts import filter_factory, policy
from tests.nova.client import Api
from tests.nova.comparison import assert_same, servers_in, states
from tests.nova.installation import ADMIN
from tests.support.applications import Client, answering
from tests.support.checks import run

API = Api("/v2.1", "2.96")
#: Nova hands an ordinary user's token on to Neutron.
READER = ADMIN | {"X-Roles": "reader", "X-Auth-Token": "token"}
MEMBER = READER | {"X-Roles": "member,reader"}


@pytest.fixture
def rule(nova, novas, monkeypatch):
    """Write the rule into Nova's own policy file."""
    monkeypatch.setattr(policy, "RELOAD_INTERVAL", 0)
    file = nova.directory / "policy.yaml"

    def write(check):
        file.write_text(json.dumps({policy.RULE: check}))

    yield write
    # Nova with oslo.policy 4.3 fails if the file vanishes.
    file.write_text("{}")
    for client in novas:
        client.request(API, "/servers?limit=1")


@pytest.mark.parametrize(
    ("check", "admin", "member", "reader"),
    [
        ("!", False, False, False),
        ("is_admin:True", True, False, False),
        ("rule:project_member_or_admin", True, True, False),
        ("rule:project_reader_or_admin", True, True, True),
        ("rule:os_compute_api:os-services:list", True, False, False),
        ("user_id:%(user_id)s and not role:admin", False, True, True),
    ],
)
def test_novas_context_is_checked_by_any_of_novas_rules(
    rule, novas, check, admin, member, reader
):
    rule(check)
    for identity, sees in [(ADMIN, admin), (MEMBER, member), (READER, reader)]:
        said, extended, blind = (
            client.request(API, "/servers?limit=3", identity=identity)
            for client in (novas.alone, novas.extended, novas.blind)
        )
        if sees:
            assert all(map(states, servers_in(extended.json)))
            continue
        assert_same(extended, said)
        # It would answer 503 if it had looked up anything.
        assert_same(blind, said)


def test_upgrade_check_reads_the_file_that_the_filter_reads(rule, nova):
    rule("role:admin")
    _, checks = run("--config-file", nova.directory / "nova.conf")
    assert 'role:admin" (set in ' in checks["Policy"].details


@pytest.mark.parametrize(
    ("check", "sees"),
    [
        ("rule:project_reader_api", True),
        ("project_id:project and user_id:user", True),
        ("role:admin", False),
    ],
)
def test_token_of_keystonemiddleware_is_checked(check, sees, rule, sqlite):
    from keystonemiddleware import auth_token, fixture

    rule(check)
    sqlite.insert_instances([("a", "active", None, 1)])
    bare = b'{"servers": [{"id": "a"}]}'
    # Nova's configuration, but no nova.context.
    extended = filter_factory({}, connection=sqlite.url)(answering(bare))
    with fixture.AuthTokenFixture() as tokens:
        tokens.add_token_data(
            token_id="token",
            user_id="user",
            project_id="project",
            role_list=["reader"],
        )
        wrap = auth_token.filter_factory({"auth_type": "none"})
        response = Client(wrap(extended)).get(
            "/servers", HTTP_X_AUTH_TOKEN="token"
        )
    assert response.status == "200 OK"
    assert (response.body != bare) is sees
