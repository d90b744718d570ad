# SPDX-License-Identifier: Apache-2.0
"""States from Nova's cells: the API database says where each instance is.

Nova's cells v2: ``instance_mappings`` holds the cell of every instance, or
NULL while the scheduler has not chosen one; until then the server exists in
``build_requests`` alone. cell0 has the servers that could not be scheduled,
and a disabled cell takes no new servers but keeps those that it has.
"""

from __future__ import annotations

import collections
import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from nova_ext_sts.opts import GROUP
from nova_ext_sts.records import (
    Asked,
    Records,
    RecordSource,
    RecordsUnavailable,
)
from nova_ext_sts.records.database import INSTANCES, states_of
from nova_ext_sts.records.faults import Faults
from nova_ext_sts.records.mappings import (
    CELLS,
    NO_SUCH_CELL,
    URLS,
    CellMappings,
)
from nova_ext_sts.records.readonly import database_of
from nova_ext_sts.settings import ConfigurationError
from nova_ext_sts.states import SCHEDULING, States

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nova_ext_sts.settings import Settings

MAPPINGS = (
    "SELECT instance_uuid, cell_id FROM instance_mappings "
    "WHERE instance_uuid {among}"
)
#: Read after the mappings, and only for the servers that are in no cell.
BUILDING = (
    "SELECT instance_uuid, instance FROM build_requests "
    "WHERE instance_uuid {among}"
)


class _Instance(msgspec.Struct, gc=False):
    """The states in a build request, with Nova's own defaults."""

    vm_state: str | None = SCHEDULING.vm_state
    task_state: str | None = SCHEDULING.task_state
    power_state: int | None = SCHEDULING.power_state


class _BuildRequest(msgspec.Struct, gc=False):
    """A versioned object, as oslo.versionedobjects writes it."""

    data: _Instance = msgspec.field(name="nova_object.data")


_decode_build_request = msgspec.json.Decoder(_BuildRequest).decode


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
        self._faults = Faults()
        self._api = database_of(settings.api_database)
        self._mappings = CellMappings(settings, self._api, self._faults)

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
        records = Records(placement.building)
        records.cells = len(placement.cells)
        if not placement.cells:
            return records
        asked = self._mappings.cells
        failures = self._ask(placement.cells, records, deadline)
        if failures:
            try:
                self._mappings.read(deadline)
            except RecordsUnavailable as error:
                for cell in failures.keys() - self._mappings.cells.keys():
                    failures[cell] = error.reason
            else:
                for cell in failures.keys() - self._mappings.cells.keys():
                    self._faults.tell(
                        f"Servers in cell {cell} go", failures[cell]
                    )
            cells = self._mappings.cells
            moved = {
                cell: placement.cells[cell]
                for cell in failures
                if cells.get(cell) != asked.get(cell)
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

    def databases(self) -> Sequence[Asked]:
        name, option = self._api.settings.name, "api_connection"
        try:
            self._mappings.read(time.monotonic() + self._settings.timeout)
        except RecordsUnavailable as error:
            return [Asked(name, option, self._api, [CELLS], error.reason)]
        cells = self._mappings.cells.values()
        selects = [MAPPINGS, BUILDING, CELLS]
        if any(cell.is_mapped for cell in cells):
            selects.append(URLS)
        return [
            Asked(name, option, self._api, selects),
            *(
                Asked(
                    f"cell {cell.name}",
                    "cell_connection",
                    cell.database,
                    [INSTANCES],
                    cell.fault,
                    cell.mapping,
                )
                for cell in cells
            ),
            *(
                Asked(
                    f"cell {unknown}",
                    "cell_connection",
                    None,
                    [],
                    NO_SUCH_CELL,
                )
                for unknown in sorted(self._mappings.unknown)
            ),
        ]

    def _placement(self, ids: Sequence[str], deadline: float) -> _Placement:
        placement = _Placement(collections.defaultdict(list), {}, [])
        unplaced = []
        mappings = self._api.read(MAPPINGS, ids, deadline=deadline).rows()
        for server, cell in mappings:
            if cell is None:
                unplaced.append(server)
            else:
                placement.cells[cell].append(server)
        if not unplaced:
            return placement
        requests = self._api.read(BUILDING, unplaced, deadline=deadline).rows()
        instances = {row[0]: row[1] for row in requests}
        for server in unplaced:
            instance = instances.get(server)
            if instance is None:
                placement.nowhere.append(server)
                continue
            try:
                data = _decode_build_request(instance).data
            except (ValueError, RecursionError) as error:
                self._faults.tell(
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
                database = self._mappings.database(cell)
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
