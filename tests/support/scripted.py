"""TCP servers that misbehave as a test defines."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Scripted:
    """A server that handles each connection in a thread.

    :param handle: receives the connection, and an event that ends the test
    """

    def __init__(
        self, handle: Callable[[socket.socket, threading.Event], None]
    ) -> None:
        self._handle = handle
        self.ended = threading.Event()
        self.accepted = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._listener.settimeout(0.05)
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self.ended.set()
        for each in self._threads:
            each.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self.ended.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = self._listener.accept()
                self.accepted += 1
                thread = threading.Thread(target=self._run, args=[connection])
                self._threads.append(thread)
                thread.start()

    def _run(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self._handle(connection, self.ended)


@contextlib.contextmanager
def scripted(
    handle: Callable[[socket.socket, threading.Event], None],
) -> Iterator[Scripted]:
    """Run a server during a block."""
    server = Scripted(handle)
    try:
        yield server
    finally:
        server.close()


def close_after(
    seconds: float,
) -> Callable[[socket.socket, threading.Event], None]:
    """Accept, send nothing, and close."""

    def handle(connection: socket.socket, ended: threading.Event) -> None:
        ended.wait(seconds)

    return handle


def drip(
    data: bytes, pause: float
) -> Callable[[socket.socket, threading.Event], None]:
    """Send data one byte at a time, repeatedly."""

    def handle(connection: socket.socket, ended: threading.Event) -> None:
        while True:
            for byte in data:
                if ended.wait(pause):
                    return
                connection.sendall(bytes([byte]))

    return handle


def refuse(
    packet: bytes,
) -> Callable[[socket.socket, threading.Event], None]:
    """Send a packet, and close."""

    def handle(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(packet)

    return handle


#: MySQL's error packet 1040, in place of the greeting.
TOO_MANY_CONNECTIONS = b"\x17\x00\x00\x00\xff\x10\x04Too many connections"
