# SPDX-License-Identifier: Apache-2.0
"""The record source ``database``: one database with a table ``instances``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nova_ext_sts.opts import GROUP
from nova_ext_sts.records import Reading, RecordSource
from nova_ext_sts.records.engine import database_of
from nova_ext_sts.records.systems import Select
from nova_ext_sts.settings import ConfigurationError
from nova_ext_sts.states import States

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from nova_ext_sts.settings import Settings

#: The table in each of Nova's cell databases. Rows that are ``deleted`` or
#: ``hidden`` count: a uuid is unique, and Nova shows deleted servers, too.
INSTANCES = Select(
    "instances", ("uuid", "vm_state", "task_state", "power_state"), "uuid"
)


class DatabaseRecords(RecordSource):
    """Reads one database: a cell of Nova's, or a Compute API's own."""

    def __init__(self, settings: Settings) -> None:
        if settings.database is None:
            raise ConfigurationError(
                "The database that holds the instances is not configured: "
                f"set connection in [{GROUP}], or [database] connection."
            )
        self._database = database_of(settings.database)

    def lookup(self, ids: Sequence[str]) -> Mapping[str, States]:
        return states_of(self._database.query(INSTANCES, ids).rows())

    def databases(self) -> Sequence[Reading]:
        settings = self._database.settings
        return [
            Reading(
                settings.name, settings.option, self._database, [INSTANCES]
            )
        ]


def states_of(rows: Iterable[Sequence[Any]]) -> dict[str, States]:
    """Return the states in rows of ``INSTANCES``.

    The keys are the database's own spelling: MariaDB ignores case and
    trailing spaces when it compares, clients do not.
    """
    # Most servers have the same few states: one object for all of them.
    distinct: dict[tuple[Any, ...], States] = {}
    found = {}
    for uuid, *values in rows:
        try:
            states = distinct.get(tuple(values))
            if states is None:
                states = States.of(values)
                distinct[states] = states
        except TypeError:
            # SQLite's columns take values of any type.
            continue
        found[uuid] = states
    return found
