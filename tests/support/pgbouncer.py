"""PgBouncer in front of PostgreSQL."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import psycopg
import sqlalchemy as sa

from tests.support.servers import Server

if TYPE_CHECKING:
    from collections.abc import Sequence


class PgBouncer(Server):
    """A connection pooler.

    :param server: the server behind it
    :param mode: ``session``, ``transaction`` or ``statement``
    :param settings: others, as NAME=VALUE
    """

    def __init__(self, server: Server, mode: str, *settings: str) -> None:
        self._server = server
        super().__init__(f"pool_mode={mode}", *settings)

    @property
    def user(self) -> str:
        # It refuses to run as root.
        return self._server.user

    @property
    def url(self) -> sa.engine.URL:
        return self._server.url.set(port=self.port)

    def _connect(self) -> str:
        # Its own console: SQLAlchemy's first statements need a transaction,
        # which the mode ``statement`` refuses.
        socket.create_connection(("127.0.0.1", self.port)).close()
        with psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="postgres",
            dbname="pgbouncer",
            autocommit=True,
            # It knows the simple protocol only.
            cursor_factory=psycopg.ClientCursor,
        ) as console:
            (version,) = console.execute("SHOW VERSION").fetchone() or ("",)
            return str(version).removeprefix("PgBouncer ")

    def _initialize(self) -> None:
        (self.directory / "users").write_text('"postgres" ""\n')
        lines = [
            "[databases]",
            f"* = host=127.0.0.1 port={self._server.port}",
            "[pgbouncer]",
            "listen_addr = 127.0.0.1",
            f"listen_port = {self.port}",
            "unix_socket_dir =",
            "auth_type = trust",
            f"auth_file = {self.directory}/users",
            "admin_users = postgres",
            *self._options,
        ]
        (self.directory / "pgbouncer.ini").write_text(
            "".join(f"{line}\n" for line in lines)
        )

    def _command(self) -> Sequence[str]:
        return ["pgbouncer", f"{self.directory}/pgbouncer.ini"]
