"""Ways in which PEP 3333 lets applications respond.

The hostile tests have all combinations. Here are buffers that applications
reuse, and interrupts.
"""

from typing import Any

import pytest

from nova_ext_sts import filter_factory
from tests.support.applications import JSON

BODY = b'{"server": {"id": "a"}}'
EXTENDED = (
    b'{"server": {"id": "a", "OS-EXT-STS:vm_state": "active", '
    b'"OS-EXT-STS:task_state": "rebooting", "OS-EXT-STS:power_state": 1}}'
)
HEAD = ("200 OK", [JSON])
EXTENDED_HEAD = ("200 OK", [JSON, ("Content-Length", str(len(EXTENDED)))])


class Source:
    """An iterable that counts calls of ``close()``."""

    def __init__(self, chunks):
        self._chunks = iter(chunks)
        self.closed = 0

    def __iter__(self):
        return self._chunks

    def close(self):
        self.closed += 1


def serve(application, connection, error=None):
    """Serve a request; return the head, chunks of the body and an error.

    The application's iterable must be closed once.

    :param error: raised by the server when the response starts
    """
    sources = []
    events: list[Any] = []

    def observed(environ, start_response):
        sources.append(Source(application(start_response)))
        return sources[0]

    def start_response(*head):
        if error:
            raise error
        events.append(head)
        return events.append

    body: Any = None
    extended = filter_factory({}, connection=connection)(observed)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/servers/a"}
    try:
        body = extended(environ, start_response)
        events += body
    except (OSError, KeyboardInterrupt) as raised:
        events.append(repr(raised))
    if hasattr(body, "close"):
        body.close()
    assert [source.closed for source in sources] == [1]
    return events


def reused_buffer():
    """Yield the body in one buffer, which each chunk overwrites."""
    buffer = bytearray(5)
    for start in range(0, len(BODY), 5):
        chunk = BODY[start : start + 5]
        buffer[: len(chunk)] = chunk
        yield memoryview(buffer)[: len(chunk)]


def early(start_response):
    start_response(*HEAD)
    return reused_buffer()


def late(start_response):
    yield b""
    start_response(*HEAD)
    yield from reused_buffer()


def writing(start_response):
    write = start_response(*HEAD)
    write(BODY[:5])
    return [BODY[5:]]


def raising(error):
    def chunks():
        yield BODY[:3]
        raise error

    def application(start_response):
        start_response(*HEAD)
        return chunks()

    return application


@pytest.mark.parametrize(
    ("application", "events"),
    [
        (early, [EXTENDED_HEAD, EXTENDED]),
        (late, [EXTENDED_HEAD, EXTENDED]),
        (writing, [EXTENDED_HEAD, EXTENDED]),
        # An error reaches the server after the bytes before it.
        (raising(OSError("x")), [HEAD, BODY[:3], "OSError('x')"]),
        (raising(KeyboardInterrupt()), ["KeyboardInterrupt()"]),
    ],
)
def test_every_way_to_respond_is_handled(connection, application, events):
    assert serve(application, connection) == events


def test_iterable_is_closed_if_the_server_does_not_receive_it(connection):
    error = KeyboardInterrupt("server")
    events = serve(early, connection, error)
    assert events == ["KeyboardInterrupt('server')"]


def test_complete_body_is_a_list(connection):
    """Servers derive Content-Length from a list with one element."""

    def application(environ, start_response):
        start_response(*HEAD)
        return iter([b"{", b"}"])

    extended = filter_factory({}, connection=connection)(application)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/servers"}
    body: Any = extended(environ, lambda *_: print)
    assert list(body) == [b"{}"]
    assert len(body) == 1
