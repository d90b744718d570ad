"""Servers that freeze, die and restart, and connections that are lost."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.applications import answering, filtered
from tests.support.load import load
from tests.support.lookups import (
    EXTENDED,
    LATE,
    LIST,
    client_of,
    connections_of,
    end_connections,
    get_in_time,
    slow_down,
    wait_for_states,
    workers,
)
from tests.support.scripted import close_after, drip, scripted

#: The first bytes of each server: more is announced than comes.
GREETINGS = {
    "mysql": b"\x6e\x00\x00\x00\x0a5.5.5-10.11.6-MariaDB\x00",
    # No TLS, and a part of a message.
    "postgresql": b"NR\x00\x00\x00\x0c",
}


@pytest.mark.parametrize("moment", ["before the first query", "idle", "busy"])
def test_frozen_server_costs_one_timeout_in_all(
    moment, server, active, caplog
):
    client = client_of(active, timeout=1)
    if moment != "before the first query":
        assert client.get_list().body == EXTENDED
    before = len(workers())
    if moment == "busy":
        slow_down(active, 0.4)
    with server.frozen(0.2 if moment == "busy" else 0):
        began = time.monotonic()
        # At once, and then one after the other.
        with ThreadPoolExecutor(50) as threads:
            bodies = threads.map(lambda _: get_in_time(client, 1), range(50))
            assert {response.body for response in bodies} == {LIST}
        for _ in range(100):
            assert client.get_list().body == LIST
        assert time.monotonic() - began < 1 + LATE
        assert len(workers()) <= before + 5
    wait_for_states(client, 8)
    begins, ends = (record.getMessage() for record in caplog.records)
    assert "in 1.0 s" in begins
    assert "again" in ends


def test_killed_server_costs_one_outage(server, active, pass_time, caplog):
    client = client_of(active)
    assert client.get_list().body == EXTENDED
    with server.killed():
        for _ in range(20):
            assert client.get_list().body == LIST
    pass_time(1.01)
    for _ in range(20):
        assert client.get_list().body == EXTENDED
    begins, ends = (record.getMessage() for record in caplog.records)
    assert "the instances' database" in begins
    assert "after 20 failed lookups" in ends


def restart(_, server):
    with server.killed():
        pass


def kill_connections(database, _):
    end_connections(database)


@pytest.mark.parametrize(
    ("end", "times"), [(restart, 2), (kill_connections, 200)]
)
def test_lost_connections_cost_nothing(end, times, server, active, caplog):
    client = client_of(active)
    assert client.get_list().body == EXTENDED
    for _ in range(times):
        end(active, server)
        assert client.get_list().body == EXTENDED
    assert len(connections_of(active)) == 1
    assert not caplog.records


@pytest.mark.parametrize(
    ("end", "body"), [(restart, None), (kill_connections, EXTENDED)]
)
def test_connection_is_lost_in_the_middle_of_a_query(
    end, body, server, active
):
    slow_down(active, 1)
    client = client_of(active, timeout=3)
    with ThreadPoolExecutor() as threads:
        response = threads.submit(get_in_time, client, 3)
        time.sleep(0.4)
        end(active, server)
        # It is retried once, within the time-out: a server may take longer
        # to restart.
        assert response.result().body in ({body} if body else {LIST, EXTENDED})
    wait_for_states(client, 8)


def test_server_that_closes_late_delays_few_responses(driver, pass_time):
    with scripted(close_after(1.9)) as server:
        url = f"{driver}://u:p@127.0.0.1:{server.port}/x"
        client = filtered(answering(LIST), connection=url, timeout=5)
        # Suspended for 1 and 2 seconds, with two requests a second.
        waited = []
        for number in range(8):
            began = time.monotonic()
            assert client.get_list().body == LIST
            if time.monotonic() - began > 0.3:
                waited.append(number)
            pass_time(0.501)
    assert waited == [0, 2, 6]


def test_overloaded_database_does_not_delay_every_response(active):
    slow_down(active, 0.7)
    client = client_of(active, timeout=1)
    loaded = load(client.get_list, threads=64, seconds=8)
    assert max(loaded.seconds) < 1 + LATE
    # Most find it suspended, and others have their states.
    waited = sum(seconds > 0.9 for seconds in loaded.seconds)
    assert waited < len(loaded.seconds) / 2
    assert EXTENDED in {response.body for response in loaded.responses}


@pytest.mark.parametrize("fault", ["frozen", "drips"])
def test_process_ends_while_a_handshake_does_not(
    fault, driver, server, active
):
    greeting = GREETINGS[driver.partition("+")[0]]
    faults: dict[str, Any] = {
        "frozen": server.frozen,
        "drips": lambda: scripted(drip(greeting, 0.2)),
    }
    with faults[fault]() as dripping:
        if dripping:
            active.reach(port=dripping.port)
        program = f"import {__name__} as me; me.look_up({active.url!r})"
        began = subprocess.check_output(
            [sys.executable, "-c", program],
            cwd=Path(__file__).parents[2],
            timeout=60,
        )
        assert time.monotonic() - float(began) < 1 + 5


def look_up(url):
    """Write when the first request was made; the time-out is 1 s."""
    client = filtered(answering(LIST), connection=url, timeout=1)
    print(time.monotonic())
    for _ in range(2):
        assert client.get_list().body == LIST
