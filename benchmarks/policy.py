"""The policy check of a request that the filter handles."""

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from oslo_config import cfg

from benchmarks.report import Row
from benchmarks.turns import added, in_turns
from nova_ext_sts.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The policy file of each row, or None for no file.
FILES = {
    "no file": None,
    "a file without the rule": {"os_compute_api:servers:index": "@"},
    "a rule for readers": {"os_compute_api:os-extended-status": "role:reader"},
}
CALLER = {
    "keystone.token_auth": object(),
    "HTTP_X_IDENTITY_STATUS": "Confirmed",
    "HTTP_X_USER_ID": "user",
    "HTTP_X_PROJECT_ID": "project",
    "HTTP_X_ROLES": "reader",
}


def rows() -> Iterator[Row]:
    for title, rules in FILES.items():
        with tempfile.TemporaryDirectory() as directory:
            configuration = Path(directory, "site.conf")
            configuration.write_text("[DEFAULT]\n")
            if rules:
                file = configuration.with_name("policy.yaml")
                file.write_text(json.dumps(rules))
            conf = cfg.ConfigOpts()
            conf([], default_config_files=[str(configuration)])
            permits = partial(Policy(conf).permits, CALLER)
            assert permits()
            times = in_turns({"bare": partial(bool, CALLER), "check": permits})
        yield Row(
            "policy check",
            f"{title}: added to a request",
            "µs",
            added(times, "check", "bare", 1e6),
            budget=None if rules else 200,
            ambition=None if rules else 10,
        )
