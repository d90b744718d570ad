# SPDX-License-Identifier: Apache-2.0
"""Which cells there are, and how the database of each is read.

Nova's ``cell_mappings`` holds the URL of every cell's database, or a template
for it; the option ``cell_connection`` puts an operator's own URL in its place.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from nova_ext_sts.opts import GROUP
from nova_ext_sts.records import RecordsUnavailable
from nova_ext_sts.records.readonly import database_of
from nova_ext_sts.records.templates import filled
from nova_ext_sts.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nova_ext_sts.records.faults import Faults
    from nova_ext_sts.records.readonly import ReadOnlyDatabase
    from nova_ext_sts.settings import Settings

CELLS = "SELECT id, uuid, name FROM cell_mappings"
#: Read only for the cells without a URL of the operator's: the column holds
#: passwords, and a site may keep it from the database user.
URLS = "SELECT uuid, database_connection FROM cell_mappings WHERE uuid {among}"

NO_SUCH_CELL = "cell_connection names it, and there is no such cell."


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell, and why it cannot be read if its mapping is at fault."""

    name: str
    #: Its ``database_connection``, a URL or a template for one; None where it
    #: has not been read, as where the URL is the operator's.
    mapping: str | None = dataclasses.field(repr=False)
    database: ReadOnlyDatabase | None
    fault: str = ""
    #: Whether its mapping says where it is, and not the operator.
    is_mapped: bool = True


class CellMappings:
    """The cells, as they were when they were last read; threads share it.

    :param api: Nova's API database
    :raises ConfigurationError: a URL of the operator's cannot be used
    """

    def __init__(
        self, settings: Settings, api: ReadOnlyDatabase, faults: Faults
    ) -> None:
        self._settings = settings
        self._api = api
        self._faults = faults
        #: The cells with a URL of the operator's, by name or uuid.
        self._own = {
            cell: database_of(
                dataclasses.replace(
                    settings.mapped_cell,
                    name=f"cell {cell}",
                    url=url,
                    parameters="",
                )
            )
            for cell, url in settings.cell_connections.items()
        }
        #: By ``cell_mappings.id``. Replaced as a whole, never changed.
        self.cells: Mapping[int, Cell] = {}
        #: The cells that ``cell_connection`` names and that there are not.
        self.unknown: frozenset[str] = frozenset()

    def database(self, cell_id: int) -> ReadOnlyDatabase:
        """Return a cell's database.

        :raises RecordsUnavailable: there is none
        """
        cell = self.cells.get(cell_id)
        if cell is None:
            raise RecordsUnavailable(f"there is no cell mapping {cell_id}.")
        if cell.database is None:
            raise RecordsUnavailable(cell.fault)
        return cell.database

    def read(self, deadline: float) -> None:
        """Read the cell mappings; what has not changed is kept as it is.

        :param deadline: when to give up, by ``time.monotonic``
        :raises RecordsUnavailable: the API database cannot be read
        """
        mappings = self._api.read(CELLS, deadline=deadline).rows()
        mapped = [
            uuid
            for _, uuid, name in mappings
            if not self._own.keys() & {uuid, name}
        ]
        urls = {}
        unread = ""
        if mapped:
            try:
                rows = self._api.read(URLS, mapped, deadline=deadline).rows()
                urls = {row[0]: row[1] for row in rows}
            except RecordsUnavailable as error:
                # The column may be kept from the database user: the cells
                # that cell_connection names do without.
                unread = error.reason
        names = {name for _, *both in mappings for name in both}
        self.unknown = frozenset(self._own.keys() - names)
        for own in self.unknown:
            self._faults.tell(
                f"Servers in cell {own} go",
                NO_SUCH_CELL,
            )
        known = self.cells
        cells = {}
        names_of = [name for *_, name in mappings]
        for cell_id, uuid, name in mappings:
            # Nova lets cells have the same name, or none.
            is_name = name and names_of.count(name) == 1
            label = name if is_name else f"{name or ''} {uuid}".strip()
            database = self._own.get(uuid) or self._own.get(name)
            if database:
                cells[cell_id] = Cell(label, None, database, is_mapped=False)
                continue
            before = known.get(cell_id)
            if unread:
                cells[cell_id] = before or Cell(label, None, None, unread)
                continue
            mapping = urls.get(uuid) or ""
            cells[cell_id] = (
                before
                if before and before.mapping == mapping
                else self._cell(label, mapping)
            )
        self.cells = cells
        for cell_id, cell in known.items():
            if (
                cell.mapping is not None
                and cell.database
                and cells.get(cell_id) is not cell
            ):
                cell.database.dispose()

    def _cell(self, name: str, mapping: str) -> Cell:
        """Return a cell, given its ``database_connection``."""
        main = self._settings.database
        try:
            database = database_of(
                dataclasses.replace(
                    self._settings.mapped_cell,
                    name=f"cell {name}",
                    url=filled(mapping, main.url if main else None),
                )
            )
        except ConfigurationError as error:
            fault = str(error)
            if "{" in mapping:
                fault = (
                    "its database_connection is a template that cannot be "
                    f"filled: set connection in [{GROUP}], or [database] "
                    "connection, to a URL with all the parts that it names."
                )
            self._faults.tell(f"Servers in cell {name} go", fault)
            return Cell(name, mapping, None, fault)
        return Cell(name, mapping, database)
