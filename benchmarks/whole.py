"""The whole filter, against the raw query alone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from benchmarks import bodies
from benchmarks.lookup import filled, page, raw_query
from benchmarks.report import Row
from benchmarks.turns import in_turns, ratios
from nova_ext_sts import filter_factory
from tests.support.applications import Client, answering

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTANCES = 50_000


def rows() -> Iterator[Row]:
    body = bodies.without_states(1000)
    with filled("sqlite", INSTANCES) as database:
        extended = filter_factory({}, connection=database.url)(answering(body))
        get = partial(Client(extended).get, "/v2.1/servers/detail")
        raw = partial(
            raw_query(sa.engine.make_url(database.url)), page(1000, INSTANCES)
        )
        assert get().body.count(b"OS-EXT-STS:vm_state") == 1000
        times = in_turns({"filter": get, "raw": raw})
        yield Row(
            "the whole filter",
            "1,000 of 50,000 servers in SQLite: in raw queries",
            "times",
            ratios(times, "filter", "raw"),
            3,
            2.2,
        )
