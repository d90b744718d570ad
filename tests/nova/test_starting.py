"""Nova's API with the filter, started in each way that its release has."""

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from nova_ext_sts import monkey_patching
from tests.nova.client import Api
from tests.nova.installation import ADMIN, RELEASE, SCRIPTS

API = Api("2.96", "/v2.1", "2.96")
NATIVE = {"OS_NOVA_DISABLE_EVENTLET_PATCHING": "true"}
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
def served(nova, command, environ):
    """Start Nova's API, and give its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (nova.directory / "listen.conf").write_text(
        f"[DEFAULT]\nosapi_compute_listen_port = {port}\n"
    )
    script, *arguments = (
        each.format(port=port, directory=nova.directory) for each in command
    )
    inherited = {k: v for k, v in os.environ.items() if k not in NATIVE}
    process = subprocess.Popen(
        [SCRIPTS / script, *arguments],
        env=inherited | environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(60)


def get(port):
    """Return the body of a list, with links as in the in-process one."""
    headers = {**ADMIN, "Host": "localhost"}
    headers["OpenStack-API-Version"] = f"compute {API.microversion}"
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    ) as connection:
        connection.request("GET", "/v2.1/servers", headers=headers)
        return connection.getresponse().read()


@pytest.mark.parametrize(
    ("command", "environ"),
    [
        pytest.param(
            NOVA_API,
            {},
            marks=pytest.mark.skipif(
                RELEASE > 31, reason="nova-api is no server since Nova 32"
            ),
            id="nova-api",
        ),
        pytest.param([*UWSGI, "--enable-threads"], {}, id="one thread"),
        pytest.param([*UWSGI, "--threads=2"], NATIVE, id="native threads"),
        pytest.param(
            [*UWSGI, "--threads=2"],
            {},
            marks=pytest.mark.skipif(
                RELEASE < 33, reason="eventlet patches Nova by default"
            ),
            id="threads",
        ),
    ],
)
def test_every_response_has_all_states(command, environ, nova, novas):
    expected = novas.extended.get(API, "/servers").body
    assert b"OS-EXT-STS" in expected
    with served(nova, command, environ) as port, ThreadPoolExecutor(4) as pool:
        assert set(pool.map(get, [port] * 12)) == {expected}
    log = (nova.directory / "nova.log").read_text()
    assert monkey_patching.__name__ not in log


#: Prints the number of responses to native threads, and of those with states.
PATCHED = """
import eventlet, sys
eventlet.monkey_patch()
import logging, sqlite3
from eventlet import patcher
from webob import Request
from nova_ext_sts import filter_factory
logging.basicConfig(format="%(name)s %(message)s")
database = sqlite3.connect("servers.sqlite")
database.execute(
    "CREATE TABLE instances (uuid, vm_state, task_state, power_state)"
)
database.execute("INSERT INTO instances VALUES ('a', 'active', NULL, 1)")
database.commit()
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [b'{"servers": [{"id": "a"}]}']
extended = filter_factory(
    {}, connection="sqlite:///servers.sqlite", timeout=0.5
)(application)
responses = []
def ask():
    for _ in range(10):
        request = Request.blank("/v2.1/servers")
        responses.append(request.get_response(extended).text)
native = patcher.original("threading")
threads = [native.Thread(target=ask) for _ in range(int(sys.argv[1]))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(responses), sum("vm_state" in each for each in responses))
"""


@pytest.mark.skipif(RELEASE > 32, reason="Nova does not use eventlet")
@pytest.mark.parametrize(("threads", "warnings"), [(1, 0), (3, 1)])
def test_native_threads_of_a_patched_process_are_warned_of_once(
    threads, warnings, tmp_path
):
    """Show what the filter does; Nova itself hangs now and then."""
    process = subprocess.run(
        [sys.executable, "-c", PATCHED, str(threads)],
        check=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert process.stdout == f"{10 * threads} 10\n"
    assert process.stderr.count(monkey_patching.__name__) == warnings
    assert process.stderr.count("EVENTLET_PATCHING=true") == warnings
