"""A real Nova in one directory: schemas, cells, configuration, applications.

Nova's configuration is global: one installation for each process. ::

    with Installation(directory, SQLiteFiles(directory)) as nova:
        fleet.create(fleet.fleet())
        application = nova.application("osapi_compute")
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import runpy
import secrets
import subprocess
import sys
import sysconfig
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import sqlalchemy as sa
import webob
from webob import dec
from webtest.http import StopableWSGIServer

from tests.support.databases import SERVERS

if TYPE_CHECKING:
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
"""


class Databases:
    """Nova's databases, whose names have the same beginning."""

    #: Their URLs, up to the ending of the name, and what comes after it.
    root: str
    query = ""
    #: The template of cell1's URL, and for cell0's.
    template: str
    #: The URL of ``DOWN_CELL``.
    down: str

    def url(self, ending: str = "") -> str:
        return f"{self.root}{ending}{self.query}"

    def create(self) -> None:
        """Make what Nova does not make."""

    def drop(self) -> None:
        """Drop what is not in the installation's directory."""


class SQLiteFiles(Databases):
    """Files, which SQLite makes when they are opened."""

    template = "{scheme}:////{path}"

    def __init__(self, directory: Path) -> None:
        self.root = f"sqlite:///{directory.resolve()}/nova"
        # A directory that is not there: no file can be opened, or made.
        self.down = f"sqlite:///{directory.resolve()}/absent/nova"


class MariaDB(Databases):
    """Databases on a server, with a user of their own."""

    query = "?charset=utf8mb3"
    template = (
        "{scheme}://{username}:{password}@{hostname}:{port}/{path}?{query}"
    )
    # No server listens there.
    down = "mysql+pymysql://root@127.0.0.1:1/nova"

    #: In a URL, and so in a template, %-encoded.
    _PASSWORD = "p@ss:w/rd?#"  # noqa: S105

    def __init__(self) -> None:
        self._user = f"real_nova_{os.getpid()}_{secrets.token_hex(3)}"
        password = urllib.parse.quote(self._PASSWORD, safe="")
        address = f"{self._user}:{password}@127.0.0.1:3306"
        self.root = f"mysql+pymysql://{address}/{self._user}"
        endings = ("", "_api", "_cell0", "_cell2")
        self._names = [f"{self._user}{ending}" for ending in endings]

    def create(self) -> None:
        self._run(f"CREATE USER {self._user} IDENTIFIED BY '{self._PASSWORD}'")
        for name in self._names:
            self._run(f"CREATE DATABASE {name} CHARACTER SET utf8mb3")
            self._run(f"GRANT ALL ON {name}.* TO {self._user}")

    def drop(self) -> None:
        for name in self._names:
            self._run(f"DROP DATABASE IF EXISTS {name}")
        self._run(f"DROP USER IF EXISTS {self._user}")

    def _run(self, statement: str) -> None:
        engine = sa.create_engine(
            SERVERS["mysql"],
            isolation_level="AUTOCOMMIT",
            poolclass=sa.pool.NullPool,
        )
        with engine.connect() as connection:
            connection.execute(sa.text(statement))


class Installation:
    """A Nova with cell0, two live cells, and a third that does not answer.

    :param directory: an empty directory for its files
    :param authtoken: whether keystonemiddleware is in the pipelines
    """

    def __init__(
        self, directory: Path, databases: Databases, *, authtoken: bool = False
    ) -> None:
        self.directory = directory.resolve()
        self.databases = databases
        #: The cells' URLs, by name.
        self.cells = {
            "cell0": databases.url("_cell0"),
            "cell1": databases.url(),
            "cell2": databases.url("_cell2"),
            DOWN_CELL: databases.down,
        }
        self._authtoken = authtoken
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            undo.callback(self.databases.drop)
            self.databases.create()
            neutron = StopableWSGIServer.create(empty_neutron)
            undo.callback(neutron.shutdown)
            self._write_configuration(neutron.application_url.rstrip("/"))
            os.environ["OS_NOVA_CONFIG_DIR"] = str(self.directory)
            os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "true"
            self._make_schemas()
            self._novas_own = novas_application()
            self._closing = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def application(self, name: str) -> WSGIApplication:
        """Return one of ``APPLICATIONS``, as Nova's own loader makes it."""
        from paste import deploy

        if name == "osapi_compute":
            return self._novas_own
        application: WSGIApplication = deploy.loadapp(
            f"config:{self.directory / name}.ini", name="osapi_compute"
        )
        return application

    def _write_configuration(self, neutron: str) -> None:
        configuration = NOVA_CONF.format(
            directory=self.directory,
            connection=self.databases.url(),
            api_connection=self.databases.url("_api"),
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
        template = self.databases.template
        cell0 = template.replace("{path}", "{path}_cell0")
        self._manage("cell_v2", "map_cell0", f"--database_connection={cell0}")
        for name, url, *disabled in (
            ("cell1", template),
            # A disabled cell takes no new servers, and keeps those it has.
            ("cell2", self.cells["cell2"], "--disabled"),
            (DOWN_CELL, self.cells[DOWN_CELL]),
        ):
            self._manage(
                *("cell_v2", "create_cell", f"--name={name}", *disabled),
                f"--database_connection={url}",
                f"--transport-url=fake://{name}/",
            )
        # Of cell0, and of [database] connection: cell1.
        self._manage("db", "sync")
        cell2 = self.directory / "cell2.conf"
        cell2.write_text(f"[database]\nconnection = {self.cells['cell2']}\n")
        self._manage("--config-file", cell2, "db", "sync", "--local_cell")

    def _manage(self, *arguments: str | Path) -> None:
        nova_conf = self.directory / "nova.conf"
        done = subprocess.run(
            [SCRIPTS / "nova-manage", "--config-file", nova_conf, *arguments],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done


@mock.patch.object(sys, "argv", ["nova-api"])
def novas_application() -> WSGIApplication:
    """Return the application of the module or script that Nova ships.

    It would read the arguments of this process as its own.
    """
    application: WSGIApplication
    if RELEASE < 30:
        script = runpy.run_path(str(SCRIPTS / "nova-api-wsgi"))
        application = script["application"]
    else:
        from nova.wsgi import osapi_compute

        application = osapi_compute.application
    return application


def paste_file(filters: str) -> str:
    """Return Nova's own paste file with filters in its Keystone pipelines."""
    shipped = Path(sysconfig.get_path("data"), "etc/nova/api-paste.ini")
    text, count = re.subn(
        r"^(keystone = .*) (osapi_compute_app_v21)$",
        rf"\1 {filters} \2" if filters else r"\1 \2",
        shipped.read_text(),
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


@dec.wsgify
def empty_neutron(request: webob.Request) -> webob.Response:
    """Answer what detail and show ask of Neutron: empty lists."""
    collection = request.path.rpartition("/")[2].replace("-", "_")
    return webob.Response(json={collection: []})
