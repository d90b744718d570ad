"""WSGI servers, each as a process that loads the pipeline in its own way."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.clients.tally import version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

#: Where a server that is not there is a failure, and not a skipped test.
REQUIRED = "NOVA_EXT_STS_REQUIRE_DATABASES"

#: As it ships, with a pipeline that runs as it stands.
PASTE_FILE = Path(__file__).parents[2] / "etc" / "api-paste.ini"
PIPELINE = "demo"

_SCRIPTS = Path(sysconfig.get_path("scripts"))


class Site(NamedTuple):
    """Where a server runs: a directory, a copy of the file, and a port."""

    directory: Path
    paste_file: Path
    port: int


class Server(NamedTuple):
    """A kind of server.

    :param command: returns what runs it in a site
    """

    name: str
    version: Callable[[], str]
    command: Callable[[Site], Sequence[str | Path]]


def missing(sentence: str) -> None:
    """Fail or skip a test for want of what the sentence names."""
    if os.environ.get(REQUIRED):
        pytest.fail(sentence)
    pytest.skip(sentence)


@contextlib.contextmanager
def started(server: Server, directory: Path) -> Iterator[int]:
    """Run a server in a directory, and give its port once it listens."""
    paste_file = directory / PASTE_FILE.name
    shutil.copy(PASTE_FILE, paste_file)
    site = Site(directory, paste_file, _free_port())
    command = server.command(site)
    log = directory / "server.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            _wait(process, site.port, log)
            yield site.port
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        else:
            return


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _gunicorn(*options: str) -> Callable[[Site], Sequence[str | Path]]:
    def command(site: Site) -> Sequence[str | Path]:
        return (
            _SCRIPTS / "gunicorn",
            "--no-control-socket",
            "--workers=2",
            f"--bind=127.0.0.1:{site.port}",
            *options,
            "--paste",
            f"{site.paste_file}#{PIPELINE}",
        )

    return command


def _uwsgi(site: Site) -> Sequence[str | Path]:
    program = _SCRIPTS / "uwsgi"
    if not program.exists():
        missing(f"{program} is missing: pip install pyuwsgi (or uwsgi).")
    return (
        program,
        f"--http-socket=127.0.0.1:{site.port}",
        "--master",
        "--processes=2",
        "--threads=2",
        "--need-app",
        # Else it takes the signal for a wish to reload.
        "--die-on-term",
        "--paste",
        f"config:{site.paste_file}#{PIPELINE}",
    )


def _waitress(site: Site) -> Sequence[str | Path]:
    server_ini = site.directory / "server.ini"
    server_ini.write_text(
        "[server:main]\n"
        "use = egg:waitress#main\n"
        "host = 127.0.0.1\n"
        f"port = {site.port}\n"
    )
    return (
        sys.executable,
        "-c",
        "from paste.deploy import loadapp, loadserver\n"
        f"serve = loadserver('config:{server_ini}')\n"
        f"serve(loadapp('config:{site.paste_file}', name='{PIPELINE}'))\n",
    )


def _wsgiref(site: Site) -> Sequence[str | Path]:
    return (
        sys.executable,
        "-c",
        "from wsgiref.simple_server import make_server\n"
        "from paste.deploy import loadapp\n"
        f"app = loadapp('config:{site.paste_file}', name='{PIPELINE}')\n"
        f"make_server('127.0.0.1', {site.port}, app).serve_forever()\n",
    )


def _python() -> str:
    return f"wsgiref of Python {sys.version.split()[0]}"


def _uwsgi_version() -> str:
    done = subprocess.run(
        [_SCRIPTS / "uwsgi", "--version"],
        capture_output=True,
        check=True,
        text=True,
    )
    return f"uWSGI {done.stdout.strip()}"


#: What the others are compared with.
REFERENCE = Server("wsgiref", _python, _wsgiref)

SERVERS = (
    Server("gunicorn sync", lambda: version("gunicorn"), _gunicorn()),
    Server(
        "gunicorn gthread",
        lambda: version("gunicorn"),
        _gunicorn("--worker-class=gthread", "--threads=4"),
    ),
    Server(
        "gunicorn --preload",
        lambda: version("gunicorn"),
        _gunicorn("--preload"),
    ),
    Server("uWSGI", _uwsgi_version, _uwsgi),
    Server("waitress", lambda: version("waitress"), _waitress),
)
