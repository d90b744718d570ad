# SPDX-License-Identifier: Apache-2.0
"""The health check ``extended_status`` for oslo.middleware's Healthcheck."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from oslo_middleware.healthcheck import pluginbase

from nova_ext_sts import records, settings
from nova_ext_sts.monkey_patching import may_look_up
from nova_ext_sts.opts import OPTS
from nova_ext_sts.printable import printable
from nova_ext_sts.settings import ConfigurationError

if TYPE_CHECKING:
    from oslo_config import cfg

#: The time-out of the check, for all databases together, in seconds.
TIMEOUT = 0.5


class ExtendedStatusHealthcheck(pluginbase.HealthcheckBaseExtension):
    """Available while instance records can be read.

    It shares connections and back-offs with the filter. It reads the filter's
    options in its own section, or else in the service's configuration files,
    but not in the filter's section of the paste file.

    With ``detailed``, the response shows what fails; because oslo.middleware
    then also shows the stacks of all threads, let only operators query it.

    .. code-block:: ini

        [app:healthcheck]
        paste.app_factory = oslo_middleware:Healthcheck.app_factory
        backends = extended_status
        detailed = true
    """

    def __init__(
        self, oslo_conf: cfg.ConfigOpts, conf: dict[str, Any]
    ) -> None:
        super().__init__(oslo_conf, conf)
        #: Why the check cannot run; or empty.
        self._fault = ""
        names = conf.keys() & {opt.name for opt in OPTS}
        try:
            own = settings.read(
                oslo_conf, {name: conf[name] for name in names}
            )
            # Only the source's time-out: its databases are the filter's.
            own = dataclasses.replace(own, timeout=TIMEOUT)
            self._source = records.load(own)
        except ConfigurationError as error:
            # oslo.middleware would skip a check whose constructor raises.
            self._fault = str(error)
        except Exception as error:
            # Plug-ins can raise anything, and the text may be secret.
            self._fault = f"creating it raised {type(error).__name__}."

    def healthcheck(self, server_port: int) -> pluginbase.HealthcheckResult:
        """Return whether records can be read, and the reason if not."""
        if self._fault:
            return pluginbase.HealthcheckResult(
                available=False,
                reason="extended_status is not configured correctly",
                details=self._fault,
            )
        if not may_look_up():
            return pluginbase.HealthcheckResult(
                available=True,
                reason="OK",
                details="Not checked: another native thread looks up.",
            )
        checked = records.check(self._source, TIMEOUT)
        errors = [error.reason for each in checked for error in each.errors]
        names = ", ".join(each.reading.name for each in checked)
        details = "; ".join(dict.fromkeys(errors)) or f"Readable: {names}."
        return pluginbase.HealthcheckResult(
            available=not errors,
            reason="server states cannot be read" if errors else "OK",
            details=printable(details),
        )
