# SPDX-License-Identifier: Apache-2.0
"""Whether records can be read, found out by asking for one that nobody has."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from nova_ext_sts.records import RecordsUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nova_ext_sts.records import Asked, RecordSource

#: The nil UUID (RFC 9562), which is no server's.
NOBODY = "00000000-0000-0000-0000-000000000000"


class Probed(NamedTuple):
    """One thing that a source reads."""

    name: str
    #: Why it cannot be read now, without secrets; or nothing.
    trouble: str


def probe(source: RecordSource, timeout: float) -> list[Probed]:
    """Ask for a record that nobody has; databases side by side.

    :param source: made with ``Settings.for_probing``
    :param timeout: in seconds, for all of it together
    """
    deadline = time.monotonic() + timeout
    try:
        asked = source.databases()
        if asked:
            return _probed(asked, deadline)
        source.lookup([NOBODY])
    except RecordsUnavailable as error:
        return [Probed("records", error.reason)]
    except Exception as error:
        # A source may be anybody's. What an unknown error says may hold a
        # password.
        return [Probed("records", f"it raised {type(error).__name__}")]
    return [Probed("records", "")]


def _probed(asked: Sequence[Asked], deadline: float) -> list[Probed]:
    """Ask each database everything that the source asks it."""
    begun = [
        [
            each.database.read(
                select,
                [NOBODY] if "{among}" in select else None,
                deadline=deadline,
            )
            for select in each.selects
            if each.database and not each.fault
        ]
        for each in asked
    ]
    found = []
    for each, readings in zip(asked, begun, strict=True):
        trouble = each.fault
        for reading in readings:
            try:
                reading.rows()
            except RecordsUnavailable as error:
                trouble = trouble or error.reason
        found.append(Probed(each.name, trouble))
    return found
