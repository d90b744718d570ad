"""The ways in which PEP 3333 lets applications respond.

The hostile suite tests all combinations.
"""

from __future__ import annotations

import sys
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
TEXT_HEAD = ("200 OK", [("Content-Type", "text/plain")])
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


def serve(application, connection, error=None, **options):
    """Serve a request; return heads, chunks of the body and errors.

    The application's iterable must be closed once.

    :param error: raised by the server when the response starts
    """
    sources: list[Source] = []
    events: list[Any] = []

    def observed(environ, start_response):
        sources.append(Source(application(environ, start_response)))
        return sources[0]

    def start_response(*head):
        if error:
            raise error
        events.append(head[:2])
        return events.append

    extended = filter_factory({}, connection=connection, **options)(observed)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/servers/a"}
    body: Any = None
    try:
        body = extended(environ, start_response)
        events += body
    except (Exception, KeyboardInterrupt) as raised:
        events.append(repr(raised))
    finally:
        if hasattr(body, "close"):
            body.close()
    assert [source.closed for source in sources] in ([], [1])
    return events


def reused_buffer():
    """Yield the body in one buffer, which each chunk overwrites."""
    buffer = bytearray(5)
    for start in range(0, len(BODY), 5):
        chunk = BODY[start : start + 5]
        buffer[: len(chunk)] = chunk
        yield memoryview(buffer)[: len(chunk)]


def in_one_buffer(environ, start_response):
    start_response(*HEAD)
    return reused_buffer()


def late(environ, start_response):
    yield b""
    start_response(*HEAD)
    yield from reused_buffer()


def writing(environ, start_response):
    write = start_response(*HEAD)
    write(BODY[:5])
    write(BODY[5:9])
    return [BODY[9:]]


def starting_again(environ, start_response):
    start_response("500 Internal Server Error", [])
    try:
        raise ValueError
    except ValueError:
        start_response(*HEAD, exc_info=sys.exc_info())
    return [BODY]


def in_text(environ, start_response):
    start_response(*TEXT_HEAD)
    return [BODY]


def failing(error):
    yield BODY[:3]
    raise error


def raising_in_body(environ, start_response):
    start_response(*HEAD)
    return failing(ValueError("x"))


def interrupted(environ, start_response):
    start_response(*HEAD)
    return failing(KeyboardInterrupt())


def raising_in_late_body(environ, start_response):
    start_response(*HEAD)
    yield from failing(ValueError("x"))


def raising_after_write(environ, start_response):
    start_response(*HEAD)(BODY[:3])
    raise ValueError("x")


@pytest.mark.parametrize(
    ("application", "events"),
    [
        (in_one_buffer, [EXTENDED_HEAD, EXTENDED]),
        (late, [EXTENDED_HEAD, EXTENDED]),
        (writing, [EXTENDED_HEAD, EXTENDED]),
        (starting_again, [EXTENDED_HEAD, EXTENDED]),
        (in_text, [TEXT_HEAD, BODY]),
        # An error reaches the server after the bytes before it, …
        (raising_in_body, [HEAD, BODY[:3], "ValueError('x')"]),
        (raising_in_late_body, [HEAD, BODY[:3], "ValueError('x')"]),
        # … and if nothing has been sent, it can still send a 500.
        (raising_after_write, ["ValueError('x')"]),
        (interrupted, ["KeyboardInterrupt()"]),
    ],
)
def test_every_way_to_respond_is_handled(connection, application, events):
    assert serve(application, connection) == events


@pytest.mark.parametrize("application", [in_one_buffer, late, writing])
def test_body_above_the_limit_is_sent_unchanged(connection, application):
    head, *chunks = serve(application, connection, max_body_size=7)
    assert head == HEAD
    assert b"".join(chunks) == BODY
    assert len(chunks) > 1


def test_iterable_is_closed_if_the_server_does_not_receive_it(connection):
    error = KeyboardInterrupt("server")
    events = serve(in_one_buffer, connection, error)
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
