# SPDX-License-Identifier: Apache-2.0
"""The health check ``extended_status``, for oslo.middleware's Healthcheck."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oslo_middleware.healthcheck import pluginbase

from nova_ext_sts import records, settings
from nova_ext_sts.opts import OPTS
from nova_ext_sts.pastefile import PasteFile
from nova_ext_sts.printable import printable
from nova_ext_sts.records.probing import probe
from nova_ext_sts.settings import ConfigurationError

if TYPE_CHECKING:
    from oslo_config import cfg

    from nova_ext_sts.records import RecordSource
    from nova_ext_sts.settings import Settings

#: In seconds. Whoever asks for the health is not to wait for a second.
TIMEOUT = 0.5

_OWN_OPTIONS = frozenset(opt.name for opt in OPTS)

#: Names, in the section of the health check, the file with the filters'.
PASTE_FILE = "paste_file"
UNSEEN = (
    "What stands in the filter's own section of a paste file alone is not "
    f"seen here: name that file in {PASTE_FILE}."
)


class ExtendedStatusHealthcheck(pluginbase.HealthcheckBaseExtension):
    """Available while the records can be read that a filter reads.

    It asks with a connection of its own to each database, and keeps that. The
    filter's options are read in the section of the health check, or else in
    the service's configuration files; with ``paste_file`` in the section, in
    each section of that file that makes a filter.

    With ``detailed``, which is needed to see what is wrong, oslo.middleware
    shows the stacks of all threads, too: let only operators ask.

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
        #: Why it cannot find out anything; or nothing.
        self.fault = ""
        self._sources: dict[str, RecordSource] = {}
        try:
            found = self._settings()
            #: For each source, in seconds.
            self._timeout = TIMEOUT / len(found)
            self._sources = {
                name: records.load(each.for_probing(self._timeout))
                for name, each in found.items()
            }
        except ConfigurationError as error:
            # Raised here, it would be logged, and all be well without it.
            self.fault = str(error)
        except Exception as error:
            # A record source may be anybody's.
            self.fault = f"making it raised {type(error).__name__}."

    def healthcheck(self, server_port: int) -> pluginbase.HealthcheckResult:
        """Say whether records can be read now.

        The details name each database that does not answer, and why. The
        reason, which everybody may see, does not.
        """
        if self.fault:
            return pluginbase.HealthcheckResult(
                available=False,
                reason="extended_status is not configured as it should be",
                details=self.fault,
            )
        names = []
        troubles = []
        for section, source in self._sources.items():
            for name, trouble in probe(source, self._timeout):
                names.append(f"{section}{name}")
                troubles += [f"{section}{trouble}"] if trouble else []
        if troubles:
            return pluginbase.HealthcheckResult(
                available=False,
                reason="states cannot be read",
                details=printable("; ".join(troubles)),
            )
        details = f"Can be read: {', '.join(names)}."
        if not self.conf.get(PASTE_FILE):
            details = f"{details} {UNSEEN}"
        return pluginbase.HealthcheckResult(
            available=True, reason="OK", details=printable(details)
        )

    def _settings(self) -> dict[str, Settings]:
        """Return how each filter is configured, as far as that is known.

        By what is to stand before the names of its databases.
        """
        path = self.conf.get(PASTE_FILE)
        if not path:
            own = {
                name: value
                for name, value in self.conf.items()
                if name in _OWN_OPTIONS
            }
            return {"": settings.read(self.oslo_conf, own)}
        file = PasteFile(path)
        found: dict[str, Settings] = {}
        for name in file.filters():
            read = file.settings(name, self.oslo_conf)
            if read not in found.values():
                found[f"[filter:{name}] "] = read
        if not found:
            raise ConfigurationError(
                f"No section of {path}, which {PASTE_FILE} names, makes a "
                "filter of nova_ext_sts."
            )
        return {"": read} if len(found) == 1 else found
