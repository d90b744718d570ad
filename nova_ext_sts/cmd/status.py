# SPDX-License-Identifier: Apache-2.0
"""The command ``nova-ext-sts-status upgrade check``."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TYPE_CHECKING, Any

from oslo_config import cfg
from oslo_upgradecheck import upgradecheck

from nova_ext_sts.cmd.checks import Checks
from nova_ext_sts.settings import said

if TYPE_CHECKING:
    from collections.abc import Sequence

CLI_OPTS = [
    cfg.StrOpt(
        "paste-file",
        help="The paste file with the filter. The default is Nova's own, if "
        "it is found where [wsgi] api_paste_config says.",
    ),
]
#: Nova's own option, where Nova has not registered it.
WSGI_OPTS = [cfg.StrOpt("api_paste_config", default="api-paste.ini")]


def main(
    argv: Sequence[str] | None = None, conf: cfg.ConfigOpts | None = None
) -> int:
    """Run the command, and return its exit code.

    As with nova-status that is 0, 1 for warnings, 2 for failures, and 255
    where something unexpected has happened.

    :param argv: the arguments, if not those of the process
    :param conf: what to read the configuration with, if not the global one
    """
    conf = conf or cfg.CONF
    # What is found is printed; the log would say it once more.
    logging.getLogger().addHandler(logging.NullHandler())
    conf.register_cli_opts(CLI_OPTS)
    conf.register_opts(WSGI_OPTS, group="wsgi")
    arguments = list(sys.argv[1:] if argv is None else argv)
    stdout: Any = sys.stdout
    with contextlib.suppress(AttributeError):
        # A cell may have a name that the terminal cannot show.
        stdout.reconfigure(errors="backslashreplace")
    try:
        return upgradecheck.main(conf, "nova", Checks(conf), arguments)
    except (cfg.Error, OSError, UnicodeError) as error:
        why = "it is not in UTF-8"
        if not isinstance(error, UnicodeError):
            why = said(error).rstrip(".")
        print(f"The configuration cannot be read: {why}.", file=sys.stderr)
        return 255
