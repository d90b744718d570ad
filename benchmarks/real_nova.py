"""A real Nova with 1,000 servers in two cells, on MariaDB.

The filter's time is measured inside each request, as its whole time less that
of Nova: the difference of two responses of seconds would be noise.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import webob

from benchmarks.report import Row
from benchmarks.turns import ratios
from nova_ext_sts import filter_factory
from tests.nova import fleet
from tests.nova.installation import ADMIN, Installation, MariaDB

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import (
        StartResponse,
        WSGIApplication,
        WSGIEnvironment,
    )

SERVERS = 1000
TURNS = 5
HEADERS = {**ADMIN, "OpenStack-API-Version": "compute 2.104"}
PATHS = {"list": "/v2.1/servers", "detail": "/v2.1/servers/detail"}


class Timed:
    """An application, and the seconds that its last response took.

    Nova and the filter return whole bodies.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self.seconds = 0.0

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        began = time.perf_counter()
        body = self._application(environ, start_response)
        self.seconds = time.perf_counter() - began
        return body


def rows() -> Iterator[Row]:
    shares: dict[str, list[float]] = {name: [] for name in PATHS}
    times: dict[str, list[float]] = {name: [] for name in PATHS}
    sizes: dict[str, list[float]] = {name: [] for name in PATHS}
    with (
        tempfile.TemporaryDirectory() as directory,
        Installation(Path(directory), MariaDB()) as installation,
    ):
        fleet.create(fleet.fleet_of(SERVERS))
        nova = Timed(installation.application("nova_alone"))
        # Without options the filter reads Nova's configuration.
        extended = Timed(filter_factory({})(nova))
        for path in PATHS.values():
            _get(extended, path)
        for _ in range(TURNS):
            for name, path in PATHS.items():
                body = _get(extended, path)
                assert body.count(b"OS-EXT-STS:vm_state") == SERVERS
                filter_seconds = extended.seconds - nova.seconds
                shares[name].append(100 * filter_seconds / nova.seconds)
                # Nova's detail list has states without the filter.
                whole = nova if name == "detail" else extended
                times[name].append(whole.seconds)
                sizes[name].append(len(body))
    for name, *limits in (("list", 2, 1), ("detail", 1, 0.5)):
        yield Row(
            "real Nova, 1,000 servers",
            f"{name}: the filter adds",
            "%",
            shares[name],
            *limits,
        )
    for what, values in (("time", times), ("bytes", sizes)):
        yield Row(
            "polling states",
            f"{what}: detail without the filter, in lists with it",
            "times",
            ratios(values, "detail", "list"),
        )


def _get(application: WSGIApplication, path: str) -> bytes:
    response = webob.Request.blank(path, headers=HEADERS).get_response(
        application
    )
    assert response.status_int == 200
    body: bytes = response.body
    return body
