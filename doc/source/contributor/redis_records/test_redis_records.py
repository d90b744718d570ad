"""The tests of the example, which need a Redis on 127.0.0.1:6379."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import redis
from oslo_config import cfg
from redis_records import KEY, RedisRecords

from nova_ext_sts import settings
from nova_ext_sts.records.testing import RecordSourceConformance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nova_ext_sts.states import States

# A database that nobody else uses.
URL = "redis://127.0.0.1:6379/15"


def source_of(url: str, timeout: float) -> RedisRecords:
    options = {"connection": url, "timeout": timeout}
    return RedisRecords(settings.read(cfg.ConfigOpts(), options))


class TestRedisRecords(RecordSourceConformance):
    @pytest.fixture
    def source(self) -> RedisRecords:
        return source_of(URL, 5.0)

    @pytest.fixture
    def keep(self) -> Iterator[Callable[[str, States], object]]:
        with redis.Redis.from_url(URL) as server:
            server.flushdb()
            yield lambda id_, states: server.set(
                KEY.format(id_), json.dumps(states)
            )
            server.flushdb()

    @pytest.fixture
    def timeout(self) -> float:
        return 1.0

    @pytest.fixture
    def unreachable(self, timeout: float) -> RedisRecords:
        return source_of("redis://127.0.0.1:1/0", timeout)
