# SPDX-License-Identifier: Apache-2.0
"""Nova's cell mappings: which cells there are, and the database of each.

``cell_mappings`` holds the URL of every cell's database, or a template for
it; the option ``cell_connection`` replaces it.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from oslo_log import log as logging

from nova_ext_sts.opts import GROUP
from nova_ext_sts.printable import printable
from nova_ext_sts.records import Reading, RecordsUnavailable, backoff
from nova_ext_sts.records.database import INSTANCES
from nova_ext_sts.records.engine import database_of
from nova_ext_sts.records.systems import Select
from nova_ext_sts.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nova_ext_sts.records.engine import Database
    from nova_ext_sts.settings import Settings

LOG = logging.getLogger(__name__)

CELLS = Select("cell_mappings", ("id", "uuid", "name"))
#: Read only for cells without a ``cell_connection``: the column holds
#: passwords, and a site may deny it to the database user.
URLS = Select("cell_mappings", ("uuid", "database_connection"), "uuid")

NO_SUCH_CELL = "cell_connection names it, but there is no such cell."

#: The mappings are read again at most once in so many seconds.
RELOAD = 10.0


class CellMappings:
    """The cells, as they were when they were last read; threads share it.

    :param api: Nova's API database
    :raises ConfigurationError: a ``cell_connection`` cannot be used
    """

    def __init__(self, settings: Settings, api: Database) -> None:
        self._settings = settings
        self._api = api
        #: The databases of cell_connection, by the cell's name or uuid.
        self._own = {
            cell: self._database(
                cell, url, option="cell_connection", parameters=""
            )
            for cell, url in settings.cell_connections.items()
        }
        #: By ``cell_mappings.id``; by name, those that cell_connection names
        #: wrongly. Replaced as a whole, never changed.
        self.cells: Mapping[int | str, Reading] = {}
        #: Whether a cell is read with the URL in its mapping.
        self.has_urls = False
        #: By process id: a fork may copy a lock while it is held.
        self._locks: dict[int, threading.Lock] = collections.defaultdict(
            threading.Lock
        )
        self._is_loaded = False
        #: Whether a reload was wanted when no time was left for it.
        self._is_due = False
        self._reload_at = 0.0

    def load(self, deadline: float, *, again: bool = False) -> bool:
        """Read the mappings, if that is needed; return whether they were.

        :param deadline: when to give up, by ``time.monotonic``
        :param again: read them also if they are known, at most once in
            ``RELOAD`` seconds
        :raises RecordsUnavailable: nothing is known, and the API database
            cannot be read
        """
        is_first = not self._is_loaded
        if not (is_first or again or self._is_due):
            return False
        left = max(0.0, deadline - time.monotonic())
        self._is_due = not left
        lock = self._locks[os.getpid()]
        # While nothing is known, the others wait for the thread that reads.
        if not lock.acquire(timeout=left if is_first else 0):
            if is_first:
                raise RecordsUnavailable("the cell mappings are not yet read")
            return False
        try:
            if self._is_loaded and (
                is_first or not left or backoff.clock() < self._reload_at
            ):
                return False
            if not is_first:
                self._reload_at = backoff.clock() + RELOAD
            self._read(deadline)
        except RecordsUnavailable:
            if is_first:
                raise
            return False
        finally:
            lock.release()
        return True

    def _read(self, deadline: float) -> None:
        rows = self._api.query(CELLS, deadline=deadline).rows()
        own = {
            uuid: self._own.get(uuid) or self._own.get(name)
            for _, uuid, name in rows
        }
        mapped = [uuid for uuid, database in own.items() if not database]
        self.has_urls = bool(mapped)
        urls: dict[str, str] = {}
        unread = ""
        if mapped:
            try:
                query = self._api.query(URLS, mapped, deadline=deadline)
                urls = {row[0]: row[1] for row in query.rows()}
            except RecordsUnavailable as error:
                # Perhaps denied: cells of cell_connection do without.
                unread = error.reason
        cells: dict[int | str, Reading] = {
            name: _cell(name, None, NO_SUCH_CELL)
            for name in set(self._own).difference(*(row[1:] for row in rows))
        }
        names = [name for *_, name in rows]
        for cell_id, uuid, name in rows:
            # In Nova cells may share a name, or have none.
            is_unique = name and names.count(name) == 1
            label = name if is_unique else f"{name or ''} {uuid}".strip()
            if database := own[uuid]:
                cells[cell_id] = _cell(label, database)
            elif not unread:
                cells[cell_id] = self._mapped(label, urls.get(uuid) or "")
            else:
                known = self.cells.get(cell_id)
                cells[cell_id] = known or _cell(label, None, unread)
        for cell_id, cell in cells.items():
            if cell.fault and cell != self.cells.get(cell_id):
                warn(f"servers in {cell.name}", cell.fault)
        # Databases that are no longer referenced close their connections.
        self.cells = cells
        self._is_loaded = True

    def _mapped(self, name: str, mapping: str) -> Reading:
        """Return a cell, given its ``database_connection``."""
        settings = self._settings
        main = settings.database
        url = filled(mapping, main.url) if main else mapping
        try:
            return _cell(name, self._database(name, url))
        except ConfigurationError as error:
            fault = str(error)
            if "{" in mapping:
                fault = (
                    "its database_connection is a template that cannot be "
                    f"filled: set connection in [{GROUP}], or [database] "
                    "connection, to a URL with all the parts that it names."
                )
            return _cell(name, None, fault)

    def _database(self, cell: str, url: str, **others: Any) -> Database:
        settings = dataclasses.replace(
            self._settings.mapped_cell, name=f"cell {cell}", url=url, **others
        )
        return database_of(settings)


def _cell(name: str, database: Database | None, fault: str = "") -> Reading:
    return Reading(
        f"cell {name}", "cell_connection", database, [INSTANCES], fault
    )


def warn(what: str, fault: str) -> None:
    """Log why servers have no states."""
    LOG.warning("No states for %s: %s", printable(what), printable(fault))


def filled(template: str, url: str) -> str:
    """Return a cell's URL: a template, filled with the parts of another URL.

    The template may name the parts of Nova's own ``[database] connection``,
    as in ``{scheme}://{username}:{password}@…``, so that each API host uses
    its own. They keep their %-codes, since they become parts of a URL again;
    a missing one is None. With several hosts in the netloc the parts of each
    are numbered. What cannot be filled is returned unchanged. All as in Nova.
    """
    try:
        split = urlsplit(url)
        parts: dict[str, object] = {
            "scheme": split.scheme,
            "path": split.path.lstrip("/"),
            "query": split.query,
            "fragment": split.fragment,
        }
        hosts = split.netloc.split(",")
        numbered = enumerate(hosts, 1) if len(hosts) > 1 else ()
        for number, netloc in [("", split.netloc), *numbered]:
            host = urlsplit(f"//{netloc}")
            parts |= {
                f"{name}{number}": getattr(host, name)
                for name in ("username", "password", "hostname", "port")
            }
        return template.format(**parts)
    except Exception:
        # What format() raises depends on the template.
        return template
