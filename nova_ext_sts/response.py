# SPDX-License-Identifier: Apache-2.0
"""An application's response, and what is sent in its place."""

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

_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^\s";]+)', re.IGNORECASE)

#: Request headers that ask for a part of the body, for none if it has not
#: changed, or for an encoded one.
_WITHHELD = (
    "HTTP_ACCEPT_ENCODING",
    "HTTP_IF_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_RANGE",
    "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_RANGE",
)

#: Response headers that, like Content-Length, are true for the application's
#: bytes only.
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
    """An application's response, before the server has seen any of it.

    The application is called with the server's own environ, so that outer
    filters see what it writes there. The request headers that ask for
    anything but the whole body are missing during the call.

    WebOb makes the call. If the application uses ``write()``, or calls
    ``start_response`` only when its iterable is read, the whole body is read
    during the call, whatever its size. From any other iterable, ``write()``
    and a second ``start_response`` have no effect.

    Pass what ``send()`` returns to the server, or call ``close()``.
    """

    def __init__(
        self, application: WSGIApplication, environ: WSGIEnvironment
    ) -> None:
        self._iterable: Any = ()
        #: Raised by the application behind the first bytes of the body.
        self._error: Exception | None = None

        def call(
            environ: WSGIEnvironment, start_response: StartResponse
        ) -> Iterable[bytes]:
            self._iterable = application(environ, start_response)
            return self._chunks()

        withheld = {
            name: environ.pop(name) for name in _WITHHELD if name in environ
        }
        request = webob.Request(environ)
        try:
            self.status, self.headers, body, self._exc_info = (
                request.call_application(call, catch_exc_info=True)
            )
        except BaseException:
            self.close()
            raise
        finally:
            environ.update(withheld)
        is_read = isinstance(body, list)
        #: The beginning of the body; None while nothing has been read.
        self._held: list[bytes] | None = body if is_read else None
        #: The rest of it; None if all has been read.
        self._rest: Iterator[bytes] | None = None
        if not is_read or self._error is not None:
            self._rest = iter(()) if is_read else body

    @property
    def code(self) -> str:
        """The status code."""
        return str(self.status).partition(" ")[0]

    @property
    def body_format(self) -> str:
        """The format of the body; empty if it is another one."""
        media_type = self._header("content-type").partition(";")[0]
        body_format = FORMATS.get(media_type.strip().lower(), "")
        is_utf_8 = self.charset in (None, "utf-8", "utf8")
        return "" if body_format == "xml" and not is_utf_8 else body_format

    @property
    def charset(self) -> str | None:
        """The parameter of Content-Type, in lower case."""
        charset = _CHARSET.search(self._header("content-type"))
        return charset[1].lower() if charset else None

    def is_changeable(self, limit: int) -> bool:
        """Return True if the body can be changed, according to its headers.

        :param limit: the size of the largest body that is read, in bytes
        """
        length = self._header("content-length")[:20]
        return bool(
            self.body_format
            and self._header("content-encoding").lower() in ("", "identity")
            # Set by servers. An application that sets it frames its body.
            and not self._header("transfer-encoding")
            and not (length.isdecimal() and int(length) > limit)
        )

    def read(self, limit: int) -> bytes | None:
        """Return the body, or None if it is too large or ends in an error.

        In that case, what has been read is sent before the rest.

        :param limit: the size of the largest body that is read, in bytes
        """
        chunks = itertools.chain(self._held or (), self._rest or ())
        # The first chunk is often the only one, and BytesIO does not copy it.
        held = io.BytesIO(next(chunks, b""))
        size = held.seek(0, io.SEEK_END)
        while size <= limit and (chunk := next(chunks, None)) is not None:
            size += held.write(chunk)
        body = held.getvalue()
        is_complete = size <= limit and self._error is None
        self._held = [body]
        self._rest = None if is_complete else chunks
        return body if is_complete else None

    def drop_validators(self) -> None:
        """Drop the headers that describe the application's bytes."""
        self._drop(_VALIDATORS | {"content-length"})

    def replace_body(self, body: bytes) -> None:
        """Send another body, with headers that match it."""
        self._held, self._rest = [body], None
        self._drop(_VALIDATORS)
        size = str(len(body))
        if not self._header("content-length"):
            self.headers.append(("Content-Length", size))
        self.headers = [
            (name, size if name.lower() == "content-length" else value)
            for name, value in self.headers
        ]

    def replace(
        self,
        status: str,
        body_format: str,
        body: bytes,
        *headers: tuple[str, str],
    ) -> None:
        """Send another response, with the headers that still apply.

        :param headers: sent in place of those with the same names
        """
        self.status = status
        self.replace_body(body)
        own = [("Content-Type", f"application/{body_format}"), *headers]
        self._drop({"content-encoding", *(name.lower() for name, _ in own)})
        self.headers += own

    def fail(self, retry_after: int) -> None:
        """Send a 503 in the Compute API's fault format.

        :param retry_after: in seconds
        """
        self.replace(
            "503 Service Unavailable",
            self.body_format,
            _UNAVAILABLE[self.body_format],
            ("Retry-After", str(retry_after)),
        )

    def send(self, start_response: StartResponse) -> Iterable[bytes]:
        """Start the response, and return the iterable for the server."""
        if self._exc_info is None:
            start_response(self.status, self.headers)
        else:
            start_response(self.status, self.headers, self._exc_info)
        if self._held is None:
            return self._iterable  # type: ignore[no-any-return]
        if self._rest is None:
            return _Body(self._held, self.close)
        return self

    def __iter__(self) -> Iterator[bytes]:
        """Yield a body that has been read in part, or ends in an error."""
        while self._held:
            yield self._held.pop(0)
        yield from self._rest or ()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Close the application's iterable."""
        if hasattr(self._iterable, "close"):
            self._iterable.close()

    def _chunks(self) -> Iterator[bytes]:
        """Yield the chunks of the application's iterable.

        An error is kept until the bytes before it have been sent.
        """
        has_begun = False
        try:
            for chunk in self._iterable:
                has_begun = has_begun or len(chunk) > 0
                # A memoryview changes when the application reuses its buffer.
                yield bytes(chunk)
        except Exception as error:
            if not has_begun:
                raise
            self._error = error

    def _header(self, name: str) -> str:
        """Return the value of a header; repeated ones are joined."""
        return ", ".join(
            value for key, value in self.headers if key.lower() == name
        )

    def _drop(self, names: Collection[str]) -> None:
        """Drop headers. The application keeps its own list."""
        self.headers = [
            (name, value)
            for name, value in self.headers
            if name.lower() not in names
        ]


class _Body(list[bytes]):
    """A complete body, of which a server can take the length."""

    def __init__(
        self, chunks: Iterable[bytes], close: Callable[[], None]
    ) -> None:
        super().__init__(chunks)
        self.close = close
