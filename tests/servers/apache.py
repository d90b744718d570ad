"""mod_wsgi: Debian's apache2 as a process of its own, in a directory."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.serving import PIPELINE, Server, missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.servers.serving import Site

_PROGRAM = Path("/usr/sbin/apache2")
_MODULES = Path("/usr/lib/apache2/modules")
#: The one that Debian's mod_wsgi is built with.
_PYTHON = Path("/usr/bin/python3")
_USER = "www-data"

_CONFIGURATION = """\
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
    python-home={directory}/environment home={directory}
WSGIProcessGroup compute
WSGIApplicationGroup %{{GLOBAL}}
WSGIScriptAlias / {directory}/application.wsgi
<Directory {directory}>
    Require all granted
</Directory>
"""


def _version() -> str:
    said = subprocess.run(
        [_PROGRAM, "-v"], capture_output=True, check=True, text=True
    ).stdout
    apache = re.search(r"Apache/\S+", said)
    package = subprocess.run(
        [
            "dpkg-query",
            "-W",
            "-f",
            "${Version}",
            "libapache2-mod-wsgi-py3",
        ],
        capture_output=True,
        check=False,
        text=True,
    ).stdout
    return f"mod_wsgi {package} in {apache[0] if apache else said}"


def _command(site: Site) -> Sequence[str | Path]:
    _check()
    directory = site.directory
    # For the daemon processes, which run as somebody else.
    directory.chmod(0o777)
    _make_environment(directory / "environment")
    (directory / "application.wsgi").write_text(
        "from paste.deploy import loadapp\n"
        f"application = loadapp('config:{site.paste_file}', "
        f"name='{PIPELINE}')\n"
    )
    configuration = directory / "apache2.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            directory=directory,
            modules=_MODULES,
            port=site.port,
            # Nobody else may change who a process runs as.
            user=f"User {_USER}\nGroup {_USER}" if not os.geteuid() else "",
        )
    )
    return (_PROGRAM, "-f", configuration, "-DFOREGROUND")


def _check() -> None:
    """Fail or skip the test, with what is to be done."""
    if not _PROGRAM.exists() or not (_MODULES / "mod_wsgi.so").exists():
        missing(
            "mod_wsgi is missing: apt-get install apache2 "
            "libapache2-mod-wsgi-py3."
        )
    theirs = subprocess.run(
        [_PYTHON, "-c", "import sys; print(*sys.version_info[:2])"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split()
    ours = [str(number) for number in sys.version_info[:2]]
    if theirs != ours:
        missing(
            f"mod_wsgi has Python {'.'.join(theirs)}, the tests have "
            f"{'.'.join(ours)}: run them with that version."
        )


def _make_environment(directory: Path) -> None:
    """Make an environment that has the packages of the tests' own."""
    subprocess.run(
        [_PYTHON, "-m", "venv", "--without-pip", directory], check=True
    )
    (packages,) = directory.glob("lib/python*/site-packages")
    ours = Path(sysconfig.get_path("purelib"))
    if os.geteuid() or all(
        path.stat().st_mode & 0o001 for path in (ours, *ours.parents)
    ):
        # Not the path alone, for the sake of what a .pth file installs.
        (packages / "tests.pth").write_text(
            f"import site; site.addsitedir({str(ours)!r})\n"
        )
    else:
        # tox lets nobody else into its directory.
        shutil.copytree(ours, packages, dirs_exist_ok=True)


MOD_WSGI = Server("mod_wsgi", _version, _command)
