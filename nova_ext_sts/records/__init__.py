# SPDX-License-Identifier: Apache-2.0
"""Where the states of servers are read: the interface of a record source."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from stevedore import driver, exception, extension

from nova_ext_sts.opts import GROUP
from nova_ext_sts.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from nova_ext_sts.records.readonly import ReadOnlyDatabase
    from nova_ext_sts.settings import Settings
    from nova_ext_sts.states import States

#: The group of entry points that the option ``record_source`` names.
NAMESPACE = "nova_ext_sts.record_sources"


class Records(dict[str, "States"]):
    """``{id: States}``, and from how many cells they come.

    A source may return any mapping; from this one the filter can tell more.
    """

    #: None where the source knows no cells.
    cells: int | None = None

    @classmethod
    def of(cls, records: Mapping[str, States]) -> Records:
        """Return a copy of what a source has returned."""
        copy = cls(records)
        cells = getattr(records, "cells", None)
        # It may be anything, and goes into a header.
        copy.cells = cells if type(cells) is int else None
        return copy


class RecordsUnavailable(Exception):
    """Some records, or all, cannot be read now.

    :param reason: one sentence for the log, without secrets
    :param records: what was read all the same, ``{id: States}``
    :param ids: the ids of the servers concerned; None stands for all that
        are not in ``records``
    :param logged: whether the log has it already
    """

    def __init__(
        self,
        reason: str,
        records: Mapping[str, States] | None = None,
        ids: Collection[str] | None = None,
        *,
        logged: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.records = records or {}
        self.ids = ids
        self.logged = logged


class Asked(NamedTuple):
    """One database that a record source reads, and what it asks there."""

    name: str
    #: The option that can name its URL.
    option: str
    #: None where the URL of it is at fault.
    database: ReadOnlyDatabase | None
    #: Statements as ``ReadOnlyDatabase.read`` takes them.
    selects: Sequence[str]
    #: Why it is not to be read, in one sentence without secrets; or nothing.
    fault: str = ""
    #: What Nova's cell mapping says of its URL (it may hold a password); None
    #: where that is not asked.
    mapping: str | None = None


class RecordSource(abc.ABC):
    """Reads instance records. One object serves all threads of a process.

    A source is made when the filter is loaded, before the process may fork:
    it connects on the first lookup, not earlier.

    :param settings: the filter's settings, of which each source takes what
        it needs
    :raises ConfigurationError: the source cannot work with these settings
    """

    @abc.abstractmethod
    def __init__(self, settings: Settings) -> None: ...

    @abc.abstractmethod
    def lookup(self, ids: Sequence[str]) -> Mapping[str, States]:
        """Return ``{id: States}`` for those ids that have a record.

        Called once for each response, from any thread.

        :param ids: at least one server id, each once; printable ASCII of 1 to
            255 characters
        :raises RecordsUnavailable: records cannot be read in
            ``settings.timeout`` seconds
        """

    def databases(self) -> Sequence[Asked]:
        """Return what the source reads, as far as that is databases.

        For the health check and the upgrade check. It may ask a database for
        the others, within ``settings.timeout`` seconds, and raises nothing.
        """
        return ()


def load(settings: Settings) -> RecordSource:
    """Return the record source that the settings name.

    :raises ConfigurationError: there is none of that name, or it cannot work
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
