"""All ways to answer, with the filter and without it."""

import itertools
from typing import Any, NamedTuple
from wsgiref import validate

import pytest
import webtest.lint

from nova_ext_sts import filter_factory
from tests.hostile.wsgi_matrix import BODY, MATRIX, Application, Manner
from tests.support.applications import Client

EXTENDED = BODY[:-2] + (
    b', "OS-EXT-STS:vm_state": "stopped", "OS-EXT-STS:task_state": '
    b'"powering-on", "OS-EXT-STS:power_state": null}}'
)


class Outcome(NamedTuple):
    """What a server and its client see of one response."""

    head: Any
    body: bytes
    error: str
    closed: int | None


def outcome(application, innermost, patience):
    """Serve one request, as wsgiref's server does.

    :param patience: after how many chunks the client disconnects
    """
    heads: list[Any] = []
    chunks = []

    def write(data):
        assert heads or not data, "write() before start_response()"
        chunks.append(data)

    def start_response(status, headers, exc_info=None):
        if exc_info and any(chunks):
            raise exc_info[1].with_traceback(exc_info[2])
        assert not heads or exc_info, "a second head without exc_info"
        heads[:] = [status, headers]
        return write

    body: Any = None
    errors = []
    try:
        body = application(
            {"REQUEST_METHOD": "GET", "PATH_INFO": "/servers/a"},
            start_response,
        )
        for chunk in itertools.islice(body, patience):
            write(chunk)
    except Exception as error:
        errors.append(repr(error))
    try:
        if hasattr(body, "close"):
            body.close()
    except OSError as error:
        errors.append(repr(error))
    closed = innermost.source.closed if innermost.source else None
    return Outcome(heads, b"".join(chunks), "; ".join(errors), closed)


def assert_right(make, manner, patience):
    """Assert that a response is extended, or as without the filter."""
    plain, innermost = Application(manner), Application(manner)
    extended = make(innermost)
    all_of_it = outcome(plain, plain, 999)
    without = outcome(plain, plain, patience)
    seen = outcome(extended, innermost, patience)
    assert innermost.source is None or innermost.source.closed == 1
    assert seen.closed == without.closed
    is_extended = (
        manner.content == "extended"
        and manner.start != "replaced"
        and all_of_it.error in ("", "OSError('in close')")
    )
    if is_extended:
        status, headers = manner.head
        fitted = [
            (name, str(len(EXTENDED)) if name == "Content-Length" else value)
            for name, value in headers
            if name != "ETag"
        ]
        if manner.length == "none":
            fitted.append(("Content-Length", str(len(EXTENDED))))
        assert seen.head == [status, fitted]
        assert seen.error == all_of_it.error
        # In one chunk.
        assert seen.body == (EXTENDED if patience else b"")
    elif not seen.head and manner.written != "nothing":
        # What is written is buffered, so that a server can still send a 500.
        assert all_of_it.error
        assert (seen.body, seen.error) == (b"", all_of_it.error)
    elif patience == 999:
        # A server that has sent nothing when an error comes sends a 500.
        if not without.error or without.body:
            assert seen.head == without.head
        assert seen.body == without.body
        assert seen.error == without.error
    else:
        # What has been read is sent as one chunk.
        assert all_of_it.body.startswith(seen.body)
        assert seen.error in ("", without.error, all_of_it.error)


@pytest.mark.parametrize(
    ("patience", "limit"), [(0, 9999), (1, 9999), (999, 9999), (999, 10)]
)
def test_response_comes_out_as_without_the_filter(connection, patience, limit):
    make = filter_factory({}, connection=connection, max_body_size=limit)
    for manner in MATRIX:
        if (patience, limit) != (999, 9999) and (
            manner.chunks != "gaps" or manner.length not in ("none", "right")
        ):
            continue  # These take other paths only if all is read.
        if limit == 10 and manner.content == "extended":
            # Above the limit nothing is extended.
            manner = manner._replace(content="unknown")
        try:
            assert_right(make, manner, patience)
        except AssertionError as error:
            raise AssertionError(f"{manner}: {error}") from error


def test_legal_response_stays_legal(connection):
    make = filter_factory({}, connection=connection)
    for manner in filter(Manner.is_legal, MATRIX):
        judged = validate.validator(Application(manner))
        client = Client(webtest.lint.middleware(make(judged)))
        response = client.get("/servers/a")
        assert response.status == manner.head[0]
        is_extended = manner.content == "extended"
        assert response.body == (EXTENDED if is_extended else manner.document)
