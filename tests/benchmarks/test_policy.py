"""What the policy check adds to a request that the filter handles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from oslo_config import cfg

from nova_ext_sts.policy import RULE, Policy, new_enforcer
from tests.benchmarks.rows import Row, added
from tests.benchmarks.turns import in_turns

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.conftest import Measure

#: The policy file, or None for no file.
FILES: dict[str, dict[str, str] | None] = {
    "no file": None,
    "a file without the rule": {"os_compute_api:servers:index": "@"},
    "a rule for readers": {RULE: "rule:admin_or_owner"},
}
ENFORCE = "no file, oslo.policy's enforce"
CALLER = {
    "keystone.token_auth": object(),
    "HTTP_X_IDENTITY_STATUS": "Confirmed",
    "HTTP_X_USER_ID": "user",
    "HTTP_X_PROJECT_ID": "project",
    "HTTP_X_ROLES": "reader",
}
CREDENTIALS = {"user_id": "user", "project_id": "project", "roles": ["reader"]}

ROWS = [
    Row(
        "asking the policy",
        f"{contender}: added to a request",
        "µs",
        added("policy", contender, "a bare call", 1e6),
        budget=200 if contender == "no file" else None,
        ambition=10 if contender == "no file" else None,
    )
    for contender in (*FILES, ENFORCE)
]


@in_turns("a bare call", *FILES, ENFORCE)
@pytest.mark.benchmark(max_time=0.2, min_rounds=10)
def test_policy(
    measure: Measure, tmp_path: Path, turn: int, contender: str
) -> None:
    conf = cfg.ConfigOpts()
    (tmp_path / "site.conf").write_text("[DEFAULT]\n")
    file = FILES.get(contender)
    if file is not None:
        (tmp_path / "policy.yaml").write_text(json.dumps(file))
    conf([], default_config_files=[str(tmp_path / "site.conf")])
    permits: Any = Policy(conf).permits
    if contender == "a bare call":
        permits = bool
    elif contender == ENFORCE:
        enforcer = new_enforcer(conf)
        permits = lambda _: enforcer.enforce(RULE, {}, CREDENTIALS)  # noqa: E731
    assert permits(CALLER)
    measure("policy", contender, lambda: permits(CALLER))
