# SPDX-License-Identifier: Apache-2.0
"""Nova's cell mappings: which cells there are, and the database of each.

``cell_mappings`` holds the URL of every cell's database, or a template for
it; the option ``cell_connection`` replaces it.
"""

from __future__ import annotations

import dataclasses
import re
import threading
import time
import urllib.parse
from typing import TYPE_CHECKING, NamedTuple

from oslo_log import log as logging

from nova_ext_sts.opts import GROUP
from nova_ext_sts.printable import printable
from nova_ext_sts.records import RecordsUnavailable, backoff
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


class Cell(NamedTuple):
    """One cell."""

    name: str
    #: None if it cannot be read.
    database: Database | None
    #: Why it cannot be read: one sentence without secrets, or nothing.
    fault: str = ""


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
            cell: self._database(cell, url, is_own=True)
            for cell, url in settings.cell_connections.items()
        }
        #: By ``cell_mappings.id``. Replaced as a whole, never changed.
        self.cells: Mapping[int, Cell] = {}
        #: The names in cell_connection that no cell has.
        self.unknown: frozenset[str] = frozenset()
        #: Whether a cell is read with the URL in its mapping.
        self.has_urls = False
        self._lock = threading.Lock()
        backoff.renew_lock_after_fork(self)
        self._is_loaded = False
        #: Whether a reload was wanted when no time was left for it.
        self._is_due = False
        self._reload_at = 0.0

    def load(self, deadline: float) -> bool:
        """Read the mappings, unless they have been read; return whether.

        :param deadline: when to give up, by ``time.monotonic``
        :raises RecordsUnavailable: the API database cannot be read
        """
        if self._is_loaded:
            return self._is_due and self.reload(deadline)
        # The others wait for the thread that reads.
        left = max(0.0, deadline - time.monotonic())
        if not self._lock.acquire(timeout=left):
            raise RecordsUnavailable("the cell mappings are still being read")
        try:
            if self._is_loaded:
                return False
            self._read(deadline)
        finally:
            self._lock.release()
        return True

    def reload(self, deadline: float) -> bool:
        """Read the mappings again; return False if that has to wait."""
        self._is_due = time.monotonic() >= deadline
        if self._is_due:
            return False
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if backoff.clock() < self._reload_at:
                return False
            self._reload_at = backoff.clock() + RELOAD
            self._read(deadline)
        except RecordsUnavailable:
            return False
        finally:
            self._lock.release()
        return True

    def _read(self, deadline: float) -> None:
        rows = self._api.query(CELLS, deadline=deadline).rows()
        mapped = [uuid for _, uuid, name in rows if not self._has(uuid, name)]
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
        known = self.cells
        names = [name for *_, name in rows]
        cells = {}
        for cell_id, uuid, name in rows:
            # In Nova cells may share a name, or have none.
            is_unique = name and names.count(name) == 1
            label = name if is_unique else f"{name or ''} {uuid}".strip()
            if self._has(uuid, name):
                own = self._own.get(uuid) or self._own[name]
                cell = Cell(label, own)
            elif unread:
                cell = known.get(cell_id) or Cell(label, None, unread)
            else:
                cell = self._cell(label, urls.get(uuid) or "")
            if cell.fault and cell != known.get(cell_id):
                warn(f"servers in cell {label}", cell.fault)
            cells[cell_id] = cell
        unknown = frozenset(self._own).difference(*(row[1:] for row in rows))
        for name in unknown - self.unknown:
            warn(f"servers in cell {name}", NO_SUCH_CELL)
        self.unknown = unknown
        # Databases that nobody uses any more close their connections.
        self.cells = cells
        self._is_loaded = True

    def _has(self, uuid: str, name: str | None) -> bool:
        """Return whether cell_connection names a cell."""
        return uuid in self._own or name in self._own

    def _cell(self, name: str, mapping: str) -> Cell:
        """Return a cell, given its ``database_connection``."""
        main = self._settings.database
        url = filled(mapping, main.url if main else None)
        try:
            return Cell(name, self._database(name, url))
        except ConfigurationError as error:
            if "{" not in mapping:
                return Cell(name, None, str(error))
            return Cell(
                name,
                None,
                "its database_connection is a template that cannot be filled: "
                f"set connection in [{GROUP}], or [database] connection, to a "
                "URL with all the parts that it names.",
            )

    def _database(self, cell: str, url: str, is_own: bool = False) -> Database:
        settings = dataclasses.replace(
            self._settings.mapped_cell, name=f"cell {cell}", url=url
        )
        if is_own:
            settings = dataclasses.replace(settings, parameters="")
        return database_of(settings)


def warn(what: str, fault: str) -> None:
    """Log why servers have no states."""
    LOG.warning("No states for %s: %s", printable(what), printable(fault))


def filled(template: str, url: str | None) -> str:
    """Return a cell's URL: a template, filled with the parts of another URL.

    The template may name the parts of Nova's own ``[database] connection``,
    as in ``{scheme}://{username}:{password}@…``, so that each API host uses
    its own. What cannot be filled is returned unchanged, as Nova does.
    """
    if url is None:
        return template
    try:
        return template.format(**_parts(url))
    except Exception:
        # What format() raises depends on the template.
        return template


_HOST = re.compile(r"\[?([^\]]*?)\]?(?::(\d+))?")


def _parts(url: str) -> dict[str, str | None]:
    """Return the parts of a URL that a template can name.

    They are taken with their %-codes, since they become parts of a URL again.
    A missing one is None, as in Nova. With several hosts in the netloc the
    parts of each are numbered.
    """
    split = urllib.parse.urlparse(url)
    parts: dict[str, str | None] = {
        "scheme": split.scheme,
        "path": split.path.lstrip("/"),
        "query": split.query,
        "fragment": split.fragment,
    }
    netlocs = [("", split.netloc)]
    if "," in split.netloc:
        numbered = enumerate(split.netloc.split(","), 1)
        netlocs += [(str(number), netloc) for number, netloc in numbered]
    for number, netloc in netlocs:
        userinfo, at, host = netloc.rpartition("@")
        username, colon, password = userinfo.partition(":")
        match = _HOST.fullmatch(host)
        hostname, port = match.groups() if match else (host, None)
        parts |= {
            f"username{number}": username if at else None,
            # "root:@127.0.0.1" has an empty password.
            f"password{number}": password if colon else None,
            f"hostname{number}": hostname or None,
            f"port{number}": port,
        }
    return parts
