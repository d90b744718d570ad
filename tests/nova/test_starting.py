"""Nova's API with the filter, started in each way that its release has."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from nova_ext_sts import monkey_patching
from tests.nova.client import Api
from tests.nova.installation import ADMIN, RELEASE, SCRIPTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.nova.client import Novas
    from tests.nova.installation import Installation

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


class Served:
    """A process that serves Nova's API, and what it has logged."""

    def __init__(
        self, nova: Installation, command: list[str], **environ: str
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._log = nova.directory / "nova.log"
        self._logged = self._log.stat().st_size
        (nova.directory / "listen.conf").write_text(
            f"[DEFAULT]\nosapi_compute_listen_port = {self.port}\n"
        )
        script, *arguments = (
            each.format(port=self.port, directory=nova.directory)
            for each in command
        )
        own = {k: v for k, v in os.environ.items() if k not in NATIVE}
        self.process = subprocess.Popen(
            [SCRIPTS / script, *arguments],
            cwd=nova.directory,
            env=own | environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait(self) -> None:
        """Wait until it accepts connections."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            time.sleep(0.1)
        pytest.fail(f"Nova does not start: {self.log()}")

    def bodies(self, path: str, api: Api) -> list[bytes]:
        """Return the bodies for four clients that ask at the same time."""

        def get(_: int) -> bytes:
            # The links in the response begin with the host's name.
            headers = {**ADMIN, "Host": "localhost", "Connection": "close"}
            headers["OpenStack-API-Version"] = f"compute {api.microversion}"
            connection = http.client.HTTPConnection(
                "127.0.0.1", self.port, timeout=60
            )
            with contextlib.closing(connection):
                try:
                    connection.request("GET", path, headers=headers)
                    return connection.getresponse().read()
                except OSError:
                    return b""

        with ThreadPoolExecutor(4) as clients:
            return list(clients.map(get, range(12)))

    def log(self) -> str:
        with self._log.open() as file:
            file.seek(self._logged)
            return file.read()


@contextlib.contextmanager
def served(
    nova: Installation, command: list[str], **environ: str
) -> Iterator[Served]:
    server = Served(nova, command, **environ)
    try:
        server.wait()
        yield server
        server.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.process.wait(30)
    finally:
        # uWSGI waits for what hangs.
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(30)


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
def test_every_response_has_all_states(
    command: list[str],
    environ: dict[str, str],
    nova: Installation,
    novas: Novas,
) -> None:
    api = Api("2.96", "/v2.1", "2.96")
    expected = novas.extended.get(api, "/servers").body
    assert b"OS-EXT-STS" in expected
    with served(nova, command, **environ) as server:
        assert set(server.bodies("/v2.1/servers", api)) == {expected}
        assert monkey_patching.__name__ not in server.log()


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
    threads: int, warnings: int, tmp_path: Path
) -> None:
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
