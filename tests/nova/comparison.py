"""What it means that two answers agree."""

from __future__ import annotations

import collections
import json
from typing import TYPE_CHECKING, Any

from tests.nova.splices import STATES, states, unspliced, without_states

if TYPE_CHECKING:
    from tests.nova.client import Answer
    from tests.nova.splices import States

LENGTH = "Content-Length"

#: How many responses and servers have been compared.
compared: collections.Counter[str] = collections.Counter()


def assert_same(passed: Answer, said: Answer) -> None:
    """Assert that a response is, to the byte, what Nova alone answers."""
    assert passed.status == said.status
    assert passed.body == said.body
    assert passed.comparable_headers == said.comparable_headers
    _count(passed)


def assert_restored(extended: Answer, said: Answer) -> None:
    """Assert that the filter gave back what the shim had taken away."""
    assert extended.status == said.status == "200 OK"
    records = recorded(said)
    # Else this comparison is an empty exercise.
    assert records
    assert canonical(extended.document) == canonical(said.document)
    assert unspliced(extended.body, records) == without_states(said.body)
    assert_length(extended)
    # The shim moves a header.
    assert sorted(extended.comparable_headers) == sorted(
        said.comparable_headers
    )
    _count(extended)


def assert_extended(extended: Answer, bare: Answer, said: Answer) -> None:
    """Assert that a bare list got the states that Nova says in detail."""
    assert extended.status == bare.status == said.status == "200 OK"
    records = recorded(said)
    expected = bare.document
    for server in expected["servers"]:
        if server["id"] in records:
            server |= zip(STATES, records[server["id"]], strict=True)
    assert canonical(extended.document) == canonical(expected)
    assert unspliced(extended.body, records) == bare.body
    assert_length(extended)
    own, bares = (
        [header for header in each.comparable_headers if header[0] != LENGTH]
        for each in (extended, bare)
    )
    assert own == bares
    _count(extended)


def recorded(answer: Answer) -> dict[str, States]:
    """Return the states in a response, by the id of each server with any."""
    return {
        server["id"]: found
        for server in answer.servers
        if (found := states(server))
    }


def assert_length(answer: Answer) -> None:
    lengths = [value for name, value in answer.headers if name == LENGTH]
    assert lengths == [str(len(answer.body))]


def canonical(document: Any) -> str:
    """Return text that is equal for equal JSON, and for nothing else."""
    return json.dumps(document, sort_keys=True)


def _count(answer: Answer) -> None:
    compared["responses"] += 1
    if answer.body.startswith((b'{"server": {', b'{"servers": [')):
        compared["servers"] += len(answer.servers)
