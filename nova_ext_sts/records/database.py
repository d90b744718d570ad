# SPDX-License-Identifier: Apache-2.0
"""States from one database that has an ``instances`` table."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nova_ext_sts.opts import GROUP
from nova_ext_sts.records import Asked, RecordSource
from nova_ext_sts.records.readonly import database_of
from nova_ext_sts.settings import ConfigurationError
from nova_ext_sts.states import States

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from nova_ext_sts.settings import Settings

#: The table in each of Nova's cell databases. Whether a row is ``deleted`` or
#: ``hidden`` is not asked: a uuid is unique, and deleted servers are shown.
INSTANCES = (
    "SELECT uuid, vm_state, task_state, power_state FROM instances "
    "WHERE uuid {among}"
)


class DatabaseRecords(RecordSource):
    """Reads one database: a cell of Nova's, or a Compute API's own."""

    def __init__(self, settings: Settings) -> None:
        if settings.database is None:
            raise ConfigurationError(
                "No database is known that holds the instances: set "
                f"connection in [{GROUP}], or [database] connection."
            )
        self._database = database_of(settings.database)

    def lookup(self, ids: Sequence[str]) -> Mapping[str, States]:
        deadline = time.monotonic() + self._database.settings.timeout
        reading = self._database.read(INSTANCES, ids, deadline=deadline)
        return states_of(reading.rows())

    def databases(self) -> Sequence[Asked]:
        name = self._database.settings.name
        return [Asked(name, "connection", self._database, [INSTANCES])]


def states_of(rows: Iterable[Sequence[Any]]) -> dict[str, States]:
    """Return the states in rows of ``INSTANCES``.

    The keys are the database's own spelling of the ids: MariaDB takes upper
    case and trailing spaces for equal, a client does not.
    """
    distinct = _DistinctStates()
    return {
        uuid: states
        for uuid, vm_state, task_state, power_state in rows
        if (states := distinct[vm_state, task_state, power_state])
    }


class _DistinctStates(dict["tuple[Any, ...]", "States"]):
    """The States of each distinct row, made once; None for an odd one.

    SQLite keeps values of any type in any column.
    """

    def __missing__(self, row: tuple[Any, ...]) -> States | None:
        vm_state, task_state, power_state = row
        regular = (
            isinstance(vm_state, str | None)
            and isinstance(task_state, str | None)
            and isinstance(power_state, int | None)
        )
        if not regular:
            # Not kept: 1.0 is odd and equals 1, which is not.
            return None
        self[row] = states = States(*row)
        return states
