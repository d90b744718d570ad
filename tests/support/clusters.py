"""A Galera cluster of MariaDB, and HAProxy in front of its nodes."""

from __future__ import annotations

import contextlib
import csv
import os
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pymysql
import pytest

from tests.support.servers import MariaDB, Server, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import sqlalchemy as sa

PROVIDER = Path("/usr/lib/galera/libgalera_smm.so")
GROUP = "nova-ext-sts"

#: Of a node: whether it is ready, and how many members its group has.
STATUS = (
    "SELECT variable_name, variable_value FROM "
    "information_schema.global_status WHERE variable_name IN "
    "('WSREP_READY', 'WSREP_CLUSTER_SIZE')"
)


class Galera(MariaDB):
    """One node; the first one founds the cluster.

    :param peers: nodes to join
    """

    def __init__(self, *peers: Galera) -> None:
        if not PROVIDER.exists():
            pytest.skip("galera-4 is not installed")
        # A node that joins copies the files of another one with it.
        self._binary("rsync")
        self.address = f"127.0.0.1:{free_port()}"
        provider = {
            "gmcast.listen_addr": f"tcp://{self.address}",
            "ist.recv_addr": f"127.0.0.1:{free_port()}",
            # A real-time priority takes a privilege.
            "gcomm.thread_prio": "other:0",
            "gcache.size": "8M",
        }
        super().__init__(
            "--wsrep-on=ON",
            f"--wsrep-provider={PROVIDER}",
            f"--wsrep-cluster-name={GROUP}",
            f"--wsrep-cluster-address={group_of(peers)}",
            "--wsrep-node-address=127.0.0.1",
            "--wsrep-sst-method=rsync",
            f"--wsrep-sst-receive-address=127.0.0.1:{free_port()}",
            f"--wsrep-provider-options={options(provider)}",
            "--binlog-format=ROW",
            "--innodb-autoinc-lock-mode=2",
            "--innodb-buffer-pool-size=32M",
            "--innodb-log-file-size=8M",
        )

    @property
    def user(self) -> str:
        # The script that copies a node's files needs another user than root.
        return "mysql" if os.geteuid() == 0 else super().user

    def connect(self) -> pymysql.Connection[Any]:
        # Without SQLAlchemy, which ends a first connection with a ROLLBACK:
        # a node without its cluster refuses that, too.
        return pymysql.connect(
            host="127.0.0.1", port=self.port, user="root", autocommit=True
        )

    def execute(self, statement: str) -> Sequence[Sequence[Any]]:
        """Return the rows of a statement, on a new connection."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            rows: Sequence[Sequence[Any]] = cursor.fetchall()
            return rows

    @contextlib.contextmanager
    def setting(self, name: str, value: str, normal: str) -> Iterator[None]:
        """Have a global variable of another value for a while."""
        self.execute(f"SET GLOBAL {name} = '{value}'")
        try:
            yield
        finally:
            self.execute(f"SET GLOBAL {name} = '{normal}'")

    def status(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.execute(STATUS)}

    def is_ready(self) -> bool:
        return self.status()["wsrep_ready"] == "ON"


class Garbd(Server):
    """A member that holds no data, but has a vote.

    :param node: a node to join
    """

    def __init__(self, node: Galera) -> None:
        self._node = node
        super().__init__()

    @property
    def user(self) -> str:
        return self._node.user

    @property
    def url(self) -> sa.engine.URL:
        """The node's: there is no database here."""
        return self._node.url

    def _initialize(self) -> None:
        """Nothing is kept."""

    def _command(self) -> Sequence[str]:
        provider = {
            "gmcast.listen_addr": f"tcp://127.0.0.1:{self.port}",
            "gcomm.thread_prio": "other:0",
        }
        return [
            "garbd",
            f"--address={group_of([self._node])}",
            f"--group={GROUP}",
            f"--options={options(provider)}",
        ]


def group_of(nodes: Sequence[Galera]) -> str:
    """Return the address of a group, as Galera writes it."""
    return f"gcomm://{','.join(node.address for node in nodes)}"


def options(values: dict[str, str]) -> str:
    """Return options of the provider, as Galera writes them."""
    return ";".join(f"{name}={value}" for name, value in values.items())


class HAProxy(Server):
    """A proxy in front of nodes. Its options are lines of configuration."""

    def count(self, what: str) -> int:
        """Return how many connections were accepted (stot), or are (scur)."""
        return int(self.statistics("FRONTEND")[what])

    def statistics(self, name: str) -> dict[str, str]:
        """Return a row of its statistics: a server's, or FRONTEND."""
        with socket.socket(socket.AF_UNIX) as stats:
            stats.connect(str(self.directory / "stats"))
            stats.sendall(b"show stat\n")
            with stats.makefile() as answer:
                rows = list(csv.DictReader(answer))
        (row,) = (row for row in rows if row["svname"] == name)
        return row

    def _initialize(self) -> None:
        lines = [
            "global",
            f"stats socket {self.directory}/stats",
            "listen nodes",
            "mode tcp",
            f"bind 127.0.0.1:{self.port}",
            *self._options,
        ]
        (self.directory / "haproxy.cfg").write_text(
            "".join(f"{line}\n" for line in lines)
        )

    def _command(self) -> Sequence[str]:
        return ["haproxy", "-db", "-f", f"{self.directory}/haproxy.cfg"]


@contextlib.contextmanager
def checked(node: Galera) -> Iterator[int]:
    """Serve a node's state over HTTP, as clustercheck does; give the port."""

    class Answer(BaseHTTPRequestHandler):
        def do_OPTIONS(self) -> None:
            is_ready = False
            with contextlib.suppress(pymysql.OperationalError):
                is_ready = node.is_ready()
            self.send_response(
                HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
            )
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Write nothing to the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
