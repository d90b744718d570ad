"""What a response costs while its database refuses connections."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from nova_ext_sts import filter_factory
from tests.benchmarks.rows import Row, added
from tests.support.applications import Client, answering
from tests.support.load import load
from tests.support.lookups import LIST

if TYPE_CHECKING:
    from tests.benchmarks.conftest import Note

TURNS = 5

ROWS = [
    Row(
        "refused connections",
        "a response of 64 threads: added to a bare one",
        "ms",
        added("refusal", "filter", "bare", 1000),
        budget=5,
        ambition=1,
    ),
    Row(
        "refused connections",
        "CPU of a response: added to a bare one",
        "ms",
        added("refusal", "filter's CPU", "bare CPU", 1000),
        budget=2,
    ),
]


@pytest.mark.parametrize("turn", range(TURNS))
def test_refusals(note: Note, turn: int) -> None:
    application = answering(LIST)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"mysql+pymysql://u:p@127.0.0.1:{closed.getsockname()[1]}/x"
        extended = filter_factory({}, connection=url)(application)
        for name, cpu, client in (
            ("bare", "bare CPU", Client(application)),
            ("filter", "filter's CPU", Client(extended)),
        ):
            loaded = load(client.get_list, threads=64, seconds=3)
            note("refusal", name, loaded.median)
            note("refusal", cpu, loaded.cpu)
