# SPDX-License-Identifier: Apache-2.0
"""What is configured on this site, and what its databases answer."""

from __future__ import annotations

import contextlib
import functools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa
from oslo_config import cfg

from nova_ext_sts import records, settings
from nova_ext_sts.cmd.databases import Examined, examined
from nova_ext_sts.cmd.privileges import needed
from nova_ext_sts.pastefile import PasteFile
from nova_ext_sts.records.templates import filled
from nova_ext_sts.settings import ConfigurationError

if TYPE_CHECKING:
    from nova_ext_sts.records import RecordSource
    from nova_ext_sts.settings import Settings


class Source(NamedTuple):
    """A record source, and what it was made of."""

    settings: Settings
    source: RecordSource


class Site:
    """Finds each thing out once, when it is first asked for.

    :param conf: the configuration, once the command line has been read
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        #: What is at fault in the configuration, as far as it was read.
        self.faults: list[str] = []

    @functools.cached_property
    def paste_path(self) -> str | None:
        """Where the paste file is that was named, or that Nova's is."""
        named: str | None = self._conf.paste_file
        return named or self._conf.find_file(self._conf.wsgi.api_paste_config)

    @functools.cached_property
    def paste_file(self) -> PasteFile | None:
        if self.paste_path is None:
            return None
        try:
            return PasteFile(self.paste_path)
        except ConfigurationError as error:
            self.faults.append(str(error))
            return None

    @functools.cached_property
    def settings(self) -> dict[str, Settings]:
        """What each filter is configured with, by its section."""
        file = self.paste_file
        if self.paste_path and file is None:
            # What stands there is not known: nothing is to be made up.
            return {}
        found = {}
        for name in (file and file.filters()) or [""]:
            try:
                found[name] = (
                    file.settings(name, self._conf)
                    if file and name
                    else settings.read(self._conf, {})
                )
            except ConfigurationError as error:
                self.faults.append(str(error))
        return found

    @functools.cached_property
    def sources(self) -> list[Source]:
        """The record sources of all filters, each once."""
        found: list[Source] = []
        for name, each in self.settings.items():
            probed = each.for_probing(each.timeout)
            if any(probed == other.settings for other in found):
                continue
            try:
                found.append(Source(probed, records.load(probed)))
            except ConfigurationError as error:
                place = f"[filter:{name}] of {self.paste_path}: "
                where = place if name else ""
                self.faults.append(f"{where}{error}")
        return found

    @functools.cached_property
    def examined(self) -> list[Examined]:
        """Every database, once it has been asked everything."""
        asked = [
            (each, source.settings)
            for source in self.sources
            for each in source.source.databases()
        ]
        allowed = needed(
            (each.database.url.database or "", select)
            for each, _ in asked
            if each.database
            for select in each.selects
        )
        # Side by side: one that does not answer takes its time-out.
        with ThreadPoolExecutor(max(1, len(asked))) as threads:
            return list(
                threads.map(
                    lambda pair: examined(pair[0], pair[1], allowed), asked
                )
            )

    def novas_users(self, conf: cfg.ConfigOpts) -> set[str]:
        """Return the database users that are Nova's own.

        :param conf: where Nova's own databases are configured, if anywhere
        """
        main = conf.database.connection
        urls = [main, conf.api_database.connection]
        # Whom a mapping names, as Nova fills it.
        urls += [
            filled(each.asked.mapping, main)
            for each in self.examined
            if each.asked.mapping
        ]
        users = set()
        for url in filter(None, urls):
            with contextlib.suppress(sa.exc.ArgumentError, ValueError):
                users.add(sa.make_url(url).username)
        return {user for user in users if user}
