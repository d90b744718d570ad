# SPDX-License-Identifier: Apache-2.0
"""Where the states of servers are read: the interface of a record source."""

from __future__ import annotations

import abc
import time
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from stevedore import driver, exception, extension

from nova_ext_sts.opts import GROUP
from nova_ext_sts.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from nova_ext_sts.records.engine import Database
    from nova_ext_sts.records.systems import Select
    from nova_ext_sts.settings import Settings
    from nova_ext_sts.states import States

#: The group of entry points that the option ``record_source`` names.
NAMESPACE = "nova_ext_sts.record_sources"

#: The nil UUID (RFC 9562), which is no server's.
NIL = "00000000-0000-0000-0000-000000000000"


class Records(dict[str, "States"]):
    """``{id: States}``, and how many cells were queried for them."""

    #: None if the source knows no cells.
    cells: int | None = None

    @classmethod
    def of(cls, records: Mapping[str, States]) -> Records:
        """Return a copy of what a source has returned: any mapping."""
        copy = cls(records)
        cells = getattr(records, "cells", None)
        # It may be anything, and is written to a header.
        copy.cells = cells if type(cells) is int else None
        return copy


class RecordsUnavailable(Exception):
    """Some records, or all, cannot be read now.

    :param reason: one sentence for the log, without secrets
    :param records: the records that could be read, ``{id: States}``
    :param ids: the ids of the servers concerned; None means all that are not
        in ``records``
    """

    def __init__(
        self,
        reason: str,
        records: Mapping[str, States] | None = None,
        ids: Collection[str] | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.records = records or {}
        self.ids = ids


class DatabaseUnavailable(RecordsUnavailable):
    """A database failed, and its own log messages say so."""


class Unreachable(DatabaseUnavailable):
    """No server answered."""


class InvalidParameter(DatabaseUnavailable):
    """The driver does not know a parameter of the URL."""


class AccessDenied(DatabaseUnavailable):
    """The database user lacks a privilege."""


class SchemaMismatch(DatabaseUnavailable):
    """A table or a column is missing."""


class Reading(NamedTuple):
    """A database that a record source reads, and its queries there."""

    name: str
    #: The option that can name its URL.
    option: str
    #: None if it cannot be read at all.
    database: Database | None
    selects: Sequence[Select]
    #: The reason then: one sentence without secrets.
    fault: str = ""


class RecordSource(abc.ABC):
    """Reads instance records. Threads share the object.

    It is created when the filter is loaded, before the process may fork, and
    connects on the first lookup, not earlier.

    :param settings: the filter's settings
    :raises ConfigurationError: the source cannot work with these settings
    """

    @abc.abstractmethod
    def __init__(self, settings: Settings) -> None: ...

    @abc.abstractmethod
    def lookup(self, ids: Sequence[str]) -> Mapping[str, States]:
        """Return ``{id: States}`` for those ids that have a record.

        Called once for each response, from any thread.

        :param ids: at least one server id, each once: 1 to 255 characters
            from ``A-Z a-z 0-9 . _ ~ : @ + = -``
        :raises RecordsUnavailable: records cannot be read in
            ``settings.timeout`` seconds
        """

    def databases(self) -> Sequence[Reading]:
        """Return the databases that the source reads, if it reads any.

        For the health check and the upgrade check. It may query a database
        for the others, within ``settings.timeout`` seconds, and raises
        nothing.
        """
        return ()


class Checked(NamedTuple):
    """A database, and what is wrong with it."""

    reading: Reading
    errors: Sequence[RecordsUnavailable]


def check(source: RecordSource, seconds: float) -> list[Checked]:
    """Query all that a source reads for the record of the nil UUID.

    :param seconds: the longest to wait, for all databases together
    """
    deadline = time.monotonic() + seconds
    readings = source.databases()
    if not readings:
        errors = _errors(lambda: source.lookup([NIL]))
        return [Checked(Reading("records", "", None, ()), errors)]
    begun = [
        [
            reading.database.query(
                select, [NIL], deadline=deadline, is_check=True
            )
            for select in reading.selects
            if reading.database
        ]
        for reading in readings
    ]
    return [
        Checked(
            reading,
            [RecordsUnavailable(reading.fault)]
            if reading.fault
            else _errors(*(query.rows for query in queries)),
        )
        for reading, queries in zip(readings, begun, strict=True)
    ]


def _errors(*calls: Callable[[], object]) -> list[RecordsUnavailable]:
    errors = []
    for call in calls:
        try:
            call()
        except RecordsUnavailable as error:
            errors.append(error)
        except Exception as error:
            # Plug-ins raise anything; the text may hold a password.
            reason = f"it raised {type(error).__name__}"
            errors.append(RecordsUnavailable(reason))
    return errors


def load(settings: Settings) -> RecordSource:
    """Return the record source that the settings name.

    :raises ConfigurationError: it is not installed, or cannot work
    """
    name = settings.record_source
    try:
        plugin: Any = driver.DriverManager(NAMESPACE, name).driver
    except exception.NoMatches as error:
        known = extension.ExtensionManager(NAMESPACE).entry_points_names()
        raise ConfigurationError(
            f"Unknown record source {name} in the option record_source of "
            f"[{GROUP}]: installed are {', '.join(sorted(known))}."
        ) from error
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"The record source {name} of the option record_source of "
            f"[{GROUP}] cannot be loaded: {error}."
        ) from error
    return cast("type[RecordSource]", plugin)(settings)
