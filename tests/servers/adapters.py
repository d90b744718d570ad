"""WSGI servers, each as a process that loads the demo's pipeline its own way.

An adapter returns the command that runs its server in a site.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

PASTE_FILE = Path(__file__).parents[2] / "etc" / "api-paste.ini"
PIPELINE = "demo"

_SCRIPTS = Path(sysconfig.get_path("scripts"))
_VERSION = sysconfig.get_python_version()
_PACKAGES = sysconfig.get_path("purelib")


class Site(NamedTuple):
    """A server's directory and its port on loopback."""

    directory: Path
    port: int

    @property
    def paste_file(self) -> Path:
        return self.directory / PASTE_FILE.name


@contextlib.contextmanager
def started(
    adapter: Callable[[Site], Sequence[str | Path]],
    files: Iterable[Path] = (),
) -> Iterator[Site]:
    """Run a server until the end of the context.

    :param files: copied into the server's directory
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    # pytest's directories are closed to other users, and too long for the
    # path of a socket.
    directory = Path(tempfile.mkdtemp(prefix="ext-sts-"))
    site = Site(directory, port)
    for file in (PASTE_FILE, *files):
        shutil.copy(file, directory)
    try:
        log = directory / "output"
        with log.open("wb") as output:
            process = subprocess.Popen(
                adapter(site),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            _wait(process, port, log)
            yield site
        finally:
            process.terminate()
            try:
                process.wait(30)
            finally:
                process.kill()
    finally:
        shutil.rmtree(directory)


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


def missing(sentence: str) -> None:
    """Skip a test, or fail it where all servers are required."""
    if os.environ.get("NOVA_EXT_STS_REQUIRE_DATABASES"):
        pytest.fail(sentence)
    pytest.skip(sentence)


def wsgiref(site: Site) -> Sequence[str | Path]:
    return _python(
        "from wsgiref.simple_server import make_server\n"
        f"make_server('127.0.0.1', {site.port}, app).serve_forever()",
        site,
    )


def waitress(site: Site) -> Sequence[str | Path]:
    return _python(
        "import waitress\n"
        f"waitress.serve(app, listen='127.0.0.1:{site.port}')",
        site,
    )


def _python(program: str, site: Site) -> Sequence[str | Path]:
    load = (
        "from paste.deploy import loadapp\n"
        f"app = loadapp('config:{site.paste_file}', name='{PIPELINE}')\n"
    )
    return (sys.executable, "-c", load + program)


def gunicorn(site: Site, *options: str) -> Sequence[str | Path]:
    return (
        _SCRIPTS / "gunicorn",
        "--no-control-socket",
        "--workers=2",
        f"--bind=127.0.0.1:{site.port}",
        *options,
        "--paste",
        f"{site.paste_file}#{PIPELINE}",
    )


def gunicorn_with_threads(site: Site) -> Sequence[str | Path]:
    return gunicorn(site, "--worker-class=gthread", "--threads=4")


def gunicorn_preloaded(site: Site) -> Sequence[str | Path]:
    return gunicorn(site, "--preload")


def uwsgi(site: Site) -> Sequence[str | Path]:
    return (
        _SCRIPTS / "uwsgi",
        f"--http-socket=127.0.0.1:{site.port}",
        "--master",
        "--processes=2",
        "--threads=2",
        "--need-app",
        # Otherwise SIGTERM reloads it.
        "--die-on-term",
        "--paste",
        f"config:{site.paste_file}#{PIPELINE}",
    )


_APACHE = Path("/usr/sbin/apache2")
_MODULES = Path("/usr/lib/apache2/modules")
_APACHE_CONFIGURATION = """\
ServerName localhost
ServerRoot {directory}
DefaultRuntimeDir {directory}
PidFile {directory}/apache2.pid
ErrorLog {directory}/error.log
Listen 127.0.0.1:{port}
{user}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule wsgi_module {modules}/mod_wsgi.so
WSGISocketPrefix {directory}/wsgi
WSGIDaemonProcess compute processes=2 threads=4 \\
    python-path={directory}/packages home={directory}
WSGIProcessGroup compute
WSGIApplicationGroup %{{GLOBAL}}
WSGIScriptAlias / {directory}/application.wsgi
<Directory {directory}>
    Require all granted
</Directory>
"""


def mod_wsgi(site: Site) -> Sequence[str | Path]:
    """Return Debian's Apache, with its Python and the tests' packages."""
    module = _MODULES / "mod_wsgi.so"
    if not _APACHE.exists() or not module.exists():
        missing("Install apache2 and libapache2-mod-wsgi-py3.")
    if f"libpython{_VERSION}.so".encode() not in module.read_bytes():
        missing(f"mod_wsgi has another Python than the tests' {_VERSION}.")
    # The daemon processes run as another user, which may not be able to enter
    # the environment of the tests.
    for path in (site.directory, *site.directory.iterdir()):
        path.chmod(0o777)
    shutil.copytree(_PACKAGES, site.directory / "packages")
    (site.directory / "application.wsgi").write_text(
        "from paste.deploy import loadapp\n"
        f"application = loadapp('config:{site.paste_file}', "
        f"name='{PIPELINE}')\n"
    )
    configuration = site.directory / "apache2.conf"
    configuration.write_text(
        _APACHE_CONFIGURATION.format(
            directory=site.directory,
            modules=_MODULES,
            port=site.port,
            # Only root may choose the user.
            user="" if os.geteuid() else "User www-data\nGroup www-data",
        )
    )
    return (_APACHE, "-f", configuration, "-DFOREGROUND")


#: What the others are compared with.
REFERENCE = wsgiref

ADAPTERS = (
    gunicorn,
    gunicorn_with_threads,
    gunicorn_preloaded,
    uwsgi,
    waitress,
    mod_wsgi,
)
