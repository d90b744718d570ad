"""A real Nova in one directory: schemas, cells, configuration, applications.

Nothing here needs pytest, so that whatever wants a real Compute API (a server
for clients, a benchmark) can have one::

    with Installation(directory, SQLiteFiles(directory)) as nova:
        create_fleet(nova)                        # fleet.py
        application = nova.application("osapi_compute")

Nova's configuration is global: one installation for each process.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import sysconfig
import threading
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed.wsgi import WSGIApplication
    from typing_extensions import Self

#: Holds the filter's section, as an operator pastes it into Nova's file.
PROJECT_PASTE_FILE = Path(__file__).parents[2] / "etc" / "api-paste.ini"

#: A filter that cannot read a record, and says so if it has to.
BLIND_FILTER_SECTION = """\
[filter:blind_extended_status]
paste.filter_factory = nova_ext_sts:filter_factory
record_source = database
connection = sqlite:////nonexistent/no/database
on_error = fail
"""

#: The filter as a site has it that Tempest tests.
DETAIL_AND_SHOW_FILTER_SECTION = """\
[filter:extended_status_of_detail_and_show]
use = extended_status
calls = detail,show
"""

SHIM_SECTION = """\
[filter:shim]
paste.filter_factory = tests.nova.shim:filter_factory
"""

#: What stands between Nova's own filters and Nova's application, outermost
#: first, in each application of the paste file. ``osapi_compute`` is the name
#: that Nova itself loads: the filter there is as an operator has it.
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

#: The cells whose databases answer, besides cell0. A template is filled by
#: whoever reads the mapping, from the parts of ``[database] connection``.
LIVE_CELLS = ("cell1", "cell2")

#: The live cell that takes no new servers, but keeps those that it has.
DISABLED_CELL = "cell2"

#: The cell whose database does not answer.
DOWN_CELL = "cell3"

#: The microversions at which there is something to see: the first, the last
#: before stand-ins for servers in a cell that is down, and the one from which
#: PUT and rebuild answer with states.
MICROVERSIONS = ("2.1", "2.68", "2.75")

ADMIN = {
    "X-User-Id": "fe4c1a7a3f0b4bb2b5e0c4a7b8a1f5d0",
    "X-Project-Id": "6f70656e737461636b20342065766572",
    "X-Roles": "admin,member,reader",
}


class Databases(Protocol):
    """Where an installation has its databases."""

    #: The one that ``[database] connection`` names.
    connection: str
    api_connection: str
    #: {name: URL, or template for it} of the cells.
    cells: dict[str, str]
    #: {name: URL} of the same cells, templates filled.
    cell_urls: dict[str, str]

    def create(self) -> None:
        """Make them, empty."""

    def drop(self) -> None:
        """Remove what was made, and whatever stands in it."""


class SQLiteFiles:
    """One file for each database."""

    def __init__(self, directory: Path) -> None:
        root = f"sqlite:///{directory.resolve()}"
        self.connection = f"{root}/nova"
        self.api_connection = f"{root}/nova_api"
        self.cells = {
            "cell0": "{scheme}:////{path}_cell0",
            "cell1": "{scheme}:////{path}",
            "cell2": f"{root}/nova_cell2",
            # A directory that is not there: no file can be opened, or made.
            DOWN_CELL: f"{root}/absent/nova_cell3",
        }
        self.cell_urls = self.cells | {
            "cell0": f"{root}/nova_cell0",
            "cell1": self.connection,
        }

    def create(self) -> None:
        """Do nothing: SQLite makes a file when it is opened."""

    def drop(self) -> None:
        """Do nothing: the files go with their directory."""


class MariaDB:
    """One database for each, on a server, with a prefix and a user of its own.

    :param user: the name and password of who may make databases and users, as
        they stand in a URL
    """

    #: The user's password: in a URL, and so in a template, %-encoded.
    _MARK = "p@ss:w/rd?#"

    def __init__(
        self, user: str = "root:", host: str = "127.0.0.1", port: int = 3306
    ) -> None:
        self._server = f"mysql+pymysql://{user}@{host}:{port}"
        self._prefix = f"real_nova_{os.getpid()}_{secrets.token_hex(3)}"
        password = urllib.parse.quote(self._MARK, safe="")
        root = f"mysql+pymysql://{self._prefix}:{password}@{host}:{port}"
        template = "{scheme}://{username}:{password}@{hostname}:{port}/{path}"
        self._closed_port = socket.socket()
        # Bound and not listening: nobody else gets the port, and whoever
        # connects to it is refused at once.
        self._closed_port.bind(("127.0.0.1", 0))
        closed = self._closed_port.getsockname()[1]
        self.connection = self._url(root, "nova")
        self.api_connection = self._url(root, "nova_api")
        self.cells = {
            "cell0": f"{template}_cell0?{{query}}",
            "cell1": f"{template}?{{query}}",
            "cell2": self._url(self._server, "nova_cell2"),
            DOWN_CELL: f"mysql+pymysql://{user}@127.0.0.1:{closed}/nova_cell3",
        }
        self.cell_urls = self.cells | {
            "cell0": self._url(root, "nova_cell0"),
            "cell1": self.connection,
        }

    def create(self) -> None:
        self._run(
            f"CREATE USER {self._prefix} IDENTIFIED BY '{self._MARK}'",
            *(
                statement
                for name in self._names()
                for statement in (
                    f"CREATE DATABASE {name} CHARACTER SET utf8mb3",
                    f"GRANT ALL ON {name}.* TO {self._prefix}",
                )
            ),
        )

    def drop(self) -> None:
        self._closed_port.close()
        self._run(
            *(f"DROP DATABASE IF EXISTS {name}" for name in self._names()),
            f"DROP USER IF EXISTS {self._prefix}",
        )

    def check(self) -> None:
        """Raise an exception unless the server answers."""
        try:
            self._run("SELECT 1")
        except sa.exc.SQLAlchemyError:
            self._closed_port.close()
            raise

    def _names(self) -> list[str]:
        return [
            f"{self._prefix}_{name}"
            for name in ("nova", "nova_api", "nova_cell0", "nova_cell2")
        ]

    def _url(self, root: str, name: str) -> str:
        return f"{root}/{self._prefix}_{name}?charset=utf8mb3"

    def _run(self, *statements: str) -> None:
        engine = sa.create_engine(
            self._server, connect_args={"connect_timeout": 5}
        )
        try:
            with engine.connect() as connection:
                for statement in statements:
                    connection.execute(sa.text(statement))
        finally:
            engine.dispose()


class Installation:
    """A Nova with cell0, two live cells, and a third that does not answer.

    :param directory: an empty directory for its files
    :param databases: where its databases are made
    :param authtoken: whether keystonemiddleware stands in the pipelines
    """

    def __init__(
        self,
        directory: Path,
        databases: Databases,
        *,
        authtoken: bool = False,
    ) -> None:
        self.directory = directory.resolve()
        self.databases = databases
        self._authtoken = authtoken
        self._neutron = _NeutronStub()
        self._applications: dict[str, WSGIApplication] = {}
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            undo.callback(self.databases.drop)
            self.databases.create()
            undo.enter_context(self._neutron)
            self._write_configuration()
            self._make_schemas()
            _configure(self.directory)
            self._closing = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def application(self, name: str) -> WSGIApplication:
        """Return one of ``APPLICATIONS``, as Nova's own loader makes it."""
        if name not in self._applications:
            self._applications[name] = self._load(name)
        return self._applications[name]

    def _load(self, name: str) -> WSGIApplication:
        from paste import deploy

        if name == "osapi_compute":
            with _arguments():
                from nova.wsgi import osapi_compute

            application: WSGIApplication = osapi_compute.application
            return application
        # Nova's loader, without a second entry in the table of services.
        loaded: WSGIApplication = deploy.loadapp(
            f"config:{self.directory / 'api-paste.ini'}", name=name
        )
        return loaded

    def _write_configuration(self) -> None:
        # $ stands for another option's value in these files.
        (self.directory / "nova.conf").write_text(
            NOVA_CONF.format(
                directory=self.directory,
                connection=self.databases.connection.replace("$", "$$"),
                api_connection=self.databases.api_connection.replace(
                    "$", "$$"
                ),
                neutron=self._neutron.endpoint,
            )
        )
        (self.directory / "api-paste.ini").write_text(
            paste_configuration(
                shipped_paste_file(), authtoken=self._authtoken
            )
        )

    def _make_schemas(self) -> None:
        # Each is a process of several seconds that has one CPU busy.
        with ThreadPoolExecutor(2) as executor:
            cell1 = executor.submit(
                self._manage_cell, "cell1", "db", "sync", "--local_cell"
            )
            self._manage("api_db", "sync")
            cell2 = executor.submit(
                self._manage_cell, "cell2", "db", "sync", "--local_cell"
            )
            for name, url in self.databases.cells.items():
                connection = f"--database_connection={url}"
                if name == "cell0":
                    self._manage("cell_v2", "map_cell0", connection)
                    continue
                self._manage(
                    "cell_v2",
                    "create_cell",
                    connection,
                    f"--name={name}",
                    f"--transport-url=fake://{name}/",
                    *(["--disabled"] if name == DISABLED_CELL else []),
                )
            cell1.result()
            # Of cell0, and of [database] connection: cell1, once more.
            self._manage("db", "sync")
            cell2.result()

    def _manage_cell(self, cell: str, *arguments: str) -> None:
        url = self.databases.cell_urls[cell].replace("$", "$$")
        configuration = self.directory / f"{cell}.conf"
        configuration.write_text(f"[database]\nconnection = {url}\n")
        self._manage(*arguments, configuration=configuration)

    def _manage(
        self, *arguments: str, configuration: Path | None = None
    ) -> None:
        """Run ``nova-manage``; ``configuration`` wins over nova.conf."""
        command = [str(Path(sysconfig.get_path("scripts"), "nova-manage"))]
        for file in (self.directory / "nova.conf", configuration):
            command += ["--config-file", str(file)] if file else []
        done = subprocess.run(
            [*command, *arguments],
            capture_output=True,
            check=False,
            env=os.environ | {"OS_NOVA_DISABLE_EVENTLET_PATCHING": "true"},
            text=True,
            timeout=300,
        )
        if done.returncode:
            raise RuntimeError(
                f"nova-manage {' '.join(arguments)} ended with "
                f"{done.returncode}:\n{done.stdout}{done.stderr}"
            )


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


def shipped_paste_file() -> str:
    """Return Nova's own paste file, as it is installed."""
    return Path(
        sysconfig.get_path("data"), "etc", "nova", "api-paste.ini"
    ).read_text()


def operators_paste_file() -> str:
    """Return Nova's own paste file, changed as operators are told to."""
    extended = re.sub(
        r"^(keystone = .*) (\w+)$",
        r"\1 extended_status \2",
        shipped_paste_file(),
        flags=re.MULTILINE,
    )
    return f"{extended}\n{filter_section()}"


def paste_configuration(shipped: str, *, authtoken: bool = False) -> str:
    """Return Nova's own paste file with every one of ``APPLICATIONS``.

    ``authtoken`` goes unless it is wanted, since there is no Keystone here:
    the request's own headers make the context. The rest is as an operator
    changes the file.
    """
    if not authtoken:
        shipped = shipped.replace(" authtoken ", " ")
    sections = re.split(r"^(?=\[)", shipped, flags=re.MULTILINE)
    served = [
        section
        for section in sections
        if re.match(
            r"\[composite:(osapi_compute|openstack_compute_api_)", section
        )
    ]
    if len(served) != 3:
        raise RuntimeError(f"Nova's own paste file has changed:\n{shipped}")
    changed = [section for section in sections if section not in served]
    for name, filters in APPLICATIONS.items():
        for section in served:
            # The innermost place: behind keystonecontext, or behind
            # legacy_v2_compatible in the pipeline that has it.
            section = re.sub(
                r"^(keystone = .*) (\w+)$",
                rf"\1 {filters} \2" if filters else r"\1 \2",
                section,
                flags=re.MULTILINE,
            )
            if name != "osapi_compute":
                section = re.sub(
                    r"\b(openstack_compute_api_\w+)", rf"\1_{name}", section
                ).replace("composite:osapi_compute]", f"composite:{name}]")
            changed.append(section)
    return "\n".join(
        [
            *changed,
            filter_section(),
            BLIND_FILTER_SECTION,
            DETAIL_AND_SHOW_FILTER_SECTION,
            SHIM_SECTION,
        ]
    )


def filter_section() -> str:
    """Return the section that operators are told to paste.

    It has no options: inside Nova the filter reads Nova's own.
    """
    section = re.search(
        r"^\[filter:extended_status\]\n(\S.*\n)+",
        PROJECT_PASTE_FILE.read_text(),
        re.MULTILINE,
    )
    if section is None:
        raise RuntimeError(f"{PROJECT_PASTE_FILE} has no section to paste")
    return section[0]


@contextlib.contextmanager
def _arguments() -> Iterator[None]:
    """Hide this process's arguments: Nova would read them as its own."""
    arguments = sys.argv
    sys.argv = ["nova-api"]
    try:
        yield
    finally:
        sys.argv = arguments


def _configure(directory: Path) -> None:
    """Have Nova read the configuration, before anything else uses it.

    What Nova's own WSGI module does first of all, too.
    """
    os.environ["OS_NOVA_CONFIG_DIR"] = str(directory)
    os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "true"
    from nova import monkey_patch

    with _arguments():
        monkey_patch.patch(backend="threading")
        from nova.api.openstack import wsgi_app

        wsgi_app.init_global_data(
            [str(directory / name) for name in wsgi_app.CONFIG_FILES],
            "osapi_compute",
            "nova-api-os-compute",
        )


class _NeutronStub:
    """As much of Neutron as detail and show ask for: nothing."""

    def __init__(self) -> None:
        self._server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), _NeutronHandler
        )
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _NeutronHandler(http.server.BaseHTTPRequestHandler):
    """Answers every list with an empty one."""

    protocol_version = "HTTP/1.1"
    # Else each answer waits for the client's delayed acknowledgement.
    wbufsize = -1

    def do_GET(self) -> None:
        collection = self.path.partition("?")[0].rsplit("/", 1)[-1]
        body = json.dumps({collection.replace("-", "_"): []}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
