"""A real Nova in one directory: schemas, cells, configuration, applications.

Nova's configuration is global: one installation for each process. ::

    with Installation(directory, SQLiteFiles(directory)) as nova:
        fleet.create(fleet.fleet())
        application = nova.application("osapi_compute")
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import re
import runpy
import secrets
import subprocess
import sys
import sysconfig
import threading
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref import simple_server

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed.wsgi import WSGIApplication
    from typing_extensions import Self

RELEASE = int(importlib.metadata.version("nova").partition(".")[0])
SCRIPTS = Path(sysconfig.get_path("scripts"))

#: Holds the filter's section, as an operator pastes it into Nova's file.
PROJECT_PASTE_FILE = Path(__file__).parents[2] / "etc" / "api-paste.ini"

#: Filters that no operator has: one that cannot read a record, and says so;
#: one of a site that Tempest tests; and one that takes Nova's states away.
MORE_FILTERS = """
[filter:blind_extended_status]
paste.filter_factory = nova_ext_sts:filter_factory
record_source = database
connection = sqlite:////nonexistent/no/database
on_error = fail
[filter:extended_status_of_detail_and_show]
use = extended_status
calls = detail,show
[filter:shim]
paste.filter_factory = tests.nova.shim:filter_factory
"""

#: What is between Nova's own filters and Nova's application, outermost first.
#: ``osapi_compute`` is the application that Nova itself loads.
APPLICATIONS = {
    "osapi_compute": "extended_status",
    "nova_alone": "",
    "behind_shim": "shim",
    "behind_shim_and_filter": "extended_status shim",
    "behind_shim_and_detail_and_show_filter": (
        "extended_status_of_detail_and_show shim"
    ),
    "behind_blind_filter": "blind_extended_status",
}

#: The cells whose databases answer, besides cell0.
LIVE_CELLS = ("cell1", "cell2")

#: The cell whose database does not answer.
DOWN_CELL = "cell3"

ADMIN = {
    "X-User-Id": "fe4c1a7a3f0b4bb2b5e0c4a7b8a1f5d0",
    "X-Project-Id": "6f70656e737461636b20342065766572",
    "X-Roles": "admin,member,reader",
}

#: A cell that does not answer is given up after one attempt. Without
#: response_validation = error Nova would only log that it has broken its own
#: schemas. What SQLite has written need not outlive this machine.
NOVA_CONF = """\
[DEFAULT]
log_file = {directory}/nova.log
state_path = {directory}
transport_url = fake:/
rpc_response_timeout = 2
enabled_apis = osapi_compute
osapi_compute_listen = 127.0.0.1
osapi_compute_workers = 1
[wsgi]
api_paste_config = {directory}/api-paste.ini
[oslo_concurrency]
lock_path = {directory}
[api]
response_validation = error
[database]
connection = {connection}
max_retries = 0
retry_interval = 0
sqlite_synchronous = false
[api_database]
connection = {api_connection}
sqlite_synchronous = false
[neutron]
auth_type = none
endpoint_override = {neutron}
[keystone_authtoken]
auth_type = none
[cache]
enabled = false
"""


class SQLiteFiles:
    """One file for each of Nova's databases."""

    def __init__(self, directory: Path) -> None:
        root = f"sqlite:///{directory.resolve()}"
        self.connection = f"{root}/nova"
        self.api_connection = f"{root}/nova_api"
        #: {name: URL, or template for it} of the cells.
        self.cells = {
            "cell0": "{scheme}:////{path}_cell0",
            "cell1": "{scheme}:////{path}",
            "cell2": f"{root}/nova_cell2",
            # A directory that is not there: no file can be opened, or made.
            DOWN_CELL: f"{root}/absent/nova_cell3",
        }
        #: The same, with the templates filled.
        self.cell_urls = self.cells | {
            "cell0": f"{root}/nova_cell0",
            "cell1": self.connection,
        }

    def create(self) -> None:
        """Do nothing: SQLite makes a file when it is opened."""

    def drop(self) -> None:
        """Do nothing: the files go with their directory."""


class MariaDB:
    """Nova's databases on a server, with a prefix and a user of their own."""

    #: The user's password: in a URL, and so in a template, %-encoded.
    _PASSWORD = "p@ss:w/rd?#"  # noqa: S105
    _SERVER = "mysql+pymysql://root@127.0.0.1:3306"

    def __init__(self) -> None:
        self._user = f"real_nova_{os.getpid()}_{secrets.token_hex(3)}"
        self._names = [
            f"{self._user}_{name}"
            for name in ("nova", "nova_api", "nova_cell0", "nova_cell2")
        ]
        password = urllib.parse.quote(self._PASSWORD, safe="")
        root = f"mysql+pymysql://{self._user}:{password}@127.0.0.1:3306"
        self.connection, self.api_connection, cell0, cell2 = (
            f"{root}/{name}?charset=utf8mb3" for name in self._names
        )
        template = "{scheme}://{username}:{password}@{hostname}:{port}/{path}"
        self.cells = {
            "cell0": f"{template}_cell0?{{query}}",
            "cell1": f"{template}?{{query}}",
            "cell2": cell2,
            # No server listens there.
            DOWN_CELL: "mysql+pymysql://root@127.0.0.1:1/nova_cell3",
        }
        self.cell_urls = self.cells | {
            "cell0": cell0,
            "cell1": self.connection,
        }

    def create(self) -> None:
        self._run(f"CREATE USER {self._user} IDENTIFIED BY '{self._PASSWORD}'")
        for name in self._names:
            self._run(
                f"CREATE DATABASE {name} CHARACTER SET utf8mb3",
                f"GRANT ALL ON {name}.* TO {self._user}",
            )

    def drop(self) -> None:
        for name in self._names:
            self._run(f"DROP DATABASE IF EXISTS {name}")
        self._run(f"DROP USER IF EXISTS {self._user}")

    def _run(self, *statements: str) -> None:
        engine = sa.create_engine(
            self._SERVER,
            future=True,
            isolation_level="AUTOCOMMIT",
            poolclass=sa.pool.NullPool,
        )
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))


class Installation:
    """A Nova with cell0, two live cells, and a third that does not answer.

    :param directory: an empty directory for its files
    :param databases: where its databases are made
    :param authtoken: whether keystonemiddleware is in the pipelines
    """

    def __init__(
        self,
        directory: Path,
        databases: MariaDB | SQLiteFiles,
        *,
        authtoken: bool = False,
    ) -> None:
        self.directory = directory.resolve()
        self.databases = databases
        self._authtoken = authtoken
        self._applications: dict[str, WSGIApplication] = {}
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            undo.callback(self.databases.drop)
            self.databases.create()
            self._write_configuration(undo.enter_context(neutron()))
            self._make_schemas()
            os.environ["OS_NOVA_CONFIG_DIR"] = str(self.directory)
            os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "true"
            self.application("osapi_compute")
            self._closing = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def application(self, name: str) -> WSGIApplication:
        """Return one of ``APPLICATIONS``, as Nova's own loader makes it."""
        from paste import deploy

        if name not in self._applications:
            self._applications[name] = (
                novas_application()
                if name == "osapi_compute"
                else deploy.loadapp(
                    f"config:{self.directory / name}.ini", name="osapi_compute"
                )
            )
        return self._applications[name]

    def _write_configuration(self, neutron: str) -> None:
        configuration = NOVA_CONF.format(
            directory=self.directory,
            # oslo.config reads $ as the beginning of an option's name.
            connection=self.databases.connection.replace("$", "$$"),
            api_connection=self.databases.api_connection.replace("$", "$$"),
            neutron=neutron,
        )
        (self.directory / "nova.conf").write_text(configuration)
        for name, filters in APPLICATIONS.items():
            text = paste_file(filters)
            if not self._authtoken:
                # There is no Keystone: the request's own headers make the
                # context.
                text = text.replace(" authtoken ", " ")
            own = "api-paste" if name == "osapi_compute" else name
            (self.directory / f"{own}.ini").write_text(text + MORE_FILTERS)

    def _make_schemas(self) -> None:
        self._manage("api_db", "sync")
        for name, url in self.databases.cells.items():
            connection = f"--database_connection={url}"
            if name == "cell0":
                self._manage("cell_v2", "map_cell0", connection)
                continue
            # A disabled cell takes no new servers, and keeps those it has.
            disabled = ["--disabled"] if name == "cell2" else []
            self._manage(
                *("cell_v2", "create_cell", connection, f"--name={name}"),
                *(f"--transport-url=fake://{name}/", *disabled),
            )
        # Of cell0, and of [database] connection: cell1.
        self._manage("db", "sync")
        url = self.databases.cell_urls["cell2"].replace("$", "$$")
        cell2 = self.directory / "cell2.conf"
        cell2.write_text(f"[database]\nconnection = {url}\n")
        self._manage("--config-file", cell2, "db", "sync", "--local_cell")

    def _manage(self, *arguments: str | Path) -> None:
        nova_conf = self.directory / "nova.conf"
        done = subprocess.run(
            [SCRIPTS / "nova-manage", "--config-file", nova_conf, *arguments],
            capture_output=True,
            check=False,
            env=os.environ | {"OS_NOVA_DISABLE_EVENTLET_PATCHING": "true"},
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)


def novas_application() -> WSGIApplication:
    """Return the application of the module or script that Nova ships."""
    arguments = sys.argv
    # Nova would read this process's arguments as its own.
    sys.argv = ["nova-api"]
    try:
        if RELEASE < 30:
            script = runpy.run_path(str(SCRIPTS / "nova-api-wsgi"))
            application: WSGIApplication = script["application"]
        else:
            from nova.wsgi import osapi_compute

            application = osapi_compute.application
    finally:
        sys.argv = arguments
    return application


def paste_file(filters: str) -> str:
    """Return Nova's own paste file with filters in its Keystone pipelines."""
    shipped = Path(
        sysconfig.get_path("data"), "etc", "nova", "api-paste.ini"
    ).read_text()
    text, count = re.subn(
        r"^(keystone = .*) (osapi_compute_app_v21)$",
        rf"\1 {filters} \2" if filters else r"\1 \2",
        shipped,
        flags=re.MULTILINE,
    )
    assert count == 2
    # The section for operators has no options: the filter reads Nova's own.
    section = re.search(
        r"^\[filter:extended_status\]\n(\S.*\n)+",
        PROJECT_PASTE_FILE.read_text(),
        re.MULTILINE,
    )
    assert section
    return f"{text}\n{section[0]}"


@contextlib.contextmanager
def neutron() -> Iterator[str]:
    """Serve what detail and show ask of Neutron: empty lists."""

    def application(environ: Any, start_response: Any) -> list[bytes]:
        collection = environ["PATH_INFO"].rsplit("/", 1)[-1].replace("-", "_")
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({collection: []}).encode()]

    class Handler(simple_server.WSGIRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with simple_server.make_server(
        "127.0.0.1", 0, application, handler_class=Handler
    ) as server:
        thread = threading.Thread(
            target=server.serve_forever, args=[0.05], daemon=True
        )
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
