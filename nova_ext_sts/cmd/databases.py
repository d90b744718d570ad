# SPDX-License-Identifier: Apache-2.0
"""What each database answers to what a record source asks there."""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING, NamedTuple

from nova_ext_sts.cmd.privileges import QUESTIONS
from nova_ext_sts.records import RecordsUnavailable
from nova_ext_sts.records.probing import NOBODY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nova_ext_sts.cmd.privileges import Needed
    from nova_ext_sts.records import Asked
    from nova_ext_sts.records.readonly import ReadOnlyDatabase
    from nova_ext_sts.settings import Settings

#: How MariaDB and MySQL, PostgreSQL, and SQLite say that a privilege, or that
#: a table or a column, is missing.
_DENIED = re.compile(r"\(114[23],|permission denied for ")
_ABSENT = re.compile(
    r"\((1054|1146),|(relation|column) .* does not exist|no such (table|col)"
)


class Examined(NamedTuple):
    """One database, once it has been asked everything."""

    asked: Asked
    #: Of the filter that asks it.
    settings: Settings
    #: Where it is, without secrets; nothing where its URL is at fault.
    place: str
    #: Who reads there; nothing where the system has no users.
    user: str
    #: Why it cannot be asked at all; or nothing.
    trouble: str
    #: Which tables or columns it lacks.
    absent: list[str]
    #: What the user may not read.
    denied: list[str]
    #: What the user may do and need not; None where that is not known.
    excess: list[str] | None

    @property
    def title(self) -> str:
        """What the findings call it."""
        name = self.asked.name
        return f"{name} ({self.place})" if self.place else name


def examined(asked: Asked, settings: Settings, needed: Needed) -> Examined:
    """Ask a database everything; each question may take the time-out.

    :param needed: what may be read here and in all the others, since a user
        may be one for several
    """
    database = asked.database
    timeout = settings.timeout
    if database is None:
        return Examined(asked, settings, "", "", asked.fault, [], [], None)
    found = Examined(asked, settings, database.place, "", "", [], [], None)
    for select in asked.selects:
        trouble = _trouble(database, select, timeout)
        if _ABSENT.search(trouble):
            found.absent.append(trouble)
        elif _DENIED.search(trouble):
            found.denied.append(trouble)
        elif trouble:
            return found._replace(
                user=database.url.username or "", trouble=trouble
            )
    return found._replace(
        user=_user(database, timeout),
        # It may have failed before, when the cells were asked for.
        trouble="" if found.absent or found.denied else asked.fault,
        excess=_excess(database, timeout, needed),
    )


def _trouble(database: ReadOnlyDatabase, select: str, timeout: float) -> str:
    """Return why a statement cannot be answered, or nothing."""
    ids = [NOBODY] if "{among}" in select else None
    deadline = time.monotonic() + timeout
    try:
        database.read(select, ids, deadline=deadline).rows()
    except RecordsUnavailable as error:
        return error.reason.removeprefix(f"{database.settings.name}: ")
    return ""


def _user(database: ReadOnlyDatabase, timeout: float) -> str:
    """Return as whom a database is read, as it says itself."""
    user = database.url.username or ""
    with contextlib.suppress(RecordsUnavailable):
        if QUESTIONS[database.url.get_backend_name()]:
            deadline = time.monotonic() + timeout
            reading = database.read("SELECT CURRENT_USER", deadline=deadline)
            ((user,),) = reading.rows()
    # MariaDB and MySQL add from where.
    return str(user).partition("@")[0]


def _excess(
    database: ReadOnlyDatabase, timeout: float, needed: Needed
) -> list[str] | None:
    """Return what the user may do and need not; None if nobody says."""
    found = None
    with contextlib.suppress(RecordsUnavailable):
        excess: list[str] = []
        for select, of in QUESTIONS[database.url.get_backend_name()]:
            deadline = time.monotonic() + timeout
            rows = database.read(select, deadline=deadline).rows()
            excess += of(rows, needed, database.url.database or "")
        found = excess
    # Who may do everything may do all the rest, too.
    return ["SUPERUSER"] if found and "SUPERUSER" in found else found


def some_of(what: Iterable[str], most: int = 4) -> str:
    """Return a few of many, and how many more there are."""
    every = list(what)
    shown = "; ".join(every[:most])
    more = len(every) - most
    return f"{shown}; and {more} more" if more > 0 else shown
