"""The peak of memory for one response, above the body received."""

from __future__ import annotations

import gc
import tracemalloc
from typing import TYPE_CHECKING

from benchmarks import bodies
from benchmarks.lookup import filled
from benchmarks.report import Row
from nova_ext_sts import filter_factory
from tests.support.applications import Client

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import (
        StartResponse,
        WSGIApplication,
        WSGIEnvironment,
    )

COUNT = 1000
#: The media type, and the bytes that the application yields at a time.
BODIES = {
    "JSON": ("application/json", bodies.without_states, 2**30),
    "JSON in chunks": ("application/json", bodies.without_states, 65536),
    "XML": ("application/xml", bodies.xml, 2**30),
}


def rows() -> Iterator[Row]:
    with filled("sqlite", COUNT) as database:
        for title, (media_type, make, step) in BODIES.items():
            body = make(COUNT)
            application = filter_factory({}, connection=database.url)(
                _writing(body, media_type, step)
            )
            yield Row(
                "memory",
                f"detail of 1,000 servers, {title}: above the body",
                "bodies",
                [_peak(application) / len(body) - 1 for _ in range(3)],
                1.5,
                1.2,
            )


def _writing(body: bytes, media_type: str, step: int) -> WSGIApplication:
    """Return an application that makes a new body for each response."""

    def application(
        _: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", media_type)])
        return (
            bytes(bytearray(body[start : start + step]))
            for start in range(0, len(body), step)
        )

    return application


def _peak(application: WSGIApplication) -> int:
    """Return the most bytes that a response takes, once all is loaded."""
    Client(application).get("/v2.1/servers/detail")
    gc.collect()
    tracemalloc.start()
    Client(application).get("/v2.1/servers/detail")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
