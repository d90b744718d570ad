"""Applications that answer in all ways that PEP 3333 allows, and in more."""

from __future__ import annotations

import io
import itertools
import sys
from typing import TYPE_CHECKING, Any, NamedTuple
from wsgiref import util

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

BODY = b'{"server": {"id": "a", "name": "web"}}'
UNKNOWN = b'{"server": {"id": "nobody", "name": "web"}}'
ERROR = "500 Internal Server Error"


class Manner(NamedTuple):
    """One way to answer."""

    content: str
    start: str
    written: str
    body: str
    chunks: str
    length: str
    error: str

    @property
    def document(self) -> bytes:
        return UNKNOWN if self.content == "unknown" else BODY

    @property
    def head(self) -> tuple[str, list[tuple[str, str]]]:
        """The final status and headers."""
        plain = self.content == "text"
        headers = [
            ("X-First", "1"),
            ("Content-Type", "text/plain" if plain else "application/json"),
            ("ETag", '"1"'),
        ]
        lengths = {"right": 0, "short": -3, "long": 5}
        if self.length in lengths:
            length = len(self.document) + lengths[self.length]
            headers.append(("Content-Length", str(length)))
        return "404 Not Found" if self.content == "404" else "200 OK", headers

    def is_possible(self) -> bool:
        """Return True if an application can answer so."""
        # Only code that runs while the body is taken can start or fail then;
        # PEP 3333 forbids such code to write(), unless it starts then, too.
        starts_late = self.start in ("on first", "delayed")
        if self.body in ("generator", "iterator"):
            return starts_late or self.written == "nothing"
        return not starts_late and self.error in (
            "none",
            "at once",
            "before body",
            "in close",
        )

    def is_legal(self) -> bool:
        """Return True if PEP 3333 allows to answer so."""
        return (
            self.error == "none"
            # write() is not for code that runs while the body is taken.
            and (self.written == "nothing" or self.body in ("list", "file"))
            and self.start not in ("replaced", "delayed")
            and self.length in ("none", "right")
        )


MATRIX = [
    manner
    for manner in itertools.starmap(
        Manner,
        itertools.product(
            ["extended", "unknown", "text", "404"],
            ["early", "again", "replacing", "replaced", "on first", "delayed"],
            ["nothing", "a part", "all"],
            ["list", "file", "generator", "iterator"],
            ["whole", "bytes", "gaps"],
            ["none", "right", "short", "long"],
            ["none", "at once", "before body", "in body", "after", "in close"],
        ),
    )
    if manner.is_possible()
    # How the chunks are cut does not matter to a wrong length.
    and (manner.length in ("none", "right") or manner.chunks == "gaps")
]


class Source:
    """An iterable that counts the calls of close()."""

    def __init__(self, chunks: Iterable[bytes], *, fails: bool) -> None:
        self._chunks = iter(chunks)
        self._fails = fails
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        self.closed += 1
        if self._fails:
            raise OSError("in close")


class Application:
    """An application that answers in one manner.

    ``source`` is the iterable of its latest response.
    """

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self.source: Source | None = None

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        manner = self._manner
        if manner.error == "at once":
            raise ValueError("at once")
        chunks = self._chunks()
        if manner.start in ("on first", "delayed"):
            body = self._late(start_response, chunks)
        else:
            body = self._rest(self._start(start_response), chunks)
            if manner.body in ("list", "file"):
                body = iter(list(body))
        if manner.body == "generator" and manner.error != "in close":
            return body
        if manner.body == "file":
            file = io.BytesIO(b"".join(body))
            body = iter(util.FileWrapper(file, 7))
        self.source = Source(body, fails=manner.error == "in close")
        if manner.body == "list" and manner.error != "in close":
            self.source = None
            return list(body)
        return self.source

    def _chunks(self) -> list[bytes]:
        document = self._manner.document
        if self._manner.chunks == "whole":
            return [document]
        if self._manner.chunks == "bytes":
            return [bytes([byte]) for byte in document]
        return [b"", document[:9], b"", document[9:20], document[20:], b""]

    def _start(self, start_response: StartResponse) -> Any:
        if self._manner.start in ("again", "replacing"):
            is_other = self._manner.start == "again"
            start_response(
                "200 OK" if is_other else ERROR,
                [("Content-Type", "application/json"), ("X-Old", "1")],
            )
            return self._again(start_response, *self._manner.head)
        write = start_response(*self._manner.head)
        if self._manner.start == "replaced":
            page = [("Content-Type", "text/html"), ("X-Page", "1")]
            return self._again(start_response, ERROR, page)
        return write

    def _again(
        self,
        start_response: StartResponse,
        status: str,
        headers: list[tuple[str, str]],
    ) -> Any:
        try:
            raise KeyError("replaced")
        except KeyError:
            return start_response(status, headers, sys.exc_info())

    def _late(
        self, start_response: StartResponse, chunks: list[bytes]
    ) -> Iterator[bytes]:
        if self._manner.start == "delayed":
            yield b""
        yield from self._rest(self._start(start_response), chunks)

    def _rest(self, write: Any, chunks: list[bytes]) -> Iterator[bytes]:
        written = {
            "nothing": 0,
            "a part": len(chunks) // 2,
            "all": len(chunks),
        }
        count = written[self._manner.written]
        for chunk in chunks[:count]:
            write(chunk)
        if self._manner.error == "before body":
            raise ValueError("before body")
        for number, chunk in enumerate(chunks[count:]):
            if self._manner.error == "in body" and number:
                raise ValueError("in body")
            yield chunk
        if self._manner.error == "after":
            raise ValueError("after")
