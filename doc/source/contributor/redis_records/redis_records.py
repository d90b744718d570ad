"""A record source for nova-ext-sts: states that are kept in Redis.

Each key ``extended-status:ID`` holds the states of one server as a JSON list,
``["active", null, 1]``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from nova_ext_sts.records import RecordSource, RecordsUnavailable
from nova_ext_sts.settings import ConfigurationError
from nova_ext_sts.states import States

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nova_ext_sts.settings import Settings

KEY = "extended-status:{}"


class RedisRecords(RecordSource):
    """Reads the Redis that ``connection`` names, ``redis://HOST:PORT/DB``."""

    def __init__(self, settings: Settings) -> None:
        if settings.database is None:
            raise ConfigurationError(
                "No Redis is known that holds the states: set connection in "
                "[extended_status] to redis://HOST:PORT/DB."
            )
        try:
            # Connects on the first command, anew after a fork, and once more
            # if the connection is lost: connecting and reading, twice, is to
            # stay within the time-out.
            self._redis = redis.Redis.from_url(
                settings.database.url,
                socket_connect_timeout=settings.timeout / 4,
                socket_timeout=settings.timeout / 4,
                retry=Retry(NoBackoff(), 1),
            )
        except ValueError:
            # from None: the text of the URL may hold a password.
            raise ConfigurationError(
                "The option connection of [extended_status] is no URL of a "
                "Redis: write redis://HOST:PORT/DB."
            ) from None

    def lookup(self, ids: Sequence[str]) -> Mapping[str, States]:
        try:
            values = self._redis.mget([KEY.format(id_) for id_ in ids])
        except redis.RedisError as error:
            # The kind of error says enough, and holds no secret.
            raise RecordsUnavailable(
                f"Redis does not answer ({type(error).__name__})"
            ) from error
        return {
            id_: States(*json.loads(value))
            for id_, value in zip(ids, values, strict=True)
            if value is not None
        }
