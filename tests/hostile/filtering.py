"""The filter with a real database, around an application's bodies."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event

from nova_ext_sts import filter_factory
from nova_ext_sts.states import States
from tests.support.applications import Client, Response, answering

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST = "29a5b2e2-7c1c-4b8b-8f3e-0d1f5b1a9c01"
SECOND = "c0ffee00-1111-4222-8333-444455556666"

#: The records in the database. Some values need escapes.
RECORDS = {
    FIRST: States("active", None, 1),
    SECOND: States('re"sized\n', "<resize>&\u2603", -4),
    "a": States("stopped", "powering-on", None),
    "b": States(None, None, None),
}

PATHS = {
    "list": "/v2.1/servers",
    "detail": "/v2.1/servers/detail",
    "show": f"/v2.1/servers/{FIRST}",
}


class Filtering:
    """Passes bodies through the filter."""

    def __init__(self, connection: str, **options: Any) -> None:
        # One filter for all: to make one takes longer than a response.
        extended = filter_factory({}, connection=connection, **options)
        self._application = answering(b"")
        self._client = Client(
            extended(lambda *request: self._application(*request))
        )

    def body(self, body: bytes, call: str, body_format: str) -> bytes:
        """Return the filter's body for an application's body."""
        response = self.response(body, call, f"application/{body_format}")
        assert response.status == "200 OK"
        length = ("Content-Length", str(len(response.body)))
        assert response.headers.count(length) == 1
        assert response.names.count("Content-Length") == 1
        return response.body

    def response(self, body: bytes, call: str, content_type: str) -> Response:
        length = str(len(body))
        headers = ("Content-Type", content_type), ("Content-Length", length)
        self._application = answering(body, *headers)
        return self._client.get(PATHS[call])


@contextlib.contextmanager
def asked_ids() -> Iterator[list[str]]:
    """Collect every id that a database is queried for.

    A statement with any other parameter is an error.
    """
    ids: list[str] = []

    def note(_0: Any, _1: Any, _2: Any, parameters: Any, *_: Any) -> None:
        # SQLite takes a page's ids as one text in JSON.
        (page,) = parameters
        ids.extend(json.loads(page))

    event.listen(sa.engine.Engine, "before_cursor_execute", note)
    try:
        yield ids
    finally:
        event.remove(sa.engine.Engine, "before_cursor_execute", note)
