"""TCP servers that misbehave as a test defines."""

from __future__ import annotations

import contextlib
import itertools
import socketserver
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    #: Receives a connection, and an event that ends the test.
    Handle = Callable[[socket.socket, threading.Event], None]


class Scripted(socketserver.ThreadingTCPServer):
    """A server that handles each connection in a thread."""

    request_queue_size = 512

    def __init__(self, handle: Handle) -> None:
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self._handle = handle
        self.port: int = self.socket.getsockname()[1]
        self.ended = threading.Event()
        self.accepted = 0
        self._accepting = threading.Thread(
            target=self.serve_forever, args=[0.02]
        )
        self._accepting.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.ended.set()
        self.shutdown()
        self._accepting.join()
        self.server_close()

    def verify_request(self, *_: Any) -> bool:
        self.accepted += 1
        return True

    def finish_request(self, request: Any, client_address: Any) -> None:
        with contextlib.suppress(OSError):
            self._handle(request, self.ended)


#: Runs a server during a block.
scripted = Scripted


def close_after(seconds: float) -> Handle:
    """Accept, send nothing, and close."""

    def handle(_: socket.socket, ended: threading.Event) -> None:
        ended.wait(seconds)

    return handle


def drip(data: bytes, pause: float) -> Handle:
    """Send data one byte at a time, repeatedly."""

    def handle(connection: socket.socket, ended: threading.Event) -> None:
        for byte in itertools.cycle(data):
            if ended.wait(pause):
                return
            connection.sendall(bytes([byte]))

    return handle
