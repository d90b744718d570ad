# SPDX-License-Identifier: Apache-2.0
"""Whether records can be read, found out by asking for one that nobody has."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nova_ext_sts.records import RecordsUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nova_ext_sts.records import Asked, RecordSource

#: The nil UUID (RFC 9562), which is no server's.
NOBODY = "00000000-0000-0000-0000-000000000000"


def probe(source: RecordSource, timeout: float) -> dict[str, str]:
    """Return ``{what is read: why it cannot be read now, or nothing}``.

    Reasons are without secrets. Databases are asked side by side.

    :param source: made with ``Settings.for_probing``
    :param timeout: in seconds, for all of it together
    """
    deadline = time.monotonic() + timeout
    try:
        asked = source.databases()
        if asked:
            return _asked(asked, deadline)
        source.lookup([NOBODY])
    except RecordsUnavailable as error:
        return {"records": error.reason}
    except Exception as error:
        # A source may be anybody's. What an unknown error says may hold a
        # password.
        return {"records": f"it raised {type(error).__name__}"}
    return {"records": ""}


def _asked(asked: Sequence[Asked], deadline: float) -> dict[str, str]:
    """Ask each database everything that the source asks it."""
    found = {each.name: each.fault for each in asked}
    readings = []
    for each in asked:
        if each.database and not each.fault:
            for select in each.selects:
                ids = [NOBODY] if "{among}" in select else None
                reading = each.database.read(select, ids, deadline=deadline)
                readings.append((each.name, reading))
    for name, reading in readings:
        try:
            reading.rows()
        except RecordsUnavailable as error:
            found[name] = found[name] or error.reason
    return found
