# SPDX-License-Identifier: Apache-2.0
"""What all response bodies with servers have in common."""

from __future__ import annotations

import abc
import io
from typing import TYPE_CHECKING, AnyStr

from nova_ext_sts.calls import Call
from nova_ext_sts.states import States

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    #: For each of the states, whether the application wrote it.
    Given = tuple[bool, bool, bool]
    #: (start, end, text): text replaces the bytes between two positions.
    Edit = tuple[int, int, bytes]

#: The member (JSON) or root element (XML) that holds the servers of a call.
HOLDERS = {Call.LIST: "servers", Call.DETAIL: "servers", Call.SHOW: "server"}

NONE_GIVEN: Given = (False, False, False)

#: Nova shows a server of a cell that does not answer with this status and
#: without a name (since microversion 2.69). Its schemas forbid states there.
STAND_IN_STATUS = "UNKNOWN"


class Document(abc.ABC):
    """A response body whose servers have been located.

    :param body: a complete body
    :param call: the call that it answers
    :param overwrite: whether states that the application wrote are replaced
    :raises ValueError: the body is no valid response to that call
    :raises RecursionError: it is nested too deeply, as ``splice`` raises it
    """

    def __init__(self, body: bytes, call: Call, *, overwrite: bool) -> None:
        self._body = body
        self._overwrite = overwrite
        #: The id of each server; empty if it must not be changed.
        self._ids: list[str] = []
        self._given: list[Given] = []
        #: Where its missing states belong.
        self._places: list[int] = []
        self._locate(HOLDERS[call])

    @property
    def server_ids(self) -> Sequence[str]:
        """The ids of the servers that lack states, in order, each once."""
        return [each for each in dict.fromkeys(self._ids) if each]

    def splice(self, records: Mapping[str, States]) -> bytes:
        """Return the body with the states of the servers in ``records``.

        :raises TypeError: they are not three, or no text, integer or None
        """
        return edited(self._body, self._edits(records))

    def _edits(self, records: Mapping[str, States]) -> Iterator[Edit]:
        """Yield the edits that add states, in order."""
        # Pages hold few distinct states.
        fields: dict[States, bytes] = {}
        found = map(records.get, self._ids)
        servers = zip(found, self._given, self._places, strict=True)
        for number, (states, given, place) in enumerate(servers):
            if states is None:
                continue
            if given is NONE_GIVEN:
                text = fields.get(states)
                if text is None:
                    text = self._fields(States.of(states), given)
                    fields[states] = text
                yield place, place, text
            else:
                text = self._fields(States.of(states), given)
                edits = [(place, place, text)]
                if self._overwrite:
                    edits += self._replacements(number, states)
                yield from sorted(edits)

    @abc.abstractmethod
    def _locate(self, holder: str) -> None:
        """Find the servers."""

    @abc.abstractmethod
    def _fields(self, states: States, given: Given) -> bytes:
        """Return the states that are not given, as the format writes them."""

    @abc.abstractmethod
    def _replacements(self, number: int, states: States) -> Iterable[Edit]:
        """Return the edits that replace the given states of a server."""


def edited(body: bytes, edits: Iterable[Edit]) -> bytes:
    """Return the body with edits, which are in order."""
    view = memoryview(body)
    # A list of pieces to join would take half as much memory again.
    result = io.BytesIO()
    write = result.write
    done = 0
    for start, end, text in edits:
        write(view[done:start])
        write(text)
        done = end
    write(view[done:])
    return result.getvalue()


def after(pattern: re.Pattern[AnyStr], text: AnyStr, position: int) -> int:
    """Return the end of what a pattern matches at a position."""
    match = pattern.match(text, position)
    return match.end() if match else position
