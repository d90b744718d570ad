"""A proxy in front of a database server, which can fall silent."""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING

from tests.support.scripted import Scripted

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator


class Proxy(Scripted):
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
        #: How many connections have reached the server.
        self.served = 0
        self._sent: list[bytearray] = []
        self._forgotten = 0
        super().__init__(self._pass_on)

    @property
    def received(self) -> list[bytes]:
        """What each client has sent."""
        return [bytes(sent) for sent in self._sent if sent]

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
        self._forgotten += 1

    def _pass_on(self, client: socket.socket, ended: threading.Event) -> None:
        if self.is_refusing:
            return
        if self.is_silent or self._server is None:
            ended.wait()
            return
        forgotten = self._forgotten
        sent = bytearray()
        self._sent.append(sent)
        with socket.create_connection(self._server) as server:
            self.served += 1
            if self._version:
                client.sendall(_announcing(self._version, server.recv(65536)))
            open_ends = [client, server]
            while open_ends and not ended.is_set():
                for source in select.select(open_ends, [], [], 0.02)[0]:
                    received = source.recv(65536)
                    if not received:
                        open_ends.remove(source)
                    if source is client:
                        sent += received
                    if self.is_silent or forgotten < self._forgotten:
                        continue
                    target = server if source is client else client
                    if received:
                        target.sendall(received)
                    else:
                        target.shutdown(socket.SHUT_WR)


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
