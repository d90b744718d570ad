"""A request that the filter does not handle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oslo_middleware import base

from benchmarks.report import Row
from benchmarks.turns import added, in_turns
from nova_ext_sts import filter_factory
from tests.support.applications import answering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _typeshed.wsgi import WSGIApplication

REQUESTS = (
    ("GET", "/v2.1/flavors/detail"),
    ("GET", "/v2.1/servers/0f3a8c1e/ips"),
    ("GET", "/v2.1/os-hypervisors/compute-1/servers"),
    ("POST", "/v2.1/servers"),
)
PART = "a request that is not handled"


def rows() -> Iterator[Row]:
    bare = answering(b"{}")
    applications: dict[str, WSGIApplication] = {
        "bare": bare,
        "filter": filter_factory({}, connection="sqlite://")(bare),
        "empty": base.ConfigurableMiddleware(bare),
    }
    for method, path in REQUESTS:
        times = in_turns(
            {
                name: _request(application, method, path)
                for name, application in applications.items()
            },
            seconds=0.1,
        )
        yield Row(
            PART,
            f"{method} {path}: the filter adds",
            "µs",
            added(times, "filter", "bare", 1e6),
            1,
            0.3,
        )
        yield Row(
            PART,
            f"{method} {path}: an empty oslo.middleware filter adds",
            "µs",
            added(times, "empty", "bare", 1e6),
        )


def _request(
    application: WSGIApplication, method: str, path: str
) -> Callable[[], object]:
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8774",
        "wsgi.url_scheme": "http",
    }

    def start_response(*_: object) -> Any:
        return None

    return lambda: application(environ, start_response)
