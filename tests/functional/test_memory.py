"""The memory of a response, above the body that the application sends."""

from __future__ import annotations

import gc
import json
import tracemalloc
import uuid
from typing import Any

import pytest

from nova_ext_sts import filter_factory

IDS = [str(uuid.UUID(int=number)) for number in range(1000)]
TEXT = "x" * 1000
JSON = json.dumps({"servers": [{"id": id_, "name": TEXT} for id_ in IDS]})
XML = (
    '<servers xmlns="http://docs.openstack.org/compute/api/v1.1">%s</servers>'
)
ELEMENTS = (f'<server id="{id_}"><name>{TEXT}</name></server>' for id_ in IDS)
BODIES = {
    "application/json": JSON.encode(),
    "application/xml": (XML % "".join(ELEMENTS)).encode(),
}


@pytest.mark.parametrize("chunk", [None, 65536, 1100, 1])
@pytest.mark.parametrize("media_type", BODIES)
def test_peak_is_below_one_and_a_half_bodies(media_type, chunk, sqlite):
    sqlite.insert_instances((id_, "active", None, 1) for id_ in IDS)
    body = BODIES[media_type]
    step = chunk or len(body)

    def application(_, start_response):
        start_response("200 OK", [("Content-Type", media_type)])
        # join() makes a copy, which only the filter holds.
        return (
            b"".join([body[start : start + step], b""])
            for start in range(0, len(body), step)
        )

    extended = filter_factory({}, connection=sqlite.url)(application)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/servers"}

    def respond():
        response: Any = extended(environ, lambda *_: lambda data: None)
        length = sum(map(len, response))
        response.close()
        return length

    # The first response creates what all of them share.
    assert respond() > len(body)
    gc.collect()
    tracemalloc.start()
    try:
        respond()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * len(body)
