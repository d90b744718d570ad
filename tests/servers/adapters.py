"""WSGI servers, each a process that loads the demo's pipeline its own way."""

from __future__ import annotations

import shutil
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.servers import Server, missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PASTE_FILE = Path(__file__).parents[2] / "etc" / "api-paste.ini"


class WSGIServer(Server):
    """A server in a directory with the paste file.

    :param options: appended to the command line
    :param files: copied into its directory
    """

    pipeline = "{self.directory}/api-paste.ini#demo"
    program = f"""\
from paste.deploy import loadapp
application = loadapp("config:{pipeline}")
"""
    address = ""
    places = (sysconfig.get_path("scripts"), *Server.places)

    def __init__(self, *options: str, files: Iterable[Path] = ()) -> None:
        super().__init__(*options, files=[PASTE_FILE, *files])

    def close(self) -> None:
        if self.process:
            self.stop()
        super().close()


class Wsgiref(WSGIServer):
    """The server that the others are compared with."""

    configuration = f"""\
{WSGIServer.program}
from wsgiref.simple_server import make_server
make_server("127.0.0.1", {{self.port}}, application).serve_forever()
"""
    command = "python {self.directory}/server.conf"


class Waitress(Wsgiref):
    configuration = f"""\
{WSGIServer.program}
import waitress
waitress.serve(application, listen="127.0.0.1:{{self.port}}")
"""


class Gunicorn(WSGIServer):
    command = f"""
        gunicorn --no-control-socket --workers=2
        --bind=127.0.0.1:{{self.port}} --paste={WSGIServer.pipeline}
    """


class UWSGI(WSGIServer):
    # Without --die-on-term, SIGTERM reloads it.
    command = f"""
        uwsgi --http-socket=127.0.0.1:{{self.port}} --master --processes=2
        --threads=2 --need-app --die-on-term
        --paste=config:{WSGIServer.pipeline}
    """


class ModWSGI(WSGIServer):
    """Debian's Apache, with its Python and the tests' packages."""

    modules = Path("/usr/lib/apache2/modules")
    configuration = f"""\
ServerName localhost
ServerRoot {{self.directory}}
DefaultRuntimeDir {{self.directory}}
PidFile {{self.directory}}/apache2.pid
ErrorLog {{self.directory}}/error.log
Listen 127.0.0.1:{{self.port}}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule wsgi_module {modules}/mod_wsgi.so
WSGISocketPrefix {{self.directory}}/wsgi
WSGIDaemonProcess compute processes=2 threads=4 \\
    python-path={{self.directory}}/packages home={{self.directory}}
WSGIProcessGroup compute
WSGIApplicationGroup %{{{{GLOBAL}}}}
WSGIScriptAlias / {{self.directory}}/application.wsgi
<Directory {{self.directory}}>
    Require all granted
</Directory>
"""
    command = "apache2 -f {self.directory}/server.conf -DFOREGROUND"
    package_user = "www-data"

    def __init__(self, *options: str, files: Iterable[Path] = ()) -> None:
        module = self.modules / "mod_wsgi.so"
        if not module.exists():
            missing("libapache2-mod-wsgi-py3 is not installed")
        version = sysconfig.get_python_version()
        if f"libpython{version}.so".encode() not in module.read_bytes():
            missing(f"mod_wsgi has another Python than the tests' {version}")
        super().__init__(*options, files=files)

    def start(self) -> None:
        # Its user may not be able to enter the tests' environment.
        packages = sysconfig.get_path("purelib")
        shutil.copytree(packages, self.directory / "packages")
        program = self.directory / "application.wsgi"
        program.write_text(self.program.format(self=self))
        super().start()


#: Each server, and the options that it is started with.
ADAPTERS: dict[str, tuple[type[WSGIServer], Sequence[str]]] = {
    "gunicorn": (Gunicorn, ()),
    "gunicorn with threads": (
        Gunicorn,
        ("--worker-class=gthread", "--threads=4"),
    ),
    "gunicorn, preloaded": (Gunicorn, ("--preload",)),
    "uWSGI": (UWSGI, ()),
    "waitress": (Waitress, ()),
    "mod_wsgi": (ModWSGI, ()),
}
