"""Applications of every manner that PEP 3333 allows, behind the filter."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from nova_ext_sts import filter_factory
from tests.support.applications import JSON, Client, filtered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import WSGIApplication

    from tests.support.databases import Database

BODY = b'{"server": {"id": "a"}}'
EXTENDED = (
    b'{"server": {"id": "a", "OS-EXT-STS:vm_state": "active", '
    b'"OS-EXT-STS:task_state": null, "OS-EXT-STS:power_state": 1}}'
)
OK = "200 OK"
ERROR = "500 Internal Server Error"
TEXT = ("Content-Type", "text/plain")


@pytest.fixture
def connection(sqlite: Database) -> str:
    sqlite.insert_instances([("a", "active", None, 1)])
    return sqlite.url


class Source:
    """An iterable with close(), which counts how often that is called."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        self.closed += 1


class Server:
    """Runs one request, and keeps all that happens, in order."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self.events: list[Any] = []

    def run(self, path: str = "/servers/a", chunks: int = 99) -> list[Any]:
        """Return what happened: heads, chunks of the body, errors."""
        events = self.events

        def start_response(
            status: str, headers: Any, exc_info: Any = None
        ) -> Any:
            if exc_info and any(isinstance(seen, bytes) for seen in events):
                raise exc_info[1].with_traceback(exc_info[2])
            events.append((status, headers))
            return events.append

        body: Any = None
        try:
            body = self._application(
                {"REQUEST_METHOD": "GET", "PATH_INFO": path}, start_response
            )
            for number, chunk in enumerate(body, 1):
                events.append(chunk)
                if number == chunks:
                    break
        except Exception as error:
            events.append(repr(error))
        finally:
            if hasattr(body, "close"):
                body.close()
        return events


def sent(events: list[Any]) -> tuple[Any, bytes, list[str]]:
    """Return what a server sends: the head goes out with the first byte."""
    heads = [event for event in events if isinstance(event, tuple)]
    body = b"".join(event for event in events if isinstance(event, bytes))
    errors = [event for event in events if isinstance(event, str)]
    head = heads[-1] if body or not errors else ERROR
    return head, body, errors


def both(
    application: WSGIApplication, connection: str, **options: Any
) -> tuple[Any, Any]:
    """Return what is sent without the filter, and with it."""
    extended = filter_factory({}, connection=connection, **options)
    return (
        sent(Server(application).run()),
        sent(Server(extended(application)).run()),
    )


def head(length: int) -> tuple[str, list[tuple[str, str]]]:
    return OK, [JSON, ("Content-Length", str(length))]


EXTENDED_RESPONSE = [head(len(EXTENDED)), EXTENDED]


def early(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response(OK, [JSON])
    return (BODY[at : at + 1] for at in range(len(BODY)))


def late(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response(OK, [JSON])
    yield BODY


def late_after_nothing(environ: Any, start_response: Any) -> Iterable[bytes]:
    yield b""
    start_response(OK, [JSON])
    yield BODY[:9]
    yield b""
    yield BODY[9:]


def writing(environ: Any, start_response: Any) -> Iterable[bytes]:
    write = start_response(OK, [JSON])
    write(BODY[:5])
    write(BODY[5:9])
    return [BODY[9:]]


def views(size: int) -> Iterator[Any]:
    """Yield the body in one buffer, which each chunk overwrites."""
    buffer = bytearray(size)
    for at in range(0, len(BODY), size):
        chunk = BODY[at : at + size]
        buffer[: len(chunk)] = chunk
        yield memoryview(buffer)[: len(chunk)]


def early_in_one_buffer(environ: Any, start_response: Any) -> Any:
    start_response(OK, [JSON])
    return views(5)


def late_in_one_buffer(environ: Any, start_response: Any) -> Any:
    start_response(OK, [JSON])
    yield from views(5)


def changing_its_mind(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response(ERROR, [TEXT])
    try:
        raise ValueError
    except ValueError:
        start_response(OK, [JSON], sys.exc_info())
    return [BODY]


@pytest.mark.parametrize(
    "application",
    [
        early,
        late,
        late_after_nothing,
        writing,
        changing_its_mind,
        early_in_one_buffer,
        late_in_one_buffer,
    ],
)
def test_every_manner_of_answering_is_extended(
    connection: str, application: WSGIApplication
) -> None:
    extended = filter_factory({}, connection=connection)(application)
    assert Server(extended).run() == EXTENDED_RESPONSE


@pytest.mark.parametrize("application", [early, late, writing])
def test_every_manner_of_answering_conforms(
    connection: str, application: WSGIApplication
) -> None:
    client = filtered(application, connection=connection)
    assert client.get("/servers/a").body == EXTENDED


def test_error_page_that_replaces_a_held_response_goes_on(
    connection: str,
) -> None:
    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response(OK, [JSON])
        try:
            raise ValueError
        except ValueError:
            start_response(ERROR, [TEXT], sys.exc_info())
        yield b"sorry"

    without, with_filter = both(application, connection)
    assert with_filter == without == ((ERROR, [TEXT]), b"sorry", [])


def test_second_held_response_replaces_the_first(connection: str) -> None:
    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response(OK, [JSON, ("X-First", "1")])
        try:
            raise ValueError
        except ValueError:
            start_response(OK, [JSON], exc_info=sys.exc_info())
        return [BODY]

    extended = filter_factory({}, connection=connection)(application)
    assert Server(extended).run() == EXTENDED_RESPONSE


def raising_at_once(environ: Any, start_response: Any) -> Iterable[bytes]:
    raise ValueError("at once")


def raising_after_start(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response(OK, [JSON])
    raise ValueError("after start")


def raising_late(environ: Any, start_response: Any) -> Iterable[bytes]:
    raise ValueError("late")
    yield b""


def raising_after_write(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response(OK, [JSON])(BODY[:9])
    raise ValueError("after write")


def raising_half_way(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response(OK, [JSON])
    yield BODY[:4]
    yield BODY[4:9]
    raise ValueError("half-way")


def failing(error: BaseException) -> Iterator[bytes]:
    yield BODY[:3]
    raise error


def raising_half_way_early(
    environ: Any, start_response: Any
) -> Iterable[bytes]:
    start_response(OK, [JSON])
    return failing(ValueError("half-way"))


def raising_behind_all(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response(OK, [JSON])
    yield BODY
    raise ValueError("behind all")


def raising_before_body(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response(OK, [JSON])
    if environ:
        raise ValueError("before body")
    yield b""


def late_of_no_interest(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response(OK, [TEXT])
    yield BODY[:9]
    yield BODY[9:]


def late_without_body(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("204 No Content", [])
    yield from ()


def writing_of_no_interest(
    environ: Any, start_response: Any
) -> Iterable[bytes]:
    start_response(OK, [TEXT])(BODY[:9])
    return [BODY[9:]]


@pytest.mark.parametrize(
    "application",
    [
        raising_at_once,
        raising_after_start,
        raising_late,
        raising_half_way,
        raising_half_way_early,
        raising_behind_all,
        raising_before_body,
        late_of_no_interest,
        late_without_body,
        writing_of_no_interest,
    ],
)
def test_response_that_is_not_changed_is_sent_as_without_the_filter(
    connection: str, application: WSGIApplication
) -> None:
    without, with_filter = both(application, connection)
    assert with_filter == without


def test_error_behind_written_bytes_reaches_the_server(
    connection: str,
) -> None:
    _, with_filter = both(raising_after_write, connection)
    # Written bytes are buffered: unlike without the filter, the server can
    # still answer 500.
    assert with_filter == (ERROR, b"", ["ValueError('after write')"])


@pytest.mark.parametrize("application", [early, late, writing])
def test_body_above_the_limit_streams_through(
    connection: str, application: WSGIApplication
) -> None:
    without, with_filter = both(application, connection, max_body_size=7)
    assert with_filter == without


def test_writing_goes_on_beyond_the_limit(connection: str) -> None:
    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        write = start_response(OK, [JSON])
        for at in range(0, len(BODY), 3):
            write(BODY[at : at + 3])
        return []

    without, with_filter = both(application, connection, max_body_size=7)
    assert with_filter == without


@pytest.mark.parametrize(
    ("chunks", "content_type", "options"),
    [
        ([BODY], JSON, {}),
        ([BODY[:3], BODY[3:]], JSON, {}),
        ([BODY], TEXT, {}),
        ([b"no JSON"], JSON, {}),
        ([BODY, b" "], JSON, {"max_body_size": 7}),
    ],
)
@pytest.mark.parametrize("taken", [1, 99])
def test_body_is_closed_once(
    connection: str,
    chunks: list[bytes],
    content_type: Any,
    options: Any,
    taken: int,
) -> None:
    source = Source(chunks)

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response(OK, [content_type])
        return source

    extended = filter_factory({}, connection=connection, **options)
    Server(extended(application)).run(chunks=taken)
    assert source.closed == 1


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
@pytest.mark.parametrize("starts_late", [True, False])
def test_body_is_closed_once_when_it_fails(
    connection: str, starts_late: bool, error: BaseException
) -> None:
    def chunks(start_response: Any) -> Iterator[bytes]:
        if starts_late:
            start_response(OK, [JSON])
        yield from failing(error)

    sources: list[Source] = []

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        if not starts_late:
            start_response(OK, [JSON])
        sources.append(Source(chunks(start_response)))
        return sources[0]

    extended = filter_factory({}, connection=connection)(application)
    try:
        events = Server(extended).run()
    except KeyboardInterrupt:
        events = []
    assert events in ([], [(OK, [JSON]), BODY[:3], "ValueError('x')"])
    assert sources[0].closed == 1


def test_body_is_closed_when_the_server_refuses_the_response(
    connection: str,
) -> None:
    source = Source([BODY])

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response(OK, [JSON])
        return source

    def refuse(*_: Any) -> Any:
        raise KeyboardInterrupt

    extended = filter_factory({}, connection=connection)(application)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/servers/a"}
    with pytest.raises(KeyboardInterrupt):
        extended(environ, refuse)
    assert source.closed == 1


def test_body_of_one_chunk_stays_of_one_chunk(connection: str) -> None:
    """Servers give a list of one its Content-Length."""

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response(OK, [JSON])
        return [b"{}"]

    extended = filter_factory({}, connection=connection)(application)
    body = extended(
        {"REQUEST_METHOD": "GET", "PATH_INFO": "/servers"}, lambda *_: print
    )
    assert list(body) == [b"{}"]
    assert len(body) == 1  # type: ignore[arg-type]


def test_application_knows_nothing_of_the_filter(connection: str) -> None:
    seen: list[Callable[..., Any]] = []

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        seen.append(start_response)
        start_response(OK, [JSON])
        return [BODY]

    client = Client(filter_factory({}, connection=connection)(application))
    client.get("/servers/a")
    client.get("/servers/a")
    assert seen[0] != seen[1]
