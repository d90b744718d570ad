# SPDX-License-Identifier: Apache-2.0
"""The record source ``cells``: Nova's cells v2.

The table ``instance_mappings`` of Nova's API database holds the cell of every
instance, or NULL until the scheduler has chosen one; until then the server is
in ``build_requests`` only. cell0 has the servers that could not be scheduled,
and a disabled cell keeps the servers that it has.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import time
from typing import TYPE_CHECKING

import msgspec

from nova_ext_sts.opts import GROUP
from nova_ext_sts.records import (
    DatabaseUnavailable,
    Reading,
    Records,
    RecordSource,
    RecordsUnavailable,
)
from nova_ext_sts.records.database import INSTANCES, states_of
from nova_ext_sts.records.engine import database_of
from nova_ext_sts.records.mappings import CELLS, URLS, CellMappings, warn
from nova_ext_sts.records.systems import Select
from nova_ext_sts.settings import ConfigurationError
from nova_ext_sts.states import SCHEDULING, States

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nova_ext_sts.settings import Settings

    #: ``{cell id: [server id]}``.
    Pages = dict[int, list[str]]

MAPPINGS = Select(
    "instance_mappings", ("instance_uuid", "cell_id"), "instance_uuid"
)
#: Read after the mappings, and only for servers that are in no cell.
BUILDING = Select(
    "build_requests", ("instance_uuid", "instance"), "instance_uuid"
)


class _Instance(msgspec.Struct, gc=False):
    """The states in a build request, with Nova's own defaults."""

    vm_state: str | None = SCHEDULING.vm_state
    task_state: str | None = SCHEDULING.task_state
    power_state: int | None = SCHEDULING.power_state


class _BuildRequest(msgspec.Struct, gc=False):
    """A versioned object, as oslo.versionedobjects serialises it."""

    data: _Instance = msgspec.field(name="nova_object.data")


_decode_build_request = msgspec.json.Decoder(_BuildRequest).decode


class CellRecords(RecordSource):
    """Reads Nova's API database, then the cells concerned, side by side."""

    def __init__(self, settings: Settings) -> None:
        if settings.api_database is None:
            raise ConfigurationError(
                "The record source cells needs Nova's API database: set "
                f"api_connection in [{GROUP}], or [api_database] connection."
            )
        self._settings = settings
        self._api = database_of(settings.api_database)
        self._mappings = CellMappings(settings, self._api)
        #: Logs each fault once.
        self._warn = functools.lru_cache(maxsize=1000)(warn)

    def lookup(self, ids: Sequence[str]) -> Mapping[str, States]:
        deadline = time.monotonic() + self._settings.timeout
        records = Records()
        pages: Pages = collections.defaultdict(list)
        unplaced: RecordsUnavailable | None = None
        try:
            nowhere = self._place(ids, pages, records, deadline)
            if nowhere:
                # Between its build request and its cell a server is in
                # neither for a moment; Nova looks once more, too.
                self._place(nowhere, pages, records, deadline)
        except RecordsUnavailable as error:
            if not pages:
                raise
            # The servers that are in cells have states nevertheless.
            unplaced = error
        records.cells = len(pages)
        failures: dict[int, RecordsUnavailable] = {}
        if pages:
            try:
                self._mappings.load(deadline)
            except RecordsUnavailable as error:
                failures = dict.fromkeys(pages, error)
            else:
                failures = self._query(pages, records, deadline)
        errors = [*failures.values()]
        lost = [id_ for cell in failures for id_ in pages[cell]]
        if unplaced:
            errors.append(unplaced)
            lost += unplaced.ids or nowhere
        if not errors:
            return records
        is_logged = all(isinstance(e, DatabaseUnavailable) for e in errors)
        kind = DatabaseUnavailable if is_logged else RecordsUnavailable
        reasons = dict.fromkeys(error.reason for error in errors)
        raise kind("; ".join(reasons), records, lost)

    def databases(self) -> Sequence[Reading]:
        mappings = self._mappings
        cells: Sequence[Reading] = ()
        with contextlib.suppress(RecordsUnavailable):
            deadline = time.monotonic() + self._settings.timeout
            mappings.load(deadline, again=True)
            cells = tuple(mappings.cells.values())
        selects = [MAPPINGS, BUILDING, CELLS]
        selects += [URLS] if mappings.has_urls else []
        settings = self._api.settings
        api = Reading(settings.name, settings.option, self._api, selects)
        return [api, *cells]

    def _query(
        self,
        pages: Pages,
        records: Records,
        deadline: float,
    ) -> dict[int, RecordsUnavailable]:
        """Add the cells' states to ``records``; return failures by cell."""
        mappings = self._mappings
        if pages.keys() - mappings.cells:
            mappings.load(deadline, again=True)
        before = mappings.cells
        failures = self._query_once(pages, records, deadline)
        # A failing cell may have moved to another database.
        if failures and mappings.load(deadline, again=True):
            moved = {
                cell: pages[cell]
                for cell in failures
                if mappings.cells.get(cell) != before.get(cell)
            }
            for cell in moved:
                del failures[cell]
            failures |= self._query_once(moved, records, deadline)
        return failures

    def _query_once(
        self,
        pages: Pages,
        records: Records,
        deadline: float,
    ) -> dict[int, RecordsUnavailable]:
        cells = self._mappings.cells
        queries = {}
        failures: dict[int, RecordsUnavailable] = {}
        for cell, servers in pages.items():
            known = cells.get(cell)
            if known is None:
                fault = f"there is no cell mapping {cell}"
                self._warn(f"servers in cell {cell}", fault)
                failures[cell] = DatabaseUnavailable(fault)
            elif known.database is None:
                failures[cell] = DatabaseUnavailable(known.fault)
            else:
                queries[cell] = known.database.query(
                    INSTANCES, servers, deadline=deadline
                )
        for cell, query in queries.items():
            try:
                records |= states_of(query.rows())
            except RecordsUnavailable as error:
                failures[cell] = error
        return failures

    def _place(
        self,
        ids: Sequence[str],
        pages: Pages,
        records: Records,
        deadline: float,
    ) -> list[str]:
        """Sort ids into the pages of cells, and add what is being built.

        :returns: the ids that are neither in a cell nor being built
        :raises RecordsUnavailable: with the ids that are in no page
        """
        unplaced = []
        query = self._api.query(MAPPINGS, ids, deadline=deadline)
        for server, cell in query.rows():
            if cell is None:
                unplaced.append(server)
            else:
                pages[cell].append(server)
        if not unplaced:
            return []
        query = self._api.query(BUILDING, unplaced, deadline=deadline)
        try:
            requests = {row[0]: row[1] for row in query.rows()}
        except RecordsUnavailable as error:
            raise type(error)(error.reason, ids=unplaced) from None
        for server, request in requests.items():
            if request is None:
                continue
            try:
                data = _decode_build_request(request).data
            except (ValueError, RecursionError) as error:
                fault = f"its build request cannot be read: {error}"
                self._warn(f"server {server}", fault)
            else:
                records[server] = States(
                    data.vm_state, data.task_state, data.power_state
                )
        return [server for server in unplaced if not requests.get(server)]
