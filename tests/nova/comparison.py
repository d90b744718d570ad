"""What it means that two responses agree.

It shares no code and no library but json with the filter that it checks.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from webtest import TestResponse

STATES = (
    "OS-EXT-STS:vm_state",
    "OS-EXT-STS:task_state",
    "OS-EXT-STS:power_state",
)


def loaded(body: bytes) -> Any:
    """Return a document that gives the same bytes when it is dumped again."""
    document = json.loads(body)
    assert json.dumps(document).encode() == body
    return document


def servers_in(document: Any) -> list[dict[str, Any]]:
    """Return the servers in a document, if there are any."""
    if not isinstance(document, dict):
        return []
    found = document.get("servers", [document.get("server")])
    return [server for server in found if isinstance(server, dict)]


def states(server: dict[str, Any]) -> dict[str, Any]:
    """Return a server's three states, or nothing if it has not all of them.

    The stand-in for a server in a cell that is down may have one.
    """
    if not all(name in server for name in STATES):
        return {}
    return {name: server[name] for name in STATES}


def headers(response: TestResponse) -> list[tuple[str, str]]:
    """Return the headers, without what no two responses have in common."""
    return [
        (name, "" if name.lower().endswith("-request-id") else value)
        for name, value in response.headerlist
    ]


def assert_same(passed: TestResponse, said: TestResponse) -> None:
    """Assert that a response is, to the byte, Nova's alone."""
    assert passed.status == said.status
    assert headers(passed) == headers(said)
    assert passed.body == said.body


def assert_changed(
    changed: TestResponse, said: TestResponse, document: Any
) -> None:
    """Assert that a response is Nova's with another document."""
    assert changed.status == said.status == "200 OK"
    body = json.dumps(document).encode()
    assert changed.body == body
    length = "Content-Length"
    assert headers(changed) == [
        (name, str(len(body)) if name == length else value)
        for name, value in headers(said)
    ]


def assert_extended(
    extended: TestResponse, bare: TestResponse, said: TestResponse
) -> None:
    """Assert that a bare list got the states that Nova says in detail."""
    found = {server["id"]: states(server) for server in servers_in(said.json)}
    document = loaded(bare.body)
    for server in servers_in(document):
        server |= found[server["id"]]
    assert_changed(extended, bare, document)


def assert_restored(restored: TestResponse, said: TestResponse) -> None:
    """Assert that the filter gave back what the shim had taken away."""
    assert restored.status == said.status == "200 OK"
    document = loaded(said.body)
    # Else this comparison is an empty exercise.
    assert any(map(states, servers_in(document)))
    for server in servers_in(document):
        # The filter adds them at the end.
        for name in states(server):
            server[name] = server.pop(name)
    assert restored.body == json.dumps(document).encode()
    # The shim moves a header.
    assert sorted(headers(restored)) == sorted(headers(said))
