# SPDX-License-Identifier: Apache-2.0
"""What every record source must do, as tests for pytest to run.

Not used by the filter: for the authors of record sources.
"""

from __future__ import annotations

import os
import time
from concurrent import futures
from typing import TYPE_CHECKING

import pytest

from nova_ext_sts.records import RecordSource, RecordsUnavailable
from nova_ext_sts.states import States

if TYPE_CHECKING:
    from collections.abc import Callable

    #: Keeps the states of one server where the source reads them.
    Keep = Callable[[str, States], object]

ACTIVE = States("active", None, 1)


class RecordSourceConformance:
    """The contract of ``RecordSource``, test by test.

    A class that inherits from this one is collected by pytest where its name
    begins with ``Test``. It, or its module, has these fixtures:

    ``source``
        the record source, new and with nothing kept yet
    ``keep``
        a callable ``(server_id, states)`` that has the source find them
    ``unreachable``
        a record source whose records cannot be read
    ``timeout``
        the ``timeout`` that ``unreachable`` was made with, in seconds
    """

    def test_servers_with_a_record_have_its_states(
        self, source: RecordSource, keep: Keep
    ) -> None:
        assert source.lookup(["a"]) == {}
        keep("a", ACTIVE)
        assert source.lookup(["b", "a"]) == {"a": ACTIVE}
        rebooting = States("active", "rebooting", 1)
        keep("b", rebooting)
        found = source.lookup(["b", "a", "c"])
        assert found == {"a": ACTIVE, "b": rebooting}

    def test_states_are_read_anew(
        self, source: RecordSource, keep: Keep
    ) -> None:
        for number in range(3):
            states = ACTIVE._replace(power_state=number)
            keep("a", states)
            assert source.lookup(["a"]) == {"a": states}

    def test_states_are_verbatim(
        self, source: RecordSource, keep: Keep
    ) -> None:
        kept = {
            "nothing": States(None, None, None),
            "unknown": States("no such state", "no such task", 77),
            "negative": States("", "", -1),
            "longest": States("☃" * 255, "é" * 255, 2**31 - 1),
        }
        for server_id, states in kept.items():
            keep(server_id, states)
        found = source.lookup(list(kept))
        assert found == kept
        assert {type(states) for states in found.values()} == {States}

    def test_ids_are_taken_as_they_are(
        self, source: RecordSource, keep: Keep
    ) -> None:
        odd = [".", "~", ":ids", "a@b", "a+b", "a=b", "-", "_", "A"]
        for server_id in odd:
            assert source.lookup([server_id]) == {}
            keep(server_id, ACTIVE)
            assert source.lookup([server_id]) == {server_id: ACTIVE}
        assert source.lookup(["x" * 255]) == {}

    def test_page_of_a_thousand_is_read(
        self, source: RecordSource, keep: Keep
    ) -> None:
        ids = [f"{number:08}-0000-4000-8000-0" for number in range(1000)]
        for server_id in ids[::50]:
            keep(server_id, ACTIVE)
        assert source.lookup(ids) == dict.fromkeys(ids[::50], ACTIVE)

    def test_threads_share_a_source(
        self, source: RecordSource, keep: Keep
    ) -> None:
        ids = [f"server-{number}" for number in range(16)]
        for number, server_id in enumerate(ids):
            keep(server_id, ACTIVE._replace(power_state=number))

        def is_right(number: int) -> bool:
            expected = {ids[number]: ACTIVE._replace(power_state=number)}
            return source.lookup([ids[number]]) == expected

        with futures.ThreadPoolExecutor(16) as threads:
            assert all(threads.map(is_right, [*range(16)] * 20))

    def test_source_survives_a_fork(
        self, source: RecordSource, keep: Keep
    ) -> None:
        keep("a", ACTIVE)
        assert source.lookup(["a"]) == {"a": ACTIVE}
        children = [_forked(source) for _ in range(3)]
        # While the children use their connections.
        assert source.lookup(["a"]) == {"a": ACTIVE}
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]

    def test_unreachable_records_are_unavailable_in_time(
        self, unreachable: RecordSource, timeout: float
    ) -> None:
        began = time.monotonic()
        with pytest.raises(RecordsUnavailable) as raised:
            unreachable.lookup(["a"])
        assert len(raised.value.reason.splitlines()) == 1
        # With room for what else the machine does.
        assert time.monotonic() - began < timeout + 0.8


def _forked(source: RecordSource) -> int:
    """Return the id of a child process, which exits with 0 if all is well."""
    child = os.fork()
    if child == 0:  # pragma: no cover - in the child, which is not measured
        # Nothing of the test runner's must run here.
        status = 1
        try:
            for _ in range(20):
                assert source.lookup(["a"]) == {"a": ACTIVE}
            status = 0
        finally:
            os._exit(status)
    return child
