# SPDX-License-Identifier: Apache-2.0
"""Which states the servers of one response get, and what becomes of failures.

Between the filter and its record source, which may be anybody's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from nova_ext_sts import records
from nova_ext_sts.records import (
    DatabaseUnavailable,
    Records,
    RecordsUnavailable,
)
from nova_ext_sts.records.backoff import Outage
from nova_ext_sts.states import NO_STATES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from nova_ext_sts.settings import Settings
    from nova_ext_sts.states import States


class Found(NamedTuple):
    """What was looked up for one response."""

    #: ``{id: States}``, to be added.
    states: Mapping[str, States]
    #: How many of these have a record.
    found: int
    #: How many cells were asked; None where there are none.
    cells: int | None


class Lookup:
    """Asks a record source; threads share it.

    :raises ConfigurationError: there is no such source, or it cannot work
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._source = records.load(settings)
        self._outage = Outage(f"the record source {settings.record_source}")

    def states(self, ids: Sequence[str]) -> Found:
        """Return the states to add: the records', and nulls if wanted.

        :raises RecordsUnavailable: with ``on_error = fail`` only
        """
        try:
            found = self._records([id_ for id_ in ids if _is_askable(id_)])
            unknown: Collection[str] = ()
        except RecordsUnavailable as error:
            if self._settings.on_error == "fail":
                raise
            found = Records.of(error.records)
            unknown = ids if error.ids is None else error.ids
        states: Mapping[str, States] = found
        if self._settings.missing_record == "null":
            known = set(ids).difference(unknown)
            states = {**dict.fromkeys(known, NO_STATES), **found}
        return Found(states, len(found), found.cells)

    def failed(self, reason: str) -> None:
        """Note that the source did not do what it should.

        :param reason: for the log, in one line and without secrets
        """
        self._outage.failed(reason)

    def _records(self, ids: Sequence[str]) -> Records:
        if not ids:
            return Records()
        try:
            found = Records.of(self._source.lookup(ids))
        except DatabaseUnavailable:
            raise  # Its database has logged it.
        except RecordsUnavailable as error:
            self.failed(error.reason)
            raise
        except Exception as error:
            # The response is not the source's to lose. What an unknown error
            # says may hold a password.
            self.failed(f"it raised {type(error).__name__}")
            raise RecordsUnavailable("it failed") from error
        self._outage.succeeded()
        return found


#: Ids that are looked up. Any other id counts as a server without a record,
#: so that no driver's quoting has to be trusted with foreign text.
_is_askable = re.compile(r"[A-Za-z0-9._~:@+=-]{1,255}").fullmatch
