"""Processes with green threads, as nova-api has them until Nova 32."""

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.applications import answering, filtered
from tests.support.lookups import EXTENDED, LATE, LIST

#: Patches before anything else is imported, as nova-api does.
PROGRAM = f"""
import eventlet, sys
eventlet.monkey_patch()
from {__name__} import look_up
look_up(sys.argv[1])
"""


def look_up(url):
    """Print the bodies of concurrent requests, and the longest pause.

    A pause is how long another green thread had to wait, in seconds.
    """
    import eventlet

    pauses = []

    def beat():
        while True:
            began = time.monotonic()
            eventlet.sleep(0.01)
            pauses.append(time.monotonic() - began)

    client = filtered(answering(LIST), connection=url, timeout=1)
    beating = eventlet.spawn(beat)
    requests = [eventlet.spawn(client.get_list) for _ in range(20)]
    bodies = [each.wait().body.decode() for each in requests]
    beating.kill()
    print(json.dumps([bodies, max(pauses)]))


@pytest.mark.parametrize("driver", ["mysql+pymysql"], indirect=True)
@pytest.mark.parametrize("is_frozen", [False, True])
def test_green_threads_go_on_while_a_database_is_read(
    is_frozen, server, active
):
    with server.frozen() if is_frozen else contextlib.nullcontext():
        output = subprocess.check_output(
            [sys.executable, "-c", PROGRAM, active.url],
            cwd=Path(__file__).parents[2],
            timeout=60,
        )
    bodies, pause = json.loads(output)
    assert bodies == [(LIST if is_frozen else EXTENDED).decode()] * 20
    # The lookups of a frozen server took a second.
    assert pause < LATE


@pytest.mark.parametrize("driver", ["mysql+pymysql"], indirect=True)
def test_health_is_not_checked_by_a_second_native_thread(database):
    program = """
import eventlet, sys
eventlet.monkey_patch()
from eventlet import patcher
from oslo_config import cfg
from nova_ext_sts.healthcheck import ExtendedStatusHealthcheck
options = {"connection": sys.argv[1]}
check = ExtendedStatusHealthcheck(cfg.ConfigOpts(), options).healthcheck
print(check(0).details)
thread = patcher.original("threading").Thread(
    target=lambda: print(check(0).details)
)
thread.start()
while thread.is_alive():
    eventlet.sleep(0.1)
"""
    output = subprocess.check_output(
        [sys.executable, "-c", program, database.url],
        cwd=Path(__file__).parents[2],
        timeout=60,
        text=True,
    )
    first, second = output.splitlines()
    assert "Readable" in first
    assert "Not checked" in second
