# SPDX-License-Identifier: Apache-2.0
"""The health check ``extended_status``, for oslo.middleware's Healthcheck."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from oslo_middleware.healthcheck import pluginbase

from nova_ext_sts import records, settings
from nova_ext_sts.opts import OPTS
from nova_ext_sts.printable import printable
from nova_ext_sts.settings import ConfigurationError

if TYPE_CHECKING:
    from oslo_config import cfg

#: How long the databases have to answer, together, in seconds.
TIMEOUT = 0.5

_OPTIONS = frozenset(opt.name for opt in OPTS)


class ExtendedStatusHealthcheck(pluginbase.HealthcheckBaseExtension):
    """Available while the filter's records can be read.

    It shares the filter's connections, and what is known of failing
    databases. The filter's options are read in the section of the health
    check, or else in the service's configuration files; the filter's own
    section of the paste file is not read.

    With ``detailed``, which shows what is wrong, oslo.middleware shows the
    stacks of all threads as well: let only operators query it.

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
        #: Why nothing can be checked; or nothing.
        self.fault = ""
        own = {name: conf[name] for name in _OPTIONS & conf.keys()}
        try:
            found = settings.read(oslo_conf, own)
            # For the source alone: its databases remain the filter's.
            found = dataclasses.replace(found, timeout=TIMEOUT)
            self._source = records.load(found)
        except ConfigurationError as error:
            # Raised here, it would be logged, and the service be available.
            self.fault = str(error)
        except Exception as error:
            # Plug-ins raise anything.
            self.fault = f"creating it raised {type(error).__name__}."

    def healthcheck(self, server_port: int) -> pluginbase.HealthcheckResult:
        """Return whether records can be read now.

        The details name each failing database and the reason.
        """
        if self.fault:
            return pluginbase.HealthcheckResult(
                available=False,
                reason="extended_status is not configured correctly",
                details=self.fault,
            )
        checked = records.check(self._source, TIMEOUT)
        errors = [error.reason for each in checked for error in each.errors]
        if errors:
            return pluginbase.HealthcheckResult(
                available=False,
                reason="server states cannot be read",
                details=printable("; ".join(dict.fromkeys(errors))),
            )
        names = ", ".join(each.reading.name for each in checked)
        return pluginbase.HealthcheckResult(
            available=True,
            reason="OK",
            details=printable(f"Readable: {names}."),
        )
