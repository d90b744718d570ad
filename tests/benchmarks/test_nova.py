"""A real Nova 34 with 1,000 servers in two cells, on MariaDB.

What the filter adds is measured inside each request, as the time that it
takes less that of the application behind it: the difference of two answers of
seconds would drown it in noise.
"""

from __future__ import annotations

import gc
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from nova_ext_sts import ExtendedStatus, extension
from tests.benchmarks.rows import Row, noted, ratio
from tests.benchmarks.turns import in_turns
from tests.nova import fleet
from tests.nova.client import Api, Client
from tests.nova.installation import Installation, MariaDB

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import (
        StartResponse,
        WSGIApplication,
        WSGIEnvironment,
    )

    from tests.benchmarks.conftest import Measure, Note

SERVERS = 1000
TURNS = 5
NOVA = Api("2.104", "/v2.1", "2.104")

#: Each contender's application in the installation's paste file, and the
#: call. Behind the shim, Nova gives no states of its own.
CONTENDERS = {
    "list alone": ("nova_alone", "/servers"),
    "list with the filter": ("osapi_compute", "/servers"),
    "detail alone": ("nova_alone", "/servers/detail"),
    "detail with the filter": ("osapi_compute", "/servers/detail"),
    "detail without states alone": ("behind_shim", "/servers/detail"),
    "detail without states with the filter": (
        "behind_shim_and_filter",
        "/servers/detail",
    ),
}

PART = "real Nova, 1,000 servers"
ROWS = [
    Row(
        PART,
        "list: the filter adds",
        "%",
        noted("Nova", "share: list with the filter"),
        1.0,
        0.3,
    ),
    Row(
        PART,
        "detail, with states of its own: the filter adds",
        "%",
        noted("Nova", "share: detail with the filter"),
        1.0,
        0.3,
    ),
    Row(
        PART,
        "detail, without states of its own: the filter adds",
        "%",
        noted("Nova", "share: detail without states with the filter"),
        1.0,
        0.3,
    ),
    Row(
        PART,
        "list with the filter, of list alone",
        "times",
        ratio("Nova", "list with the filter", "list alone"),
    ),
    Row(
        PART,
        "detail with the filter, of detail alone",
        "times",
        ratio("Nova", "detail with the filter", "detail alone"),
    ),
    Row(
        "who only polls states",
        "time: detail alone, in lists with the filter",
        "times",
        ratio("Nova", "detail alone", "list with the filter"),
    ),
    Row(
        "who only polls states",
        "bytes: detail alone, in lists with the filter",
        "times",
        ratio("bytes", "detail alone", "list with the filter"),
    ),
]


class Stopwatch:
    """Times the filter, and apart from it what it calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.inside = 0.0
        self.whole = 0.0
        call = ExtendedStatus.__call__

        def timed(
            extended: ExtendedStatus,
            environ: WSGIEnvironment,
            start_response: StartResponse,
        ) -> Iterable[bytes]:
            began = time.perf_counter()
            body = call(extended, environ, start_response)
            self.whole += time.perf_counter() - began
            return body

        monkeypatch.setattr(ExtendedStatus, "__call__", timed)
        for each in gc.get_objects():
            if isinstance(each, ExtendedStatus):
                inner = each.application
                monkeypatch.setattr(each, "application", self._timed(inner))

    @property
    def share(self) -> float:
        """What the filter added to the time of what it called, in per cent."""
        return (self.whole - self.inside) / self.inside * 100

    def _timed(self, application: WSGIApplication) -> WSGIApplication:
        def timed(
            environ: WSGIEnvironment, start_response: StartResponse
        ) -> Iterable[bytes]:
            began = time.perf_counter()
            # Nova answers with a whole body.
            body = application(environ, start_response)
            self.inside += time.perf_counter() - began
            return body

        return timed


@pytest.fixture(scope="module")
def nova(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    directory = tmp_path_factory.mktemp("nova")
    with Installation(directory, MariaDB()) as installation:
        fleet.create(fleet.fleet_of(SERVERS))
        for name in {application for application, _ in CONTENDERS.values()}:
            # Loaded, and warm: connected to every cell.
            client = Client(installation.application(name))
            assert client.get(NOVA, "/servers").servers
        yield installation


@in_turns(*CONTENDERS, turns=TURNS)
def test_nova(
    measure_once: Measure,
    note: Note,
    nova: Installation,
    monkeypatch: pytest.MonkeyPatch,
    turn: int,
    contender: str,
) -> None:
    application, path = CONTENDERS[contender]
    client = Client(nova.application(application))
    answers: list[Any] = []
    stopwatch = Stopwatch(monkeypatch)
    measure_once(
        "Nova", contender, lambda: answers.append(client.get(NOVA, path))
    )
    (answer,) = answers
    servers = json.loads(answer.body)["servers"]
    live = [server for server in servers if server.get("name")]
    assert len(live) == SERVERS
    has_states = contender not in ("list alone", "detail without states alone")
    for server in live:
        given = [name in server for name in extension.ATTRIBUTES]
        assert given == [has_states] * len(given)
    note("bytes", contender, len(answer.body))
    if stopwatch.inside:
        note("Nova", f"share: {contender}", stopwatch.share)
