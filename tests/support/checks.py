"""The command ``nova-ext-sts-status upgrade check``, run in this process."""

from __future__ import annotations

import contextlib
import io
import json
from typing import TYPE_CHECKING, NamedTuple

from oslo_config import cfg
from oslo_upgradecheck.upgradecheck import Code

from nova_ext_sts.cmd import status

if TYPE_CHECKING:
    from pathlib import Path

TITLES = ["Configuration", "Databases", "Cells", "Policy", "Pipeline"]


class Check(NamedTuple):
    """The result of one check."""

    result: Code
    details: str


def run(*arguments: object) -> tuple[int, dict[str, Check]]:
    """Run the command; return its exit code and the checks by title."""
    with contextlib.redirect_stdout(io.StringIO()) as output:
        code = status.main(
            [*map(str, arguments), "upgrade", "check", "--json"],
            cfg.ConfigOpts(),
        )
    checks = {
        each["check"]: Check(Code(each["result"]), each["details"])
        for each in json.loads(output.getvalue())["checks"]
    }
    assert list(checks) == TITLES
    assert code == max(check.result for check in checks.values())
    assert "s3cret" not in str(checks).lower()
    return code, checks


def upgrade_check(
    directory: Path, **options: str | list[str]
) -> dict[str, Check]:
    """Run the command with these options; return the checks by title.

    :param directory: for the configuration file
    :param options: of the filter; a list is written once for each value
    """
    lines = ["[extended_status]"]
    for name, values in options.items():
        for value in [values] if isinstance(values, str) else values:
            lines.append(f"{name} = {value}".replace("$", "$$"))
    file = directory / "site.conf"
    file.write_text("\n".join([*lines, ""]))
    return run("--config-file", file)[1]
