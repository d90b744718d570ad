"""A WSGI application on a free port of this machine, in threads."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from typing import TYPE_CHECKING
from wsgiref import simple_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed.wsgi import WSGIApplication


class _Server(socketserver.ThreadingMixIn, simple_server.WSGIServer):
    """One thread for each connection."""

    daemon_threads = True


class _Handler(simple_server.WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def served(application: WSGIApplication) -> Iterator[str]:
    """Serve an application, and give its URL without a slash at the end."""
    with simple_server.make_server(
        "127.0.0.1", 0, application, _Server, _Handler
    ) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
