"""A paste filter that takes Nova's own states out of its responses.

Nova gives states to every server in detail and show, so a filter outside has
nothing to add there. Behind this shim it has: and what Nova had said is
remembered, to compare. It stands nearest to Nova and touches each response to
GET that holds servers as Nova itself would have written it without states.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import (
        StartResponse,
        WSGIApplication,
        WSGIEnvironment,
    )

#: A request whose environ has a Memory under this key is told what was done.
#: An object and not a value, so that copies of the environ share it.
MEMORY = "nova_ext_sts_tests.shim"

#: In the order of the remembered tuples.
STATES = (
    "OS-EXT-STS:vm_state",
    "OS-EXT-STS:task_state",
    "OS-EXT-STS:power_state",
)


@dataclasses.dataclass
class Memory:
    """What the shim did with one response."""

    #: {server id: (vm_state, task_state, power_state)}, as Nova had it.
    states: dict[str, tuple[str | None, str | None, int | None]] = (
        dataclasses.field(default_factory=dict)
    )
    #: Nova's body.
    before: bytes = b""
    #: The body that was sent on.
    after: bytes = b""


class Shim:
    """The filter. It raises AssertionError where it would not be exact."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        started: list[Any] = []
        written: list[bytes] = []

        def start(status: str, headers: Any, exc_info: Any = None) -> Any:
            started[:] = [status, headers, exc_info]
            return written.append

        iterable = self._application(environ, start)
        try:
            written.extend(iterable)
        finally:
            if hasattr(iterable, "close"):
                iterable.close()
        memory = environ.get(MEMORY, Memory())
        memory.before = memory.after = b"".join(written)
        status, headers, exc_info = started
        if _is_json(headers) and memory.before:
            memory.after = _without_states(memory)
            headers = [
                (name, str(len(memory.after)))
                if name.lower() == "content-length"
                else (name, value)
                for name, value in headers
            ]
        start_response(status, headers, exc_info)
        return [memory.after]


def filter_factory(
    global_conf: dict[str, str], **local_conf: str
) -> type[Shim]:
    """Return the filter, as paste.deploy asks for it."""
    return Shim


def _is_json(headers: Iterable[tuple[str, str]]) -> bool:
    return any(
        name.lower() == "content-type"
        and value.partition(";")[0] == "application/json"
        for name, value in headers
    )


def _without_states(memory: Memory) -> bytes:
    document = json.loads(memory.before)
    # Nova writes with json.dumps and its defaults. As long as that gives the
    # very same bytes, dumping less of the document changes nothing else.
    assert _dumped(document) == memory.before
    for server in _servers(document):
        # All three, or none: the stand-in for a server in a cell that is down
        # has a power state and no more, and stays as it is.
        if all(name in server for name in STATES):
            memory.states[server["id"]] = (
                server.pop(STATES[0]),
                server.pop(STATES[1]),
                server.pop(STATES[2]),
            )
    return _dumped(document)


def _servers(document: Any) -> list[dict[str, Any]]:
    if not isinstance(document, dict):
        return []
    servers = document.get("servers", [document.get("server")])
    return [server for server in servers if isinstance(server, dict)]


def _dumped(document: Any) -> bytes:
    return json.dumps(document).encode("ascii")
