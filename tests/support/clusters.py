"""A Galera cluster of MariaDB, and HAProxy in front of its nodes."""

from __future__ import annotations

import contextlib
import csv
import os
import socket
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pymysql
import pytest
import sqlalchemy as sa

from tests.support.servers import PATIENCE, MariaDB, Server, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PROVIDER = Path("/usr/lib/galera/libgalera_smm.so")
GROUP = "nova-ext-sts"

#: Of a node: whether it is ready, and how many members its group has.
STATUS = (
    "SELECT variable_name, variable_value FROM "
    "information_schema.global_status WHERE variable_name IN "
    "('WSREP_READY', 'WSREP_CLUSTER_SIZE')"
)


def wait_until(holds: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait for a condition, and fail if it never holds."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


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
        transfer = f"127.0.0.1:{free_port()}"
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
            f"--wsrep-sst-receive-address={transfer}",
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

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def execute(self, statement: str) -> Sequence[Sequence[Any]]:
        """Return the rows of a statement, on a new connection."""
        # Without SQLAlchemy, which ends a first connection with a ROLLBACK:
        # a node without its cluster refuses that, too.
        connection = pymysql.connect(
            host="127.0.0.1", port=self.port, user="root", autocommit=True
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

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

    places = ("/usr/sbin",)

    @property
    def url(self) -> sa.engine.URL:
        return sa.engine.make_url(
            f"mysql+pymysql://root@127.0.0.1:{self.port}"
        )

    def ask(self, command: str) -> str:
        """Return what the proxy answers to a command of its runtime API."""
        with socket.socket(socket.AF_UNIX) as stats:
            stats.connect(str(self.directory / "stats"))
            stats.sendall(f"{command}\n".encode())
            with stats.makefile() as answer:
                return answer.read()

    def is_down(self, server: str) -> bool:
        """Return whether the proxy has marked a server down."""
        return self._statistics(server)["status"].startswith("DOWN")

    def accepted(self) -> int:
        """Return how many connections it has accepted so far."""
        return int(self._statistics("FRONTEND")["stot"])

    def sessions(self) -> int:
        """Return how many connections it passes on."""
        return self.ask("show sess").count("fe=nodes")

    def _statistics(self, name: str) -> dict[str, str]:
        lines = self.ask("show stat").removeprefix("# ").splitlines()
        (row,) = (
            row
            for row in csv.DictReader(lines)
            if (row["pxname"], row["svname"]) == ("nodes", name)
        )
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
            """The terminal is the tests'."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
