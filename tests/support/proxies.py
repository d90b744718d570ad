"""A server that stands before another, and can fall silent."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import Any


class Proxy:
    """Stands before a database server, and falls silent when told to.

    A silent proxy accepts connections, and passes nothing on.
    """

    def __init__(self, server: tuple[str, int] | None) -> None:
        self._server = server
        self.is_silent = server is None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets = [self._listener]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

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
        self._sockets.append(client)
        if self._server is not None and not self.is_silent:
            server = socket.create_connection(self._server)
            self._sockets.append(server)
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
        if not self.is_silent:
            with contextlib.suppress(OSError):
                if sent:
                    key.data.sendall(sent)
                else:
                    key.data.shutdown(socket.SHUT_WR)
