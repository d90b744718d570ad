"""A proxy in front of a database server, which can fall silent."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Proxy:
    """Passes bytes between clients and a server, and falls silent when told.

    A silent proxy accepts connections, and passes nothing on.

    :param server: None is a proxy that is always silent
    :param version: what a MySQL or MariaDB server announces in place of its
        own version, as in the greeting of the protocol
    """

    def __init__(
        self, server: tuple[str, int] | None, version: str = ""
    ) -> None:
        self._server = server
        self._version = version
        self.is_silent = server is None
        #: Whether new connections are closed at once.
        self.is_refusing = False
        #: What each client has sent, by its connection.
        self._sent: dict[socket.socket, bytes] = {}
        #: How many connections have reached the server.
        self.served = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets = [self._listener]
        self._forgotten: list[socket.socket] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def received(self) -> list[bytes]:
        """What each client has sent."""
        return list(self._sent.values())

    @property
    def statements(self) -> list[str]:
        """All statements of MySQL's clients, which must not use TLS."""
        return [
            statement.decode()
            for received in self.received
            for statement in _statements(received)
        ]

    def forget(self) -> None:
        """Pass nothing on for connections that are open; serve new ones."""
        self._forgotten = list(self._sockets)

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        for each in self._sockets:
            each.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            while not self._ended.is_set():
                for key, _ in selector.select(0.02):
                    if key.data is None:
                        self._accept(selector)
                    else:
                        self._pass_on(selector, key)

    def _accept(self, selector: selectors.BaseSelector) -> None:
        client, _ = self._listener.accept()
        if self.is_refusing:
            client.close()
            return
        self._sockets.append(client)
        if self._server is not None and not self.is_silent:
            server = socket.create_connection(self._server)
            self.served += 1
            self._sockets.append(server)
            if self._version:
                client.sendall(_announcing(self._version, server.recv(65536)))
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)

    def _pass_on(
        self, selector: selectors.BaseSelector, key: selectors.SelectorKey
    ) -> None:
        source: Any = key.fileobj
        try:
            sent = source.recv(65536)
        except OSError:
            sent = b""
        if not sent:
            selector.unregister(source)
        elif source.getsockname()[1] == self.port:
            self._sent[source] = self._sent.get(source, b"") + sent
        if not self.is_silent and source not in self._forgotten:
            with contextlib.suppress(OSError):
                if sent:
                    key.data.sendall(sent)
                else:
                    key.data.shutdown(socket.SHUT_WR)


def _announcing(version: str, greeting: bytes) -> bytes:
    """Return a greeting with another version.

    It is one packet: its length (3 bytes, the lowest first), a number, the
    version of the protocol, and that of the server, which ends with a zero.
    """
    rest = greeting.index(b"\0", 5)
    packet = greeting[4:5] + version.encode() + greeting[rest:]
    return len(packet).to_bytes(3, "little") + greeting[3:4] + packet


def _statements(received: bytes) -> Iterator[bytes]:
    """Yield the statements of one client.

    Each command is a packet with the number 0; 3 is that of a statement.
    """
    while received:
        end = 4 + int.from_bytes(received[:3], "little")
        packet, received = received[:end], received[end:]
        if packet[3:5] == b"\0\x03":
            yield packet[5:]
