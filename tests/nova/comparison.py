"""What it means that two answers agree."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.nova.shim import STATES
from tests.nova.splices import states, without_states

if TYPE_CHECKING:
    from tests.nova.client import Answer


def assert_same(passed: Answer, said: Answer) -> None:
    """Assert that a response is, to the byte, what Nova alone answers."""
    assert passed.status == said.status
    assert passed.body == said.body
    assert passed.comparable_headers == said.comparable_headers


def assert_restored(extended: Answer, said: Answer) -> None:
    """Assert that the filter gave back what the shim had taken away."""
    assert extended.status == said.status == "200 OK"
    memory = extended.memory
    assert memory.before == said.body
    assert canonical(extended.document) == canonical(said.document)
    assert without_states(extended.body, memory.states) == memory.after
    assert extended.comparable_headers == said.comparable_headers
    assert_length(extended)


def assert_extended(extended: Answer, bare: Answer, said: Answer) -> None:
    """Assert that a bare list got the states that Nova says in detail."""
    assert extended.status == bare.status == said.status == "200 OK"
    records = {server["id"]: states(server) for server in said.servers}
    expected = bare.document
    for server in expected["servers"]:
        server |= zip(STATES, records[server["id"]] or (), strict=False)
    assert canonical(extended.document) == canonical(expected)
    assert without_states(extended.body, records) == bare.body
    assert [
        header
        for header in extended.comparable_headers
        if header[0] != "Content-Length"
    ] == [
        header
        for header in bare.comparable_headers
        if header[0] != "Content-Length"
    ]
    assert_length(extended)


def assert_length(answer: Answer) -> None:
    lengths = [
        value
        for name, value in answer.headers
        if name.lower() == "content-length"
    ]
    assert lengths == [str(len(answer.body))]


def canonical(document: Any) -> str:
    """Return text that is equal for equal JSON, and for nothing else."""
    return json.dumps(document, sort_keys=True)
