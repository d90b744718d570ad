"""The ways in which PEP 3333 lets applications respond.

The hostile suite tests all combinations.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from nova_ext_sts import filter_factory
from tests.support.applications import JSON

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import WSGIApplication

BODY = b'{"server": {"id": "a"}}'
EXTENDED = (
    b'{"server": {"id": "a", "OS-EXT-STS:vm_state": "active", '
    b'"OS-EXT-STS:task_state": "rebooting", "OS-EXT-STS:power_state": 1}}'
)
OK = "200 OK"
HEAD = (OK, [JSON])
EXTENDED_HEAD = (OK, [JSON, ("Content-Length", str(len(EXTENDED)))])
TEXT = ("Content-Type", "text/plain")


class Source:
    """An iterable that counts calls of ``close()``."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        self.closed += 1


def serve(
    application: WSGIApplication, connection: str, **options: Any
) -> list[Any]:
    """Serve a request; return heads, chunks of the body and errors."""
    extended = filter_factory({}, connection=connection, **options)
    events: list[Any] = []

    def start_response(*head: Any) -> Any:
        events.append(head[:2])
        return events.append

    body: Any = None
    try:
        body = extended(application)(
            {"REQUEST_METHOD": "GET", "PATH_INFO": "/servers/a"},
            start_response,
        )
        events += body
    except Exception as error:
        events.append(repr(error))
    finally:
        if hasattr(body, "close"):
            body.close()
    return events


def reused_buffer() -> Iterator[Any]:
    """Yield the body in one buffer, which each chunk overwrites."""
    buffer = bytearray(5)
    for start in range(0, len(BODY), 5):
        chunk = BODY[start : start + 5]
        buffer[: len(chunk)] = chunk
        yield memoryview(buffer)[: len(chunk)]


def in_chunks(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response(*HEAD)
    return (BODY[at : at + 1] for at in range(len(BODY)))


def in_one_buffer(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response(*HEAD)
    return reused_buffer()


def late(environ: Any, start_response: Any) -> Iterable[bytes]:
    yield b""
    start_response(*HEAD)
    yield from reused_buffer()


def writing(environ: Any, start_response: Any) -> Iterable[bytes]:
    write = start_response(*HEAD)
    write(BODY[:5])
    write(BODY[5:9])
    return [BODY[9:]]


def starting_again(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("500 Internal Server Error", [TEXT])
    try:
        raise ValueError
    except ValueError:
        start_response(*HEAD, exc_info=sys.exc_info())
    return [BODY]


@pytest.mark.parametrize(
    "application", [in_chunks, in_one_buffer, late, writing, starting_again]
)
def test_every_way_to_respond_is_extended(
    connection: str, application: WSGIApplication
) -> None:
    assert serve(application, connection) == [EXTENDED_HEAD, EXTENDED]


@pytest.mark.parametrize("application", [in_chunks, late, writing])
def test_body_above_the_limit_is_sent_unchanged(
    connection: str, application: WSGIApplication
) -> None:
    head, *chunks = serve(application, connection, max_body_size=7)
    assert head == HEAD
    assert b"".join(chunks) == BODY
    assert len(chunks) > 1


def failing(error: BaseException) -> Iterator[bytes]:
    yield BODY[:3]
    raise error


def raising_in_body(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response(*HEAD)
    return failing(ValueError("x"))


def raising_in_late_body(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response(*HEAD)
    yield from failing(ValueError("x"))


def raising_after_write(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response(*HEAD)(BODY[:3])
    raise ValueError("x")


@pytest.mark.parametrize(
    ("application", "events"),
    [
        (raising_in_body, [HEAD, BODY[:3], "ValueError('x')"]),
        (raising_in_late_body, [HEAD, BODY[:3], "ValueError('x')"]),
        # The server can still send a 500, because write() is buffered.
        (raising_after_write, ["ValueError('x')"]),
    ],
)
def test_error_of_the_application_reaches_the_server(
    connection: str, application: WSGIApplication, events: list[Any]
) -> None:
    assert serve(application, connection) == events


@pytest.mark.parametrize(
    ("chunks", "content_type", "options"),
    [
        ([BODY[:3], BODY[3:]], JSON, {}),
        ([BODY], TEXT, {}),
        ([b"no JSON"], JSON, {}),
        ([BODY, b" "], JSON, {"max_body_size": 7}),
        (failing(ValueError()), JSON, {}),
    ],
)
def test_iterable_is_closed_once(
    connection: str,
    chunks: Iterable[bytes],
    content_type: tuple[str, str],
    options: dict[str, Any],
) -> None:
    source = Source(chunks)

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response(OK, [content_type])
        return source

    serve(application, connection, **options)
    assert source.closed == 1


@pytest.mark.parametrize("refuses", [True, False])
def test_iterable_is_closed_if_the_server_does_not_receive_it(
    connection: str, refuses: bool
) -> None:
    source = Source([BODY] if refuses else failing(KeyboardInterrupt()))

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response(*HEAD)
        return source

    def start_response(*_: Any) -> Any:
        raise KeyboardInterrupt

    extended = filter_factory({}, connection=connection)(application)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/servers/a"}
    with pytest.raises(KeyboardInterrupt):
        extended(environ, start_response)
    assert source.closed == 1


def test_complete_body_is_a_list(connection: str) -> None:
    """Servers derive Content-Length from a list with one element."""

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response(*HEAD)
        return iter([b"{", b"}"])

    extended = filter_factory({}, connection=connection)(application)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/servers"}
    body: Any = extended(environ, lambda *_: print)
    assert list(body) == [b"{}"]
    assert len(body) == 1
