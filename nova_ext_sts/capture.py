# SPDX-License-Identifier: Apache-2.0
"""An application's response, caught on its way to the server.

By hand, as PEP 3333 has it: request and response objects would re-raise an
application's own error page, drain what is to be streamed, and write headers
anew.
"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from _typeshed.wsgi import (
        StartResponse,
        WSGIApplication,
        WSGIEnvironment,
    )

    Headers = list[tuple[str, str]]
    ExcInfo = (
        tuple[type[BaseException], BaseException, TracebackType]
        | tuple[None, None, None]
        | None
    )

#: Request headers that would have the application answer with less than the
#: whole: what it would compare with or cut are not the bytes that go out.
_PARTIAL = (
    "HTTP_IF_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_RANGE",
    "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_RANGE",
)


#: So many chunks of less than so many bytes on average are held as one: an
#: object for each takes a hundred times its byte.
_MANY = 1024
_SMALL = 1024


class Head(NamedTuple):
    """What an application has called start_response with."""

    status: str
    headers: Headers
    exc_info: ExcInfo = None

    @property
    def code(self) -> str:
        """The status code."""
        return self.status.partition(" ")[0]

    def header(self, name: str) -> str:
        """Return the value of a header, those of repeated ones joined."""
        return ", ".join(
            value for key, value in self.headers if key.lower() == name
        )

    def send(self, start_response: StartResponse) -> Callable[[bytes], object]:
        """Pass this on to the server as the application said it."""
        if self.exc_info is None:
            return start_response(self.status, self.headers)
        return start_response(self.status, self.headers, self.exc_info)


class Whole(list[bytes]):
    """A body that has come to its end, with the application's close()."""

    def __init__(self, chunks: Iterable[bytes], source: Any) -> None:
        super().__init__(chunks)
        self._source = source

    def close(self) -> None:
        """Tell the application that the response is over."""
        _close(self._source)


class Rest:
    """A body of which some has been held: that, and then what follows."""

    def __init__(
        self,
        held: Iterable[bytes],
        rest: Iterator[bytes],
        source: Any,
        error: Exception | None = None,
    ) -> None:
        self._held = collections.deque(held)
        self._rest = rest
        self._source = source
        self._error = error

    def __iter__(self) -> Iterator[bytes]:
        while self._held:
            yield self._held.popleft()
        if self._error is not None:
            raise self._error
        yield from self._rest

    def close(self) -> None:
        """Tell the application that the response is over."""
        _close(self._source)


class Capture:
    """Calls an application, and holds its response if it is a wanted one.

    Any other response goes to the server as the application gives it: the
    identical iterable, if the application has called start_response when it
    returns, as most do.

    :param start_response: the server's
    :param wanted: says of a status and headers whether to hold the body
    :param limit: the size in bytes above which a body is not held
    """

    def __init__(
        self,
        start_response: StartResponse,
        wanted: Callable[[Head], bool],
        limit: int,
    ) -> None:
        self._start_response = start_response
        self._wanted = wanted
        self._limit = limit
        self._chunks: list[bytes] = []
        self._size = 0
        #: How many chunks are not to be joined any more, and their bytes.
        self._joined = 0
        self._joined_size = 0
        #: The server's write(), once the response is on its way to it.
        self._server_write: Callable[[bytes], object] | None = None
        #: The head of the response that is held, if any.
        self.head: Head | None = None

    def call(
        self, application: WSGIApplication, environ: WSGIEnvironment
    ) -> Iterable[bytes]:
        """Return the response's body.

        It is a ``Whole`` where it has been held to its end and ``head`` is
        set: then the server knows nothing of the response yet. In every other
        case it is for the server as it is.
        """
        try:
            iterable = application(environ, self._start)
        except Exception:
            # What was written before the error has gone out without us, too.
            if self.head is not None and self._size:
                self._release(self.head)
            raise
        if self._server_write is not None:
            return iterable
        try:
            return self._collected(iterable)
        except BaseException:
            # Nobody else knows the iterable.
            _close(iterable)
            raise

    def _start(
        self,
        status: str,
        headers: Headers,
        exc_info: ExcInfo = None,
        /,
    ) -> Callable[[bytes], object]:
        """Be the application's start_response."""
        head = Head(status, headers, exc_info)
        if self._server_write is not None:
            return head.send(self._start_response)
        if self.head is not None and exc_info is None:
            raise AssertionError(
                "start_response was called twice without exc_info"
            )
        if self._size and exc_info is not None and exc_info[1] is not None:
            # For the application, the held bytes have gone out: headers
            # cannot change any more.
            raise exc_info[1].with_traceback(exc_info[2])
        if self._wanted(head):
            self.head = head
            return self._write
        self.head = None
        self._server_write = head.send(self._start_response)
        return self._server_write

    def _write(self, data: bytes) -> object:
        """Be the application's write()."""
        if self._server_write is not None:
            return self._server_write(data)
        self._hold(data)
        if self.head is not None and self._size > self._limit:
            self._release(self.head)
        return None

    def _hold(self, data: bytes) -> None:
        self._chunks.append(data)
        self._size += len(data)
        if len(self._chunks) - self._joined == _MANY:
            if self._size - self._joined_size < _MANY * _SMALL:
                small = self._chunks[self._joined :]
                self._chunks[self._joined :] = [b"".join(small)]
            self._joined = len(self._chunks)
            self._joined_size = self._size

    def _release(self, head: Head) -> None:
        """Give up: let the server have what was held through write()."""
        self.head = None
        self._server_write = head.send(self._start_response)
        for chunk in self._chunks:
            self._server_write(chunk)
        self._chunks.clear()

    def _collected(self, iterable: Iterable[bytes]) -> Iterable[bytes]:
        iterator = iter(iterable)
        try:
            for chunk in iterator:
                if self._server_write is not None:
                    # It has called start_response only now.
                    return Rest([chunk], iterator, iterable)
                self._hold(chunk)
                if self._size > self._limit or (
                    self._size and self.head is None
                ):
                    return self._given_up(iterator, iterable)
        except Exception as error:
            return self._given_up(iterator, iterable, error)
        if self._server_write is not None:
            return Rest([], iterator, iterable)
        # Nothing is to keep the chunks once they are joined.
        held, self._chunks = self._chunks, []
        return Whole(held, iterable)

    def _given_up(
        self,
        iterator: Iterator[bytes],
        iterable: Iterable[bytes],
        error: Exception | None = None,
    ) -> Iterable[bytes]:
        """Return the held beginning and the rest of a body."""
        self._wanted = _nothing
        if self.head is not None:
            self._server_write = self.head.send(self._start_response)
            self.head = None
        # Nothing is to keep the chunks beyond their way to the server.
        held, self._chunks = self._chunks, []
        return Rest(held, iterator, iterable, error)


def for_whole(environ: WSGIEnvironment) -> WSGIEnvironment:
    """Return the request without the headers that ask for less than all."""
    partial = [name for name in _PARTIAL if name in environ]
    if not partial:
        return environ
    environ = environ.copy()
    for name in partial:
        del environ[name]
    return environ


def _nothing(_head: Head) -> bool:
    return False


def _close(source: Any) -> None:
    close = getattr(source, "close", None)
    if close is not None:
        close()
