"""A Galera cluster of MariaDB, and HAProxy in front of its nodes."""

from __future__ import annotations

import contextlib
import csv
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pymysql

from tests.support.servers import MariaDB, Server, free_port, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

PROVIDER = Path("/usr/lib/galera/libgalera_smm.so")
#: A real-time priority takes a privilege.
PRIORITY = "gcomm.thread_prio=other:0"


class Galera(MariaDB):
    """One node; the first one founds the cluster.

    :param peer: the group's address of a node to join
    """

    command = f"""
        {MariaDB.command}
        --wsrep-on=ON --wsrep-provider={PROVIDER}
        --wsrep-cluster-name=nova-ext-sts
        --wsrep-cluster-address=gcomm://{{self.peer}}
        --wsrep-node-address=127.0.0.1 --wsrep-sst-method=rsync
        --wsrep-sst-receive-address=127.0.0.1:{{self.sst_port}}
        --wsrep-provider-options={{self.provider_options}}
        --binlog-format=ROW --innodb-autoinc-lock-mode=2
        --innodb-buffer-pool-size=32M --innodb-log-file-size=8M
    """
    # The script that copies a node's files refuses to run as root.
    package_user = "mysql"

    def __init__(self, peer: str = "") -> None:
        if not PROVIDER.exists():
            missing("galera-4 is not installed")
        # A node that joins copies the files of another one with it.
        if not shutil.which("rsync"):
            missing("rsync is not installed")
        self.peer = peer
        self.sst_port = free_port()
        self.group_address = f"127.0.0.1:{free_port()}"
        self.provider_options = (
            f"gmcast.listen_addr=tcp://{self.group_address};"
            f"ist.recv_addr=127.0.0.1:{free_port()};{PRIORITY};gcache.size=8M"
        )
        super().__init__()

    @contextlib.contextmanager
    def cursor(self) -> Iterator[pymysql.cursors.Cursor]:
        # Without SQLAlchemy, which ends a first connection with a ROLLBACK:
        # a node that refuses queries refuses that, too.
        with (
            pymysql.connect(
                host="127.0.0.1", port=self.port, user="root", autocommit=True
            ) as connection,
            connection.cursor() as cursor,
        ):
            yield cursor

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a statement, on a new connection."""
        with self.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuse queries, as a node without its cluster does."""
        self.execute("SET GLOBAL wsrep_reject_queries = 'ALL'")
        try:
            yield
        finally:
            self.execute("SET GLOBAL wsrep_reject_queries = 'NONE'")

    def is_ready(self) -> bool:
        """Return whether it serves, in a group of all three members."""
        rows = self.execute(
            "SHOW STATUS WHERE Variable_name IN "
            "('wsrep_ready', 'wsrep_cluster_size')"
        )
        return {*rows} == {("wsrep_ready", "ON"), ("wsrep_cluster_size", "3")}


class Garbd(Server):
    """A member that holds no data, but has a vote."""

    command = f"""
        garbd --group=nova-ext-sts
        --address=gcomm://{{self.behind.group_address}}
        --options=gmcast.listen_addr=tcp://127.0.0.1:{{self.port}};{PRIORITY}
    """
    # The node's: there is no database here.
    address = "{self.behind.url}"
    package_user = Galera.package_user


class HAProxy(Server):
    """A proxy, whose lines of configuration name the nodes behind it."""

    configuration = """\
global
stats socket {self.directory}/stats
listen nodes
mode tcp
bind 127.0.0.1:{self.port}
timeout connect 1s
timeout client 1h
timeout server 1h
default-server check inter 1s fall 2 rise 1 on-marked-down shutdown-sessions
{self.lines}
"""
    command = "haproxy -db -f {self.directory}/server.conf"

    def count(self, what: str) -> int:
        """Return how many connections were accepted (stot), or are (scur)."""
        with socket.socket(socket.AF_UNIX) as stats:
            stats.connect(str(self.directory / "stats"))
            stats.sendall(b"show stat\n")
            with stats.makefile() as answer:
                rows = csv.DictReader(answer)
                return next(
                    int(row[what])
                    for row in rows
                    if row["svname"] == "FRONTEND"
                )
