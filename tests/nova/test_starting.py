"""Nova's API with the filter, started in each way that its release has."""

import contextlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import webob
from webtest.http import check_server

from nova_ext_sts import monkey_patching
from tests.nova.client import Api
from tests.nova.installation import ADMIN, RELEASE, SCRIPTS
from tests.support.servers import free_port

API = Api("/v2.1", "2.96")
UWSGI = [
    *("uwsgi", "--http-socket=127.0.0.1:{port}", "--need-app"),
    "--die-on-term",
    f"--wsgi-file={SCRIPTS}/nova-api-wsgi"
    if RELEASE < 30
    else "--module=nova.wsgi.osapi_compute:application",
]
NOVA_API = [
    *("nova-api", "--config-file={directory}/nova.conf"),
    "--config-file={directory}/listen.conf",
]


@contextlib.contextmanager
def served(nova, command):
    """Start Nova's API, and give its port."""
    port = free_port()
    (nova.directory / "listen.conf").write_text(
        f"[DEFAULT]\nosapi_compute_listen_port = {port}\n"
    )
    script, *arguments = (
        each.format(port=port, directory=nova.directory) for each in command
    )
    with subprocess.Popen(
        [SCRIPTS / script, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            # For two minutes.
            assert check_server("127.0.0.1", port, retries=400)
            yield port
        finally:
            process.terminate()


def get(port):
    """Return the body of a list, with links as in the in-process one."""
    headers = {**ADMIN, "Host": "localhost"}
    headers["OpenStack-API-Version"] = f"compute {API.microversion}"
    url = f"http://127.0.0.1:{port}{API.endpoint}/servers"
    return webob.Request.blank(url, headers=headers).send().body


#: Commands, and whether eventlet may not patch them.
WAYS = {
    "one thread": ([*UWSGI, "--enable-threads"], False),
    "native threads": ([*UWSGI, "--threads=2"], True),
}
if RELEASE < 32:
    WAYS["nova-api"] = (NOVA_API, False)
if RELEASE > 32:
    # Before, eventlet patches Nova by default.
    WAYS["threads"] = ([*UWSGI, "--threads=2"], False)


@pytest.mark.parametrize(("command", "is_native"), WAYS.values(), ids=WAYS)
def test_every_response_has_all_states(
    command, is_native, nova, novas, monkeypatch
):
    expected = novas.extended.request(API, "/servers").body
    assert b"OS-EXT-STS" in expected
    if not is_native:
        monkeypatch.delenv("OS_NOVA_DISABLE_EVENTLET_PATCHING")
    with served(nova, command) as port, ThreadPoolExecutor(4) as pool:
        assert set(pool.map(get, [port] * 12)) == {expected}
    log = (nova.directory / "nova.log").read_text()
    assert monkey_patching.__name__ not in log


#: Prints the number of responses to native threads, and of those with states.
PATCHED = """
import eventlet, sys
eventlet.monkey_patch()
import logging
from eventlet import patcher
from tests.support.applications import answering, filtered
from tests.support.lookups import EXTENDED, LIST
logging.basicConfig(format="%(name)s %(message)s")
client = filtered(answering(LIST), connection=sys.argv[1], timeout=0.5)
bodies = []
def ask():
    bodies.extend(client.get_list().body for _ in range(10))
native = patcher.original("threading")
threads = [native.Thread(target=ask) for _ in range(int(sys.argv[2]))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(bodies), bodies.count(EXTENDED))
"""


@pytest.mark.skipif(RELEASE > 32, reason="Nova does not use eventlet")
@pytest.mark.parametrize(("threads", "warnings"), [(1, 0), (3, 1)])
def test_native_threads_of_a_patched_process_are_warned_of_once(
    threads, warnings, sqlite
):
    """Show what the filter does; Nova itself hangs now and then."""
    sqlite.insert_instances([("a", "active", None, 1)])
    process = subprocess.run(
        [sys.executable, "-c", PATCHED, sqlite.url, str(threads)],
        check=True,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert process.stdout == f"{10 * threads} 10\n"
    assert process.stderr.count(monkey_patching.__name__) == warnings
    assert process.stderr.count("EVENTLET_PATCHING=true") == warnings
