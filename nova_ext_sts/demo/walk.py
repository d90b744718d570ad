# SPDX-License-Identifier: Apache-2.0
"""The script of the servers' lives, step by step."""

from __future__ import annotations

import collections
import itertools
from typing import TYPE_CHECKING, NamedTuple

from nova_ext_sts.demo import fleet
from nova_ext_sts.demo.lives import LIVES
from nova_ext_sts.states import LATER_STATUSES, SPECIFIED_STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nova_ext_sts.states import States

#: How many servers begin something at each step. All others that are in the
#: middle of something go on with it.
_BEGINNERS = 3

#: How far down the list the next one is, so that whoever sees a part of it
#: sees some of them.
_STRIDE = 8


class Moment(NamedTuple):
    """One step of a server's life.

    :param is_last: whether the server rests after it
    """

    action: str
    states: States
    is_last: bool


def beginnings() -> dict[str, States]:
    """Return the states from which each server sets out, by its id.

    They are those that the server is named after, with Nova's power state, or
    else those in which its life begins anew.
    """
    return {id: moments[-1].states for id, moments in _lives().items()}


def steps() -> Iterator[dict[str, Moment]]:
    """Yield the servers that change at each step, by their ids, for ever."""
    lives = {id: itertools.cycle(moments) for id, moments in _lives().items()}
    ids = list(lives)
    resting = collections.deque(
        id for start in range(_STRIDE) for id in ids[start::_STRIDE]
    )
    acting: list[str] = []
    while True:
        acting += [resting.popleft() for _ in range(_BEGINNERS)]
        changes = {id: next(lives[id]) for id in acting}
        yield changes
        resting.extend(id for id in acting if changes[id].is_last)
        acting = [id for id in acting if not changes[id].is_last]


def _lives() -> dict[str, list[Moment]]:
    """Return all moments of each server, by its id: its beginning is last."""
    lives = {}
    for row in SPECIFIED_STATUSES + LATER_STATUSES:
        name = fleet.server_name(row)
        moments = [
            Moment(action.name, states, number == len(action.moments))
            for action in LIVES[name]
            for number, states in enumerate(action.moments, 1)
        ]
        named_after = (row.vm_state, row.task_state)
        begun = next(
            (
                number
                for number, moment in enumerate(moments, 1)
                if moment.states[:2] == named_after
            ),
            0,
        )
        lives[fleet.server_id(name)] = moments[begun:] + moments[:begun]
    return lives
