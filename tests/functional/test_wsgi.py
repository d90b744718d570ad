"""Ways in which PEP 3333 lets applications respond.

The hostile tests have all combinations of those that are not here.
"""

from typing import Any

import pytest

from nova_ext_sts import filter_factory
from tests.support.applications import JSON, Client

BODY = b'{"server": {"id": "a"}}'
EXTENDED = (
    b'{"server": {"id": "a", "OS-EXT-STS:vm_state": "active", '
    b'"OS-EXT-STS:task_state": "rebooting", "OS-EXT-STS:power_state": 1}}'
)


def reused_buffer():
    """Yield the body in one buffer, which each chunk overwrites."""
    buffer = bytearray(5)
    for start in range(0, len(BODY), 5):
        chunk = BODY[start : start + 5]
        buffer[: len(chunk)] = chunk
        yield memoryview(buffer)[: len(chunk)]


def early(environ, start_response):
    start_response("200 OK", [JSON])
    return reused_buffer()


def late(environ, start_response):
    yield b""
    start_response("200 OK", [JSON])
    yield from reused_buffer()


def writing(environ, start_response):
    write = start_response("200 OK", [JSON])
    for chunk in reused_buffer():
        write(chunk)
    return []


@pytest.mark.parametrize("application", [early, late, writing])
def test_application_can_reuse_its_buffer(connection, application):
    client = Client(filter_factory({}, connection=connection)(application))
    assert client.get("/servers/a") == (
        "200 OK",
        [JSON, ("Content-Length", str(len(EXTENDED)))],
        EXTENDED,
    )


class Body:
    """The application's iterable, which counts calls of ``close()``."""

    def __init__(self, error=None):
        self._error = error
        self.closed = 0

    def __iter__(self):
        yield BODY[:3]
        if self._error:
            raise self._error
        yield BODY[3:]

    def close(self):
        self.closed += 1


def respond(connection, body, start_response):
    """Return the filter's iterable for an application's."""

    def application(environ, start_response):
        start_response("200 OK", [JSON])
        return body

    extended = filter_factory({}, connection=connection)(application)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/servers/a"}
    iterable: Any = extended(environ, start_response)
    return iterable


def test_complete_body_is_a_list(connection):
    """Servers derive Content-Length from a list with one element."""
    body = Body()
    iterable = respond(connection, body, lambda *_: print)
    assert iterable == [EXTENDED]
    assert body.closed == 0
    iterable.close()
    assert body.closed == 1


def test_error_is_raised_behind_the_bytes_before_it(connection):
    body = Body(OSError("application"))
    iterable = respond(connection, body, lambda *_: print)
    chunks = iter(iterable)
    assert next(chunks) == BODY[:3]
    with pytest.raises(OSError, match="application"):
        next(chunks)
    iterable.close()
    assert body.closed == 1


@pytest.mark.parametrize("interrupted", ["application", "server"])
def test_interrupted_response_is_closed(connection, interrupted):
    error = KeyboardInterrupt(interrupted)

    def start_response(*_):
        raise error

    body = Body(error if interrupted == "application" else None)
    with pytest.raises(KeyboardInterrupt, match=interrupted):
        respond(connection, body, start_response)
    assert body.closed == 1
