"""A response while its database refuses connections."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from benchmarks.report import Row
from benchmarks.turns import added
from nova_ext_sts import filter_factory
from tests.support.applications import Client, answering
from tests.support.load import load
from tests.support.lookups import LIST

if TYPE_CHECKING:
    from collections.abc import Iterator

TURNS = 5


def rows() -> Iterator[Row]:
    bare = answering(LIST)
    times: dict[str, list[float]] = {
        name: [] for name in ("bare", "filter", "bare CPU", "filter CPU")
    }
    # Bound and not listening: connections are refused.
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"mysql+pymysql://u:p@127.0.0.1:{closed.getsockname()[1]}/x"
        extended = filter_factory({}, connection=url)(bare)
        for _ in range(TURNS):
            for name, application in (("bare", bare), ("filter", extended)):
                loaded = load(
                    Client(application).get_list, threads=64, seconds=3
                )
                times[name].append(loaded.median)
                times[f"{name} CPU"].append(loaded.cpu)
    yield Row(
        "refused connections",
        "64 threads: added to the median of a bare response",
        "ms",
        added(times, "filter", "bare", 1e3),
        5,
        1,
    )
    yield Row(
        "refused connections",
        "64 threads: added to the CPU time of a bare response",
        "ms",
        added(times, "filter CPU", "bare CPU", 1e3),
    )
