"""How much memory a response takes, and how often its body is read."""

from __future__ import annotations

import gc
import json
import tracemalloc
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from nova_ext_sts import filter_factory
from nova_ext_sts.calls import Call
from nova_ext_sts.documents import json as documents
from nova_ext_sts.states import States
from tests.support import api_v2

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.databases import Database

IDS = [str(uuid.UUID(int=number)) for number in range(1000)]
ACTIVE = States("active", None, 1)
SERVERS = {
    "servers": [
        {"id": id_, "name": id_, "metadata": {"about": "x" * 1000}}
        for id_ in IDS
    ]
}
BODIES = {
    "application/json": json.dumps(SERVERS).encode(),
    "application/xml": api_v2.written(SERVERS),
}


@pytest.mark.parametrize("chunk", [None, 65536, 1100, 1])
@pytest.mark.parametrize("media", BODIES)
def test_response_takes_one_and_a_half_bodies_more_at_most(
    media: str, chunk: int | None, sqlite: Database
) -> None:
    sqlite.insert_instances((id_, *ACTIVE) for id_ in IDS)
    body = BODIES[media]
    step = chunk or len(body)

    def application(_: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", media)])
        # Anew each time, and with no copy of it kept.
        return (
            b"".join([body[start : start + step], b""])
            for start in range(0, len(body), step)
        )

    extended = filter_factory({}, connection=sqlite.url)(application)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/servers"}

    def respond() -> int:
        response: Any = extended(environ, lambda *_: lambda data: None)
        length = sum(map(len, response))
        response.close()
        return length

    # What is made once, for all responses, is not this one's.
    assert respond() > len(body)
    gc.collect()
    tracemalloc.start()
    try:
        respond()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - len(body) < 1.5 * len(body)


def test_body_is_read_twice_and_once_where_nothing_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passes: list[str] = []
    for name in ("_decode_servers", "_decode_elements", "_decode_server"):
        decode = getattr(documents, name)

        def counted(value: Any, name: str = name, decode: Any = decode) -> Any:
            passes.append(name)
            return decode(value)

        monkeypatch.setattr(documents, name, counted)
    bare = BODIES["application/json"]
    read = documents.Servers(bare, Call.DETAIL, overwrite=False)
    spliced = read.splice(dict.fromkeys(read.server_ids, ACTIVE))
    assert len(spliced) > len(bare)
    assert passes == ["_decode_servers", "_decode_elements"]
    passes.clear()
    read = documents.Servers(spliced, Call.DETAIL, overwrite=False)
    assert read.server_ids == []
    assert passes == ["_decode_servers"]
