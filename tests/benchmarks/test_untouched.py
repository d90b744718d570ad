"""A call that is not the filter's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import webob.dec
from oslo_middleware import base

from nova_ext_sts import filter_factory
from tests.benchmarks.rows import Row, added
from tests.benchmarks.turns import in_turns
from tests.support.applications import answering

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from tests.benchmarks.conftest import Measure

CALLS = {
    "GET /flavors/detail": ("GET", "/v2.1/flavors/detail"),
    "GET /servers/ID/ips": ("GET", "/v2.1/servers/0f3a8c1e/ips"),
    "GET /os-hypervisors/NAME/servers": (
        "GET",
        "/v2.1/os-hypervisors/compute-1/servers",
    ),
    "POST /servers": ("POST", "/v2.1/servers"),
}

PART = "a call that is not ours"
ROWS = [
    row
    for call in CALLS
    for row in (
        Row(
            PART,
            f"{call}: the filter adds",
            "µs",
            added(call, "filter", "bare", 1e6),
            budget=1.0,
            ambition=0.3,
        ),
        Row(
            PART,
            f"{call}: an empty oslo.middleware filter adds",
            "µs",
            added(call, "oslo.middleware", "bare", 1e6),
        ),
        Row(
            PART,
            f"{call}: a filter by WebOb's wsgify adds",
            "µs",
            added(call, "wsgify", "bare", 1e6),
        ),
    )
]


class Empty(base.ConfigurableMiddleware):
    """What a filter costs that does nothing."""


def wsgified(application: WSGIApplication) -> WSGIApplication:
    def passed(request: Any, application: WSGIApplication) -> Any:
        return request.get_response(application)

    wrapped: WSGIApplication = webob.dec.wsgify.middleware(passed)(application)
    return wrapped


BARE = answering(b"{}")
APPLICATIONS: dict[str, WSGIApplication] = {
    "bare": BARE,
    "filter": filter_factory({}, connection="sqlite://")(BARE),
    "oslo.middleware": Empty(BARE),
    "wsgify": wsgified(BARE),
}


@in_turns(*APPLICATIONS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.benchmark(max_time=0.05, min_time=0.001)
def test_call(measure: Measure, call: str, turn: int, contender: str) -> None:
    method, path = CALLS[call]
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8774",
        "wsgi.url_scheme": "http",
    }
    application = APPLICATIONS[contender]

    def start_response(*_: object) -> Any:
        return None

    measure(call, contender, lambda: application(environ, start_response))
