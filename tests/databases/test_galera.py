"""A Galera cluster behind HAProxy."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest
from oslo_config import cfg

from nova_ext_sts.states import States
from tests.databases.accounts import MYSQL, account_of
from tests.databases.clusters import Galera, Garbd, HAProxy
from tests.support.cells import source
from tests.support.databases import made
from tests.support.lookups import (
    EXTENDED,
    LATE,
    LIST,
    client_of,
    slow_down,
    wait_until,
)
from tests.support.servers import PATIENCE

TIMEOUT = 2.0
#: Requests per second, and how many are made.
RATE = 100
REQUESTS = 600
#: The request before which the node is killed.
KILL = 200

#: Queries that run on a node.
RUNNING = (
    "SELECT id FROM information_schema.processlist "
    "WHERE info LIKE '%instances%' AND id <> CONNECTION_ID()"
)

#: HAProxy's configurations: both nodes serve, or one of them waits.
LINES = {
    # A refused connection is made to another server at once.
    "balanced": """\
balance roundrobin
option redispatch 1
server frail 127.0.0.1:{frail.port}
server founder 127.0.0.1:{founder.port}
""",
    # The first refused connection marks a server down: before, no connection
    # goes to the one in reserve.
    "in reserve": """\
default-server observe layer4 error-limit 1 on-error mark-down
server frail 127.0.0.1:{frail.port}
server founder 127.0.0.1:{founder.port} backup
""",
}


class Cluster(NamedTuple):
    """Two nodes, and a third member that only votes."""

    founder: Galera
    #: The node that is harmed.
    frail: Galera


@pytest.fixture(scope="module")
def members():
    with (
        Galera() as founder,
        Galera(founder.group_address) as frail,
        Garbd(behind=founder),
    ):
        yield Cluster(founder, frail)


@pytest.fixture
def cluster(members):
    if not members.frail.process:
        members.frail.start()
    wait_until(lambda: all(node.is_ready() for node in members), PATIENCE)
    return members


@pytest.fixture
def database(cluster, tmp_path):
    """A database with the active server ``a``, on all nodes."""
    with made("mysql", tmp_path, cluster.founder.url) as database:
        database.insert_instances([("a", "active", None, 1)])
        yield database


@pytest.fixture
def proxied(cluster):
    """Start HAProxy, with lines of its configuration."""
    with contextlib.ExitStack() as stack:
        yield lambda lines: stack.enter_context(
            HAProxy(lines=lines.format(**cluster._asdict()))
        )


@pytest.mark.parametrize(
    ("lines", "lost", "driver"),
    [
        # The queries in flight at most: their retries find the other node.
        ("balanced", 5, "mysql+pymysql"),
        # Connections to the dying node fail until one has been refused. Each
        # suspends further attempts: for 0.1 s, 0.2 s and 0.4 s.
        ("in reserve", 75, "mysql+pymysql"),
        ("in reserve", 75, "mysql+mysqldb"),
    ],
)
def test_killed_node_costs_few_states(
    lines, lost, driver, cluster, database, proxied
):
    database.reach(drivername=driver, port=proxied(LINES[lines]).port)
    client = client_of(database, timeout=TIMEOUT)
    account = account_of(f"Galera, HAProxy {lines}", driver)
    futures = []
    # Requests do not wait for each other.
    with ThreadPoolExecutor(2 * RATE) as threads:
        began = time.monotonic()
        for number in range(REQUESTS):
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))
            if number == KILL:
                threads.submit(cluster.frail.kill)
            futures.append(threads.submit(account.get, client))
    bodies = [future.result().body for future in futures]
    assert set(bodies) <= {EXTENDED, LIST}
    assert LIST not in bodies[: KILL - 5] + bodies[KILL + lost :]
    assert account.slowest < TIMEOUT + LATE


@pytest.mark.parametrize("driver", MYSQL)
def test_query_is_retried_where_another_node_answers(
    driver, cluster, database, proxied, caplog
):
    """A node that refuses queries answers 1047, on open connections too."""
    proxy = proxied(LINES["balanced"])
    database.reach(drivername=driver, port=proxy.port)
    client = client_of(database, max_connections=1)
    account = account_of("Galera, HAProxy balanced", driver)
    assert account.get(client).body == EXTENDED
    before = proxy.count("stot")
    # Each node in turn, as it has the connection.
    for node in (cluster.frail, cluster.founder) * 2:
        with node.refusing():
            for _ in range(5):
                assert account.get(client).body == EXTENDED
    assert proxy.count("stot") - before >= 3
    assert not caplog.records


@pytest.mark.parametrize("driver", MYSQL)
def test_idle_connections_that_were_cut_cost_nothing(
    driver, database, proxied, caplog
):
    proxy = proxied(LINES["balanced"] + "timeout client 1s\n")
    database.reach(drivername=driver, port=proxy.port)
    # So that each connection is in use when the next is made.
    slow_down(database, 0.1)
    client = client_of(database)
    account = account_of("Galera, HAProxy balanced", driver)
    for _ in range(2):
        with ThreadPoolExecutor(10) as threads:
            responses = list(threads.map(account.get, [client] * 10))
        assert {response.body for response in responses} == {EXTENDED}
        assert proxy.count("scur") > 1
        wait_until(lambda: not proxy.count("scur"))
    assert account.get(client).body == EXTENDED
    assert not caplog.records


def test_reads_wait_for_what_other_nodes_wrote(cluster, database, tmp_path):
    node = cluster.frail
    database.reach(drivername="mysql+pymysql", port=node.port)
    file = tmp_path / "nova.conf"
    file.write_text("[database]\nmysql_wsrep_sync_wait = 1\n")
    conf = cfg.ConfigOpts()
    conf(["--config-file", str(file)], project="nova")
    usual = source(connection=database.url)
    waiting = source(conf, connection=database.url)
    before, after = States("active", None, 1), States("stopped", None, 1)
    assert usual.lookup(["a"]) == waiting.lookup(["a"]) == {"a": before}
    with ThreadPoolExecutor() as thread:
        with node.cursor() as cursor:
            # It does not apply what the others write.
            cursor.execute("FLUSH TABLES WITH READ LOCK")
            database.execute("UPDATE instances SET vm_state = 'stopped'")
            assert usual.lookup(["a"]) == {"a": before}
            lookup = thread.submit(waiting.lookup, ["a"])
            wait_until(lambda: bool(node.execute(RUNNING)))
        assert lookup.result() == {"a": after}
