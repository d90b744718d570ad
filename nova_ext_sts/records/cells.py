# SPDX-License-Identifier: Apache-2.0
"""States from Nova's cells: the API database says where each instance is.

Nova's cells v2: ``instance_mappings`` holds the cell of every instance, or
NULL while the scheduler has not chosen one; until then the server exists in
``build_requests`` alone. ``cell_mappings`` holds the URL of every cell's
database; cell0 has the servers that could not be scheduled, and a disabled
cell takes no new servers but keeps those that it has.
"""

from __future__ import annotations

import collections
import dataclasses
import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from oslo_log import log as logging

from nova_ext_sts.opts import GROUP
from nova_ext_sts.records import RecordSource, RecordsUnavailable
from nova_ext_sts.records.database import INSTANCES, states_of
from nova_ext_sts.records.printable import printable
from nova_ext_sts.records.readonly import database_of
from nova_ext_sts.records.templates import filled
from nova_ext_sts.settings import ConfigurationError
from nova_ext_sts.states import SCHEDULING, States

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nova_ext_sts.records.readonly import ReadOnlyDatabase
    from nova_ext_sts.settings import Settings

LOG = logging.getLogger(__name__)

#: One statement for mappings and build requests, so that both are of one
#: moment.
MAPPINGS = (
    "SELECT m.instance_uuid, m.cell_id, b.instance_uuid, b.instance "
    "FROM instance_mappings m LEFT JOIN build_requests b "
    "ON b.instance_uuid = m.instance_uuid AND m.cell_id IS NULL "
    "WHERE m.instance_uuid {among}"
)
CELLS = "SELECT id, uuid, name FROM cell_mappings"
#: Read only for the cells without a URL of the operator's: the column holds
#: passwords, and a site may keep it from the database user.
URLS = "SELECT uuid, database_connection FROM cell_mappings WHERE uuid {among}"

#: As many faults are remembered, so that each is logged once.
MAX_FAULTS = 1000


class _Instance(msgspec.Struct, gc=False):
    """The states in a build request, with Nova's own defaults."""

    vm_state: str | None = SCHEDULING.vm_state
    task_state: str | None = SCHEDULING.task_state
    power_state: int | None = SCHEDULING.power_state


class _BuildRequest(msgspec.Struct, gc=False):
    """A versioned object, as oslo.versionedobjects writes it."""

    data: _Instance = msgspec.field(name="nova_object.data")


_decode_build_request = msgspec.json.Decoder(_BuildRequest).decode


@dataclasses.dataclass(frozen=True)
class _Cell:
    """One cell, and why it cannot be read if its mapping is at fault."""

    #: Its ``database_connection``; empty where the URL is the operator's.
    template: str = dataclasses.field(repr=False)
    database: ReadOnlyDatabase | None
    fault: str = ""


class _Placement(NamedTuple):
    """Where the servers of a page are."""

    #: In a cell: {cell id: [server id]}.
    cells: dict[int, list[str]]
    #: In no cell yet.
    building: dict[str, States]
    #: In no cell, and without a build request.
    nowhere: list[str]


class CellRecords(RecordSource):
    """Reads Nova's API database, then each concerned cell's, side by side."""

    def __init__(self, settings: Settings) -> None:
        if settings.api_database is None:
            raise ConfigurationError(
                "The record source cells needs Nova's API database: set "
                f"api_connection in [{GROUP}], or [api_database] connection."
            )
        self._settings = settings
        self._api = database_of(settings.api_database)
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
        self._cells: Mapping[int, _Cell] = {}
        self._faults: set[str] = set()

    def lookup(self, ids: Sequence[str]) -> Mapping[str, States]:
        deadline = time.monotonic() + self._settings.timeout
        placement = self._placement(ids, deadline)
        if placement.nowhere:
            # Between its build request and its cell a server is in neither
            # for a moment; Nova, too, looks once more.
            second = self._placement(placement.nowhere, deadline)
            placement.building.update(second.building)
            for cell, servers in second.cells.items():
                placement.cells.setdefault(cell, []).extend(servers)
        records = placement.building
        if not placement.cells:
            return records
        asked = self._cells
        failures = self._ask(placement.cells, records, deadline)
        if failures:
            try:
                self._read_cells(deadline)
            except RecordsUnavailable as error:
                for cell in failures.keys() - self._cells.keys():
                    failures[cell] = error.reason
            else:
                for cell in failures.keys() - self._cells.keys():
                    self._log_fault(
                        f"Servers in cell {cell} go", failures[cell]
                    )
            moved = {
                cell: placement.cells[cell]
                for cell in failures
                if self._cells.get(cell) != asked.get(cell)
            }
            for cell in moved:
                del failures[cell]
            failures |= self._ask(moved, records, deadline)
        if failures:
            raise RecordsUnavailable(
                "; ".join(failures.values()),
                records,
                [
                    server
                    for cell in failures
                    for server in placement.cells[cell]
                ],
                logged=True,
            )
        return records

    def _placement(self, ids: Sequence[str], deadline: float) -> _Placement:
        placement = _Placement(collections.defaultdict(list), {}, [])
        rows = self._api.read(MAPPINGS, ids, deadline=deadline).rows()
        for server, cell, requested, instance in rows:
            if cell is not None:
                placement.cells[cell].append(server)
            elif requested is None or instance is None:
                placement.nowhere.append(server)
            else:
                try:
                    data = _decode_build_request(instance).data
                except (ValueError, RecursionError) as error:
                    self._log_fault(
                        f"Server {server} goes",
                        f"its build request cannot be read: {error}",
                    )
                else:
                    placement.building[server] = States(
                        data.vm_state, data.task_state, data.power_state
                    )
        return placement

    def _ask(
        self,
        pages: Mapping[int, Sequence[str]],
        records: dict[str, States],
        deadline: float,
    ) -> dict[int, str]:
        """Add what the cells know to ``records``, asking them side by side.

        Return the reason for each cell that gave no answer.
        """
        readings = {}
        failures = {}
        for cell, servers in pages.items():
            try:
                database = self._database(cell)
                readings[cell] = database.read(
                    INSTANCES, servers, deadline=deadline
                )
            except RecordsUnavailable as error:
                failures[cell] = error.reason
        for cell, reading in readings.items():
            try:
                records |= states_of(reading.rows())
            except RecordsUnavailable as error:
                failures[cell] = error.reason
        return failures

    def _database(self, cell_id: int) -> ReadOnlyDatabase:
        """Return a cell's database.

        :raises RecordsUnavailable: there is none
        """
        cell = self._cells.get(cell_id)
        if cell is None:
            raise RecordsUnavailable(f"there is no cell mapping {cell_id}.")
        if cell.database is None:
            raise RecordsUnavailable(cell.fault)
        return cell.database

    def _read_cells(self, deadline: float) -> None:
        """Read the cell mappings; what has not changed is kept as it is.

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
        for own in self._own.keys() - names:
            self._log_fault(
                f"Servers in cell {own} go",
                "cell_connection names it, and there is no such cell.",
            )
        known = self._cells
        cells = {}
        for cell_id, uuid, name in mappings:
            database = self._own.get(uuid) or self._own.get(name)
            if database:
                cells[cell_id] = _Cell("", database)
                continue
            before = known.get(cell_id)
            if unread:
                cells[cell_id] = before or _Cell("", None, unread)
                continue
            template = urls.get(uuid) or ""
            cells[cell_id] = (
                before
                if before and before.template == template
                else self._cell(name or uuid, template)
            )
        self._cells = cells
        for cell_id, cell in known.items():
            if (
                cell.template
                and cell.database
                and cells.get(cell_id) is not cell
            ):
                cell.database.dispose()

    def _cell(self, name: str, template: str) -> _Cell:
        """Return a cell, given its ``database_connection``."""
        main = self._settings.database
        try:
            database = database_of(
                dataclasses.replace(
                    self._settings.mapped_cell,
                    name=f"cell {name}",
                    url=filled(template, main.url if main else None),
                )
            )
        except ConfigurationError as error:
            fault = str(error)
            if "{" in template:
                fault = (
                    "its database_connection is a template that cannot be "
                    f"filled: set connection in [{GROUP}], or [database] "
                    "connection, to a URL with all the parts that it names."
                )
            self._log_fault(f"Servers in cell {name} go", fault)
            return _Cell(template, None, fault)
        return _Cell(template, database)

    def _log_fault(self, what: str, why: str) -> None:
        """Log, once, why something goes without states."""
        if what not in self._faults:
            if len(self._faults) >= MAX_FAULTS:
                self._faults.clear()
            self._faults.add(what)
            LOG.warning(
                "%s without states: %s", printable(what), printable(why)
            )
