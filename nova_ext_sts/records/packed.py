# SPDX-License-Identifier: Apache-2.0
"""Many rows as one, for a driver that takes its time over each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

#: From so many ids on the driver's time is more than what packing costs the
#: server.
MANY = 100

_decode_rows = msgspec.json.Decoder(list[tuple[Any, ...]]).decode


def packed(select: str, template: str) -> str:
    """Return the statement that gives the rows of another one as one row.

    :param select: the other one, of columns and no expressions
    :param template: as in ``systems.Driver``; empty where rows come as fast
    """
    columns, _, rest = select.removeprefix("SELECT ").partition(" FROM ")
    return template.format(columns=columns, rest=rest)


def unpacked(rows: Sequence[Sequence[Any]]) -> list[Sequence[Any]] | None:
    """Return the rows that one row holds; None where it does not hold all.

    A server cuts what is longer than it will send, and only warns of it.
    """
    ((count, text),) = rows
    try:
        found: list[Sequence[Any]] = list(_decode_rows(f"[{text or ''}]"))
    except ValueError:
        return None
    return found if len(found) == count else None
