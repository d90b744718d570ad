# SPDX-License-Identifier: Apache-2.0
"""The application's response: buffering, headers, and the 503 fault."""

from __future__ import annotations

import io
import itertools
import re
from typing import TYPE_CHECKING, Any

import webob

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from _typeshed.wsgi import (
        StartResponse,
        WSGIApplication,
        WSGIEnvironment,
    )

#: The format of a body, by its media type.
FORMATS = {
    "application/json": "json",
    "application/vnd.openstack.compute+json": "json",
    "application/xml": "xml",
    "application/vnd.openstack.compute+xml": "xml",
}

_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^\s";]+)')

#: Request headers that ask for less than the whole body, or for an encoded
#: one.
_WITHHELD = (
    "HTTP_ACCEPT_ENCODING",
    "HTTP_IF_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_RANGE",
    "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_RANGE",
)

#: Response headers that describe the application's bytes.
_VALIDATORS = {
    "content-digest",
    "content-md5",
    "digest",
    "etag",
    "last-modified",
    "repr-digest",
}

#: The Compute API's fault, by format.
_UNAVAILABLE = {
    "json": b'{"serviceUnavailable": {"code": 503, "message": "The states of '
    b'servers cannot be read now."}}',
    "xml": b"<?xml version='1.0' encoding='UTF-8'?>\n"
    b'<serviceUnavailable xmlns="http://docs.openstack.org/compute/api/v1.1" '
    b'code="503"><message>The states of servers cannot be read now.</message>'
    b"</serviceUnavailable>",
}


class Response:
    """The application's response, before the server receives it.

    The application is called with the server's own environ, because outer
    filters read what it writes there. The request headers in ``_WITHHELD``
    are removed for the call and restored afterwards.

    WebOb makes the call. If the application uses ``write()``, or calls
    ``start_response`` only when its iterable is read, WebOb reads the whole
    body, whatever its size.

    Pass the result of ``send()`` to the server, or call ``close()``.
    """

    def __init__(
        self, application: WSGIApplication, environ: WSGIEnvironment
    ) -> None:
        self._iterable: Any = ()
        #: Raised by the application after the first bytes of the body.
        self._error: Exception | None = None

        def call(
            environ: WSGIEnvironment, start_response: StartResponse
        ) -> Iterable[bytes]:
            def started(*head: Any, **exc_info: Any) -> Any:
                write = start_response(*head, **exc_info)
                return lambda chunk: write(bytes(memoryview(chunk)))

            self._iterable = application(environ, started)
            return self._copied_chunks()

        withheld = {
            name: environ.pop(name) for name in _WITHHELD if name in environ
        }
        try:
            self.status, self.headers, chunks, self._exc_info = webob.Request(
                environ
            ).call_application(call, catch_exc_info=True)
        except BaseException:
            self.close()
            raise
        finally:
            environ.update(withheld)
        #: The application's body: a list if WebOb has read it.
        self._chunks: Iterable[bytes] = chunks
        #: The body to send; None for the application's own iterable.
        self._body: Iterable[bytes] | None = None
        if isinstance(chunks, list):
            self._body = chunks if self._error is None else self._partial()

    @property
    def code(self) -> str:
        """The status code."""
        return str(self.status).partition(" ")[0]

    @property
    def body_format(self) -> str:
        """The format of the body, or "" if the filter does not handle it."""
        content_type = self._header("content-type").lower()
        body_format = FORMATS.get(content_type.partition(";")[0].strip(), "")
        charset = _CHARSET.search(content_type)
        is_utf_8 = not charset or charset[1] in ("utf-8", "utf8")
        return "" if body_format == "xml" and not is_utf_8 else body_format

    def is_changeable(self, limit: int) -> bool:
        """Return True if status and headers allow changing the body.

        :param limit: the size of the largest body that is read, in bytes
        """
        length = self._header("content-length")
        return bool(
            self.code in ("200", "203")
            and self.body_format
            and self._header("content-encoding").lower() in ("", "identity")
            and not (length.isdecimal() and int(length) > limit)
        )

    def read(self, limit: int) -> bytes | None:
        """Return the body, or None if it is too large or ends in an error.

        ``send()`` sends the bytes read so far before the rest.

        :param limit: the size of the largest body that is read, in bytes
        """
        chunks = iter(self._chunks)
        # BytesIO does not copy the first chunk, which is often the only one.
        buffer = io.BytesIO(next(chunks, b""))
        size = buffer.seek(0, io.SEEK_END)
        while size <= limit and (chunk := next(chunks, None)) is not None:
            size += buffer.write(chunk)
        body = buffer.getvalue()
        if size <= limit and self._error is None:
            self._chunks, self._body = (), [body]
            return body
        self._chunks = itertools.chain([body], chunks)
        self._body = self._partial()
        return None

    def drop_validators(self) -> None:
        """Drop the headers that describe the application's bytes."""
        self._drop(_VALIDATORS | {"content-length"})

    def replace_body(self, body: bytes) -> None:
        """Send another body, with headers that match it."""
        self._body = [body]
        self._drop(_VALIDATORS)
        size = str(len(body))
        if not self._header("content-length"):
            self.headers.append(("Content-Length", size))
        self.headers = [
            (name, size if name.lower() == "content-length" else value)
            for name, value in self.headers
        ]

    def replace(self, status: str, body_format: str, body: bytes) -> None:
        """Send another response, with the headers that still apply."""
        self.status = status
        self.replace_body(body)
        self._drop({"content-encoding", "content-type"})
        self.headers.append(("Content-Type", f"application/{body_format}"))

    def fail(self, retry_after: int) -> None:
        """Send a 503 in the Compute API's fault format.

        :param retry_after: in seconds
        """
        self.replace(
            "503 Service Unavailable",
            self.body_format,
            _UNAVAILABLE[self.body_format],
        )
        self._drop({"retry-after"})
        self.headers.append(("Retry-After", str(retry_after)))

    def send(self, start_response: StartResponse) -> Iterable[bytes]:
        """Start the response, and return the iterable for the server."""
        if self._exc_info is None:
            start_response(self.status, self.headers)
        else:
            start_response(self.status, self.headers, self._exc_info)
        if isinstance(self._body, list):
            return _Body(self._body, self.close)
        return self._iterable if self._body is None else self

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over a body that was not read completely."""
        return iter(self._body or ())

    def close(self) -> None:
        """Close the application's iterable."""
        if hasattr(self._iterable, "close"):
            self._iterable.close()

    def _copied_chunks(self) -> Iterator[bytes]:
        """Yield the chunks of the application's iterable.

        An error after the first bytes is kept until these have been sent.
        """
        has_bytes = False
        try:
            for chunk in self._iterable:
                has_bytes = has_bytes or len(chunk) > 0
                # The application may reuse the buffer of a memoryview.
                yield bytes(chunk)
        except Exception as error:
            if not has_bytes:
                raise
            self._error = error

    def _partial(self) -> Iterator[bytes]:
        """Yield a body that is too large to buffer, or ends in an error."""
        yield from self._chunks
        if self._error is not None:
            raise self._error

    def _header(self, name: str) -> str:
        """Return the value of a header; repeated headers are joined."""
        return ", ".join(
            value for key, value in self.headers if key.lower() == name
        )

    def _drop(self, names: Collection[str]) -> None:
        """Drop headers. The application's own list is not changed."""
        self.headers = [
            (name, value)
            for name, value in self.headers
            if name.lower() not in names
        ]


class _Body(list[bytes]):
    """A complete body; a server can derive Content-Length from its length."""

    def __init__(
        self, chunks: Iterable[bytes], close: Callable[[], None]
    ) -> None:
        super().__init__(chunks)
        self.close = close
