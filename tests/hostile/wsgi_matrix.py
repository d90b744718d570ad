"""Applications that answer in all ways that PEP 3333 allows, and in more."""

from __future__ import annotations

import io
import itertools
from typing import TYPE_CHECKING, Any, NamedTuple
from wsgiref import util

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

BODY = b'{"server": {"id": "a", "name": "web"}}'
UNKNOWN = b'{"server": {"id": "nobody", "name": "web"}}'
ERROR = "500 Internal Server Error"
EXC_INFO: Any = (KeyError, KeyError("replaced"), None)

Head = tuple[str, list[tuple[str, str]]]


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
    def head(self) -> Head:
        """The status and headers that describe the document."""
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

    @property
    def heads(self) -> list[Head]:
        """All heads in turn; the last one counts."""
        old = [("Content-Type", "application/json"), ("X-Old", "1")]
        page = [("Content-Type", "text/html"), ("X-Page", "1")]
        return {
            "again": [("200 OK", old), self.head],
            "replacing": [(ERROR, old), self.head],
            "replaced": [self.head, (ERROR, page)],
        }.get(self.start, [self.head])

    def is_possible(self) -> bool:
        """Return True if an application can answer so."""
        # Only code that runs while the body is taken can start or fail then;
        # PEP 3333 forbids such code to write(), unless it starts then, too.
        starts_late = self.start in ("on first", "delayed")
        if self.body in ("generator", "iterator"):
            return starts_late or self.written == "nothing"
        return not starts_late and self.error not in ("in body", "after")

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
        if manner.start in ("on first", "delayed"):
            body = self._late(start_response)
        else:
            body = self._rest(self._start(start_response))
            if manner.body in ("list", "file"):
                body = iter(list(body))
        if manner.body == "file":
            file = io.BytesIO(b"".join(body))
            body = iter(util.FileWrapper(file, 7))
        fails = manner.error == "in close"
        if manner.body == "generator" and not fails:
            return body
        if manner.body == "list" and not fails:
            return list(body)
        self.source = Source(body, fails=fails)
        return self.source

    def _start(self, start_response: StartResponse) -> Any:
        write = None
        for number, head in enumerate(self._manner.heads):
            write = start_response(*head, EXC_INFO if number else None)
        return write

    def _late(self, start_response: StartResponse) -> Iterator[bytes]:
        if self._manner.start == "delayed":
            yield b""
        yield from self._rest(self._start(start_response))

    def _rest(self, write: Any) -> Iterator[bytes]:
        chunks = self._chunks()
        size = len(chunks)
        written = {"nothing": 0, "a part": size // 2, "all": size}
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

    def _chunks(self) -> list[bytes]:
        document = self._manner.document
        if self._manner.chunks == "whole":
            return [document]
        if self._manner.chunks == "bytes":
            return [bytes([byte]) for byte in document]
        return [b"", document[:9], b"", document[9:20], document[20:], b""]
