"""What asking the policy adds to a call that the filter extends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from oslo_config import cfg

from nova_ext_sts.permission import Permission
from nova_ext_sts.policies import RULE
from tests.benchmarks.rows import Row, added
from tests.benchmarks.turns import in_turns

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.conftest import Measure

#: What stands in the policy file, or None where there is no file.
FILES: dict[str, dict[str, str] | None] = {
    "no file": None,
    "a file without the rule": {"os_compute_api:servers:index": "@"},
    "a rule for readers": {RULE: "rule:project_reader_or_admin"},
}
CALLER = {
    "keystone.token_auth": object(),
    "HTTP_X_IDENTITY_STATUS": "Confirmed",
    "HTTP_X_USER_ID": "user",
    "HTTP_X_PROJECT_ID": "project",
    "HTTP_X_ROLES": "reader",
}

ROWS = [
    Row(
        "asking the policy",
        f"{file}: added to a request",
        "µs",
        added("policy", file, "a bare call", 1e6),
    )
    for file in FILES
]


@in_turns("a bare call", *FILES)
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
    permits: Any = Permission(conf).permits
    if contender == "a bare call":
        permits = bool
    assert permits(CALLER)
    measure("policy", contender, lambda: permits(CALLER))
