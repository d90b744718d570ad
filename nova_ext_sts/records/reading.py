# SPDX-License-Identifier: Apache-2.0
"""A SELECT under way in another thread, which is waited for so long.

The drivers' own time-outs are for each step, and there are drivers without
one for reading: only who waits in a thread of its own can give up in time.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import time
from typing import TYPE_CHECKING, Any

from nova_ext_sts.records import RecordsUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from nova_ext_sts.records.outage import Account

    Rows = list[Sequence[Any]]


#: A failure that took longer, in seconds, has kept its response waiting,
#: whatever it was: silence, a host without a route, a locked table.
SLOW = 2.0


class Progress:
    """How far the thread that reads has come."""

    __slots__ = ("began", "connection")

    def __init__(self) -> None:
        #: When it turned to this reading, by ``time.monotonic``.
        self.began = math.inf
        #: The DB-API connection, while it is this reading's.
        self.connection: Any = None


class Reading:
    """The rows of a SELECT, once they are there.

    :param name: the database, as an error is to call it
    :param future: what gives the rows
    :param progress: what the thread has told of it
    :param timeout: what the time-out was set to, in seconds
    :param deadline: when it ends, by ``time.monotonic``
    :param reason_of: tells an error of the driver's in one line
    """

    def __init__(
        self,
        name: str,
        future: Future[Rows],
        progress: Progress,
        *,
        timeout: float,
        deadline: float,
        outage: Account,
        reason_of: Callable[[Exception], str],
    ) -> None:
        self._name = name
        self._future = future
        self._progress = progress
        self._timeout = timeout
        self._deadline = deadline
        self._outage = outage
        self._reason_of = reason_of

    def rows(self) -> Rows:
        """Return the rows, waiting for them until the deadline.

        :raises RecordsUnavailable: the database does not answer, or refuses
        """
        try:
            left = self._deadline - time.monotonic()
            rows = self._future.result(max(0.0, left))
        except Exception as error:
            # Whatever a driver raises, the response must go out.
            # It may have begun late, behind others that waited, too.
            waited = time.monotonic() - self._progress.began
            slow: bool | None = waited > min(SLOW, self._timeout / 2)
            if self._future.done():
                reason = self._reason_of(error)
            elif self._future.cancel():
                reason = f"no connection was free in {self._timeout:g} s"
                slow = None
            else:
                reason = f"no answer in {self._timeout:g} s"
                slow = slow or None
                self._give_up()
            self._outage.failed(reason, slow=slow)
            raise RecordsUnavailable(
                f"{self._name}: {reason}", logged=True
            ) from None
        self._outage.succeeded()
        return rows

    def _give_up(self) -> None:
        """Have the thread that still waits end its waiting, too.

        psycopg knows no time-out for reading: its socket is shut down, which
        it takes for a lost connection.
        """
        connection = self._progress.connection
        # PyMySQL's own time-out begins anew with each byte.
        connection = getattr(connection, "_sock", connection)
        fileno = getattr(connection, "fileno", None)
        if fileno is not None:
            with (
                contextlib.suppress(Exception),
                socket.socket(fileno=os.dup(fileno())) as copy,
            ):
                copy.shutdown(socket.SHUT_RDWR)
