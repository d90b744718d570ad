# SPDX-License-Identifier: Apache-2.0
"""The demo: its command over HTTP, its API, and the file behind it."""

from __future__ import annotations

import contextlib
import http.client
import importlib.resources
import json
import os
import re
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import sysconfig
import threading
import time
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree

import pytest
import webtest
from paste.deploy import loadapp

from nova_ext_sts import states
from nova_ext_sts.demo import api, command, fleet, xml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COMMAND = [Path(sysconfig.get_path("scripts"), "nova-ext-sts-demo")]

ROWS = states.SPECIFIED_STATUSES + states.LATER_STATUSES
NAMES = [fleet.server_name(row) for row in ROWS]
ACTIVE = fleet.server_id("active")

LIST_KEYS = ["id", "name", "links"]
STATES = [
    "OS-EXT-STS:vm_state",
    "OS-EXT-STS:task_state",
    "OS-EXT-STS:power_state",
]


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Put back what handles the signals that end the demo."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.getsignal(number) for number in numbers]
    # Where the tests run in a shell's background, SIGINT is ignored, which
    # every process that is started here would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in zip(numbers, handlers, strict=True):
        signal.signal(number, handler)


# The command, as a process of its own.


class Demo(NamedTuple):
    """A demo that runs: what it printed, and where it answers."""

    process: subprocess.Popen[str]
    text: str
    port: int

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        return get(self.port, path)


def get(port: int, path: str) -> tuple[int, dict[str, Any]]:
    """Return the status and the document of a response."""
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    ) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


@contextlib.contextmanager
def running(
    *arguments: str, **environ: str
) -> Iterator[subprocess.Popen[str]]:
    """Run the demo until it is ended."""
    environ = {
        name: value for name, value in os.environ.items() if name != "COLUMNS"
    } | environ
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


@contextlib.contextmanager
def started(*arguments: str, **environ: str) -> Iterator[Demo]:
    """Run the demo, as soon as its endpoint stands in its output."""
    with running("--port", "0", *arguments, **environ) as process:
        assert process.stdout is not None
        text = ""
        for line in process.stdout:
            text += line
            match = re.match(r"The Compute API is at \S+:(\d+)/", line)
            if match:
                yield Demo(process, text, int(match[1]))
                return
        pytest.fail(f"no endpoint in {text!r}: {process.stderr}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def connected(port: int) -> socket.socket:
    """Return a connection, as soon as somebody listens."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            assert time.monotonic() < deadline


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo for all tests that only read."""
    file = tmp_path_factory.mktemp("demo") / "servers.sqlite"
    with started("--database", str(file)) as demo:
        yield demo


def refusal(*arguments: str) -> str:
    """Return what the command says where it does not start."""
    process = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (process.returncode, process.stdout) == (1, "")
    return process.stderr


def table(text: str) -> list[list[str]]:
    """Return the cells of the table that the command printed."""
    lines = text.split("\n\n")[1].splitlines()
    return [re.split(r" {2,}", line) for line in lines]


def test_every_server_of_a_detail_list_has_the_states_of_its_row(
    demo: Demo,
) -> None:
    status, document = demo.get("/v2.1/servers/detail")
    assert status == 200
    assert [
        (server["status"], *(server[name] for name in STATES[:2]))
        for server in document["servers"]
    ] == list(ROWS)
    assert {server[STATES[2]] for server in document["servers"]} == set(
        states.POWER_STATES
    )


def test_every_server_of_a_list_has_the_states_of_the_detail_list(
    demo: Demo,
) -> None:
    members = [*LIST_KEYS, *STATES]
    _, detail = demo.get("/v2.1/servers/detail")
    assert demo.get("/v2.1/servers") == (
        200,
        {
            "servers": [
                {name: server[name] for name in members}
                for server in detail["servers"]
            ]
        },
    )


def test_every_server_is_shown_as_it_is_listed(demo: Demo) -> None:
    _, detail = demo.get("/v2.1/servers/detail")
    for server in detail["servers"]:
        assert demo.get(f"/v2.1/servers/{server['id']}") == (
            200,
            {"server": server},
        )


def test_pages_with_states_are_the_whole_list(demo: Demo) -> None:
    _, whole = demo.get("/v2.1/servers/detail")
    servers: list[dict[str, Any]] = []
    path: str | None = "/v2.1/servers/detail?limit=7"
    pages = 0
    while path:
        _, page = demo.get(path)
        servers += page["servers"]
        pages += 1
        links = page.get("servers_links", [])
        path = links[0]["href"].partition(str(demo.port))[2] if links else None
    assert servers == whole["servers"]
    assert pages == -(-len(ROWS) // 7)


def test_faults_pass_the_filter_as_they_are(demo: Demo) -> None:
    assert demo.get("/v2.1/servers/none") == (
        404,
        {
            "itemNotFound": {
                "code": 404,
                "message": "Instance none could not be found.",
            }
        },
    )
    assert demo.get("/v2.1/servers?limit=-1") == (
        400,
        {
            "badRequest": {
                "code": 400,
                "message": "The limit must be a whole number, not '-1'.",
            }
        },
    )


def test_the_table_is_what_a_client_sees(demo: Demo) -> None:
    _, document = demo.get("/v2.1/servers/detail")
    assert table(demo.text) == [
        ["NAME", "STATUS", "VM_STATE", "TASK_STATE", "POWER"],
        *(
            [
                server["name"],
                server["status"],
                server[STATES[0]],
                server[STATES[1]] or "-",
                states.POWER_STATES[server[STATES[2]]],
            ]
            for server in document["servers"]
        ),
    ]


def test_without_the_filter_the_fields_are_missing(tmp_path: Path) -> None:
    file = tmp_path / "servers.sqlite"
    with started("--without-filter", "--database", str(file)) as demo:
        _, listed = demo.get("/v2.1/servers")
        _, detail = demo.get("/v2.1/servers/detail")
    assert [list(server) for server in listed["servers"]] == [
        LIST_KEYS for _ in ROWS
    ]
    assert "OS-EXT-STS" not in json.dumps(detail)
    assert table(demo.text)[1:] == [
        [fleet.server_name(row), row.status, *["(missing)"] * 3]
        for row in ROWS
    ]


def test_a_changed_row_shows_in_the_next_response_and_survives_a_restart(
    tmp_path: Path,
) -> None:
    file = tmp_path / "servers.sqlite"
    arguments = ("--database", str(file))
    with started(*arguments) as demo:
        assert demo.text.startswith(f"Made {len(ROWS)} servers in {file}\n")
        with contextlib.closing(sqlite3.connect(file)) as database, database:
            database.execute(
                "UPDATE instances SET vm_state = 'paused', "
                "task_state = 'unheard_of', power_state = 3 WHERE uuid = ?",
                (ACTIVE,),
            )
        _, changed = demo.get(f"/v2.1/servers/{ACTIVE}")
        assert [changed["server"][name] for name in ("status", *STATES)] == [
            "PAUSED",
            "paused",
            "unheard_of",
            3,
        ]
    with started(*arguments) as demo:
        assert demo.text.startswith(f"Kept {len(ROWS)} servers in {file}\n")
        assert demo.get(f"/v2.1/servers/{ACTIVE}")[1]["server"][STATES[1]] == (
            "unheard_of"
        )


@pytest.mark.parametrize("has_sqlite3", [True, False])
def test_the_printed_command_changes_a_row(
    tmp_path: Path, has_sqlite3: bool
) -> None:
    file = tmp_path / "it's a file.sqlite"
    # What is found there is not run.
    tool = tmp_path / "sqlite3"
    tool.touch(mode=0o755)
    path = str(tmp_path) if has_sqlite3 else ""
    with started("--database", str(file), PATH=path) as demo:
        line = re.search(r"show it again:\n\n(.*?)\n\n", demo.text, re.DOTALL)
        assert line
        words = shlex.split(line[1])
        if has_sqlite3:
            assert words[:2] == ["sqlite3", str(file)]
            with contextlib.closing(sqlite3.connect(words[1])) as database:
                database.executescript(words[2])
        else:
            subprocess.run(["/bin/sh", "-c", line[1]], check=True)
        curl = re.findall(rf"curl \S+:{demo.port}(\S+)", demo.text)
        assert curl == ["/v2.1/servers", f"/v2.1/servers/{ACTIVE}"]
        assert demo.get(curl[1])[1]["server"][STATES[1]] == "rebooting"


def test_the_table_fits_a_terminal_of_80_columns(
    tmp_path: Path,
) -> None:
    file = tmp_path / "servers.sqlite"
    with started("--database", str(file), COLUMNS="80") as demo:
        lines = demo.text.split("\n\n")[1].splitlines()
    assert max(map(len, lines)) < 80
    assert lines[:2] == [
        "NAME                     STATUS        VM_STATE     TASK_STATE"
        "        POWER",
        "active                   ACTIVE        active       -         "
        "        Running",
    ]
    start = lines.index(
        "active-rebuild-block-    REBUILD       active       "
        "rebuild_block_    Shutdown"
    )
    assert lines[start + 1] == (
        "device-mapping                                      device_mapping"
    )


def test_it_listens_on_ipv6(tmp_path: Path) -> None:
    file = tmp_path / "servers.sqlite"
    fleet.make(file)
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        database.execute("DELETE FROM instances")
    with started("--host", "::1", "--database", str(file)) as demo:
        pass
    # Without a server there is nothing to try.
    assert demo.text == (
        f"Kept 0 servers in {file}\n\n"
        "NAME  STATUS  VM_STATE  TASK_STATE  POWER\n\n"
        f"The Compute API is at http://[::1]:{demo.port}/v2.1 "
        "(Ctrl-C ends it)\n"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_quietly(
    tmp_path: Path, number: signal.Signals
) -> None:
    with started("--database", str(tmp_path / "servers.sqlite")) as demo:
        demo.process.send_signal(number)
        _, errors = demo.process.communicate(timeout=30)
        assert (demo.process.returncode, errors) == (0, "")


def test_it_can_be_ended_before_it_serves(tmp_path: Path) -> None:
    file = tmp_path / "servers.sqlite"
    fleet.make(file)
    port = free_port()
    with contextlib.closing(
        sqlite3.connect(file, isolation_level=None)
    ) as database:
        # The command waits for this until it is ended.
        database.execute("BEGIN IMMEDIATE")
        # In a process of its own: where an interrupt comes just as a function
        # is entered, coverage (on Python 3.11) loses the lines that follow.
        with running(f"--port={port}", f"--database={file}") as process:
            with connected(port):
                process.terminate()
            database.execute("COMMIT")
            output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors) == (0, "", "")


def test_a_busy_port_is_one_sentence(tmp_path: Path, demo: Demo) -> None:
    file = tmp_path / "servers.sqlite"
    assert refusal("--port", str(demo.port), "--database", str(file)) == (
        f"nova-ext-sts-demo: Cannot listen on 127.0.0.1 port {demo.port}: "
        "Address already in use; choose another with --port or --host.\n"
    )
    assert not file.exists()


def test_missing_waitress_is_one_sentence() -> None:
    process = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.modules['waitress'] = None; "
            "from nova_ext_sts.demo.command import main; sys.exit(main([]))",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode, process.stdout, process.stderr) == (
        1,
        "",
        "nova-ext-sts-demo: waitress is not installed: pip install "
        "'nova-ext-sts[demo]'.\n",
    )


# The command, in this process.


def said(
    capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str]:
    """Return the exit status and what went to standard error."""
    status = command.main(["--port", "0", *map(str, arguments)])
    output, errors = capsys.readouterr()
    assert output == ""
    return status, errors


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [([], {}), (["--without-filter"], {"COLUMNS": "80", "PATH": ""})],
)
def test_it_serves_until_it_is_ended(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: Sequence[str],
    environ: dict[str, str],
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    port = free_port()
    answers: list[bytes] = []

    def client() -> None:
        try:
            with connected(port) as connection:
                connection.sendall(
                    b"GET /v2.1/servers?limit=1 HTTP/1.0\r\n\r\n"
                )
                answers.append(connection.makefile("rb").read())
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=client)
    thread.start()
    status = command.main(
        [
            f"--port={port}",
            f"--database={tmp_path / 'servers.sqlite'}",
            *arguments,
        ]
    )
    thread.join()
    output, errors = capsys.readouterr()
    assert (status, errors) == (0, "")
    assert output.endswith(
        f"The Compute API is at http://127.0.0.1:{port}/v2.1 "
        "(Ctrl-C ends it)\n"
    )
    document = json.loads(answers[0].partition(b"\r\n\r\n")[2])
    assert [list(server) for server in document["servers"]] == [
        LIST_KEYS if arguments else [*LIST_KEYS, *STATES]
    ]


def test_a_busy_port_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        assert said(capsys, "--port", port) == (
            1,
            f"nova-ext-sts-demo: Cannot listen on 127.0.0.1 port {port}: "
            "Address already in use; choose another with --port or --host.\n",
        )


@pytest.mark.parametrize("host", ["a" * 64, "1:2"])
def test_an_unknown_host_is_refused(
    capsys: pytest.CaptureFixture[str], host: str
) -> None:
    assert said(capsys, "--host", host) == (
        1,
        f"nova-ext-sts-demo: {host} is not a host to listen on.\n",
    )


@pytest.mark.parametrize("port", ["-1", "65536", "http", "", "٨"])
def test_a_port_that_is_none_is_refused(
    capsys: pytest.CaptureFixture[str], port: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main([f"--port={port}"])
    assert caught.value.code == 2
    assert f"{port!r} is not a port" in capsys.readouterr().err


def test_missing_waitress_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "waitress", None)
    assert said(capsys) == (
        1,
        "nova-ext-sts-demo: waitress is not installed: pip install "
        "'nova-ext-sts[demo]'.\n",
    )


def test_a_file_of_somebody_elses_is_refused_and_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not mine\n" * 20)
    nova = tmp_path / "nova.sqlite"
    with contextlib.closing(sqlite3.connect(nova)) as database:
        database.execute("CREATE TABLE instances (id INTEGER, uuid TEXT)")
    for file in (text, nova):
        before = file.read_bytes(), file.stat().st_mtime_ns
        assert said(capsys, "--database", file) == (
            1,
            f"nova-ext-sts-demo: {file} holds something else than the demo's "
            "servers, and is left as it is: choose another file.\n",
        )
        assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    assert sorted(tmp_path.iterdir()) == [text, nova]


def test_a_file_that_cannot_be_written_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "none" / "servers.sqlite"
    assert said(capsys, "--database", file) == (
        1,
        f"nova-ext-sts-demo: {file} cannot be written: No such file or "
        "directory.\n",
    )
    assert said(capsys, "--database", tmp_path) == (
        1,
        f"nova-ext-sts-demo: {tmp_path} is not a regular file.\n",
    )


def test_a_path_that_no_url_can_hold_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "what?.sqlite"
    assert said(capsys, "--database", file) == (
        1,
        f"nova-ext-sts-demo: {file} cannot be written as a URL: choose a path "
        "without a question mark.\n",
    )
    assert list(tmp_path.iterdir()) == []


# The file.


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "servers.sqlite"
    fleet.make(file)
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("ALTER TABLE instances RENAME TO others")
    with pytest.raises(
        fleet.UnusableFile,
        match=r"cannot be used: no such table: instances\.$",
    ):
        fleet.make(file)


def test_an_empty_file_is_filled(tmp_path: Path) -> None:
    file = tmp_path / "servers.sqlite"
    file.touch()
    assert fleet.make(file)
    assert len(fleet.servers(file)) == len(ROWS)


def test_of_several_that_start_at_once_one_makes_the_servers(
    tmp_path: Path,
) -> None:
    file = tmp_path / "servers.sqlite"
    made: list[bool] = []
    threads = [
        threading.Thread(target=lambda: made.append(fleet.make(file)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False] * 7 + [True]
    assert len(fleet.servers(file)) == len(ROWS)


def test_names_are_distinct_and_fit_a_host() -> None:
    assert len(set(NAMES)) == len(ROWS)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in NAMES)
    assert "active-rebooting" in NAMES


def test_ids_are_the_same_in_every_file(tmp_path: Path) -> None:
    fleet.make(tmp_path / "one")
    fleet.make(tmp_path / "two")
    assert fleet.servers(tmp_path / "one") == fleet.servers(tmp_path / "two")
    assert ACTIVE == "a8f2138f-8bd7-5632-b01f-efb60dfcb22e"


# The pipeline and the API, called without a server between.


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A path with all that may need care in a URL or a paste file."""
    directory = tmp_path / "a b%41%(here)s#ü;x"
    directory.mkdir()
    return directory / "servers.sqlite"


@pytest.fixture
def app(file: Path) -> webtest.TestApp:
    return webtest.TestApp(command.pipeline(fleet.connection(file)))


@pytest.fixture
def bare_app(file: Path) -> webtest.TestApp:
    return webtest.TestApp(
        command.pipeline(fleet.connection(file), without_filter=True)
    )


@pytest.mark.parametrize("name", ["demo", "demo_without_filter"])
def test_the_paste_file_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    paste_ini = importlib.resources.files("nova_ext_sts.demo").joinpath(
        "api-paste.ini"
    )
    app = webtest.TestApp(loadapp(f"config:{paste_ini}#{name}"))
    assert [file.name for file in tmp_path.iterdir()] == [command.DATABASE]
    servers = app.get("/v2.1/servers").json["servers"]
    assert [server["name"] for server in servers] == NAMES
    assert (STATES[0] in servers[0]) == (name == "demo")


def test_the_paste_file_takes_another_file(
    app: webtest.TestApp, file: Path
) -> None:
    assert list(file.parent.iterdir()) == [file]
    server = app.get(f"/v2.1/servers/{ACTIVE}").json["server"]
    assert [server[name] for name in STATES] == ["active", None, 1]


def test_a_server_has_what_clients_need(app: webtest.TestApp) -> None:
    url = "http://cloud.example:8774"
    response = app.get(
        f"/v2.1/servers/{ACTIVE}", headers={"Host": "cloud.example:8774"}
    )
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["OpenStack-API-Version"] == "compute 2.1"
    assert response.json == {
        "server": {
            "id": ACTIVE,
            "name": "active",
            "links": [
                {"rel": "self", "href": f"{url}/v2.1/servers/{ACTIVE}"},
                {"rel": "bookmark", "href": f"{url}/servers/{ACTIVE}"},
            ],
            "status": "ACTIVE",
            "tenant_id": fleet.PROJECT_ID,
            "user_id": fleet.USER_ID,
            "metadata": {},
            "hostId": response.json["server"]["hostId"],
            "image": "",
            "flavor": {
                "id": "1",
                "links": [{"rel": "bookmark", "href": f"{url}/flavors/1"}],
            },
            "created": "2025-12-31T23:59:00Z",
            "updated": "2025-12-31T23:59:00Z",
            "addresses": {"private": [{"version": 4, "addr": "10.0.0.1"}]},
            "accessIPv4": "",
            "accessIPv6": "",
            "key_name": None,
            "config_drive": "",
            "OS-EXT-STS:vm_state": "active",
            "OS-EXT-STS:task_state": None,
            "OS-EXT-STS:power_state": 1,
        }
    }
    assert len(response.json["server"]["hostId"]) == 56


def test_links_keep_mount_point_and_project(app: webtest.TestApp) -> None:
    url = "https://cloud.example/compute"
    document = app.get(
        "/v2.1/a%20project/servers?limit=1&name=^active$|paused",
        extra_environ={
            "HTTP_HOST": "cloud.example",
            "SCRIPT_NAME": "/compute",
            "wsgi.url_scheme": "https",
        },
    ).json
    assert document["servers"][0]["links"] == [
        {"rel": "self", "href": f"{url}/v2.1/a%20project/servers/{ACTIVE}"},
        {"rel": "bookmark", "href": f"{url}/a%20project/servers/{ACTIVE}"},
    ]
    query = urllib.parse.urlencode(
        {"limit": 1, "name": "^active$|paused", "marker": ACTIVE}
    )
    assert document["servers_links"] == [
        {"rel": "next", "href": f"{url}/v2.1/a%20project/servers?{query}"}
    ]


VERSION = {
    "id": "v2.1",
    "status": "CURRENT",
    "version": "2.1",
    "min_version": "2.1",
    "updated": "2013-07-23T11:33:21Z",
    "links": [{"rel": "self", "href": "http://localhost/v2.1/"}],
}


@pytest.mark.parametrize("path", ["", "/"])
def test_the_root_lists_the_version(app: webtest.TestApp, path: str) -> None:
    assert app.get(path).json == {"versions": [VERSION]}


@pytest.mark.parametrize("path", ["/v2.1", "/v2.1/"])
def test_the_endpoint_describes_the_version(
    app: webtest.TestApp, path: str
) -> None:
    version = app.get(path).json["version"]
    assert version == VERSION | {
        "links": [
            *VERSION["links"],
            {
                "rel": "describedby",
                "type": "text/html",
                "href": "https://docs.openstack.org/",
            },
        ],
        "media-types": [
            {
                "base": "application/json",
                "type": "application/vnd.openstack.compute+json;version=2.1",
            }
        ],
    }


def test_flavors_are_the_one_that_servers_have(app: webtest.TestApp) -> None:
    flavor = app.get("/v2.1/flavors/1").json["flavor"]
    assert flavor == {
        **api.FLAVOR,
        "links": [
            {"rel": "self", "href": "http://localhost/v2.1/flavors/1"},
            {"rel": "bookmark", "href": "http://localhost/flavors/1"},
        ],
    }
    assert app.get("/v2.1/p/flavors/detail").json["flavors"][0].keys() == (
        flavor.keys()
    )
    assert app.get("/v2.1/flavors").json == {
        "flavors": [{name: flavor[name] for name in LIST_KEYS}]
    }
    assert app.get("/v2.1/flavors?marker=1").json == {"flavors": []}
    assert app.get("/v2.1/flavors/detail?limit=0").json == {"flavors": []}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("limit=2", NAMES[:2]),
        ("limit=0", []),
        ("limit=1000000", NAMES),
        ("limit=" + "9" * 5000, NAMES),
        (f"marker={fleet.server_id(NAMES[-2])}", NAMES[-1:]),
        (f"marker={fleet.server_id(NAMES[-1])}", []),
        (f"marker={ACTIVE}&name=^active$", []),
        ("name=^paused", ["paused", "paused-migrating"]),
        ("name=offload", ["shelved-offloaded"]),
        ("name=nothing", []),
        (f"limit={len(NAMES)}", NAMES),
        ("status=ACTIVE&all_tenants=1", NAMES),
    ],
)
def test_a_query_chooses_servers(
    bare_app: webtest.TestApp, query: str, names: list[str]
) -> None:
    document = bare_app.get(f"/v2.1/servers?{query}").json
    assert [server["name"] for server in document["servers"]] == names
    assert ("servers_links" in document) == (query == "limit=2")


@pytest.mark.parametrize(
    ("path", "status", "name", "message"),
    [
        (
            "/v2.1/servers?limit=x",
            400,
            "badRequest",
            "The limit must be a whole number, not 'x'.",
        ),
        (
            "/v2.1/servers?limit=",
            400,
            "badRequest",
            "The limit must be a whole number, not ''.",
        ),
        (
            "/v2.1/servers/detail?marker=none",
            400,
            "badRequest",
            "marker [none] not found",
        ),
        (
            "/v2.1/servers?name=(",
            400,
            "badRequest",
            "The name must be a regular expression: missing ), unterminated "
            "subpattern at position 0.",
        ),
        (
            "/v2.1/servers?name=%ff",
            400,
            "badRequest",
            "The request's URL is not UTF-8.",
        ),
        (
            "/%ff",
            400,
            "badRequest",
            "The request's URL is not UTF-8.",
        ),
        (
            "/v2.1/servers/servers",
            404,
            "itemNotFound",
            "Instance servers could not be found.",
        ),
        (
            "/v2.1/flavors/2",
            404,
            "itemNotFound",
            "Flavor 2 could not be found.",
        ),
        (
            "/v2.1/images",
            404,
            "itemNotFound",
            "The resource could not be found.",
        ),
    ],
)
def test_what_cannot_be_answered_is_a_fault(
    app: webtest.TestApp, path: str, status: int, name: str, message: str
) -> None:
    response = app.get(path, status=status)
    assert response.json == {name: {"code": status, "message": message}}


def test_a_change_by_the_api_is_a_fault(app: webtest.TestApp) -> None:
    response = app.delete(f"/v2.1/servers/{ACTIVE}", status=405)
    assert response.headers["Allow"] == "GET, HEAD"
    assert response.json == {
        "badMethod": {
            "code": 405,
            "message": "The demo is read-only: DELETE is not allowed.",
        }
    }


def test_head_is_get_without_a_body(app: webtest.TestApp) -> None:
    response = app.head("/v2.1")
    assert response.body == b""
    assert response.headers["Content-Length"] == str(
        len(app.get("/v2.1").body)
    )


def test_a_file_that_is_gone_is_a_fault(
    app: webtest.TestApp, file: Path
) -> None:
    file.unlink()
    assert app.get("/v2.1/servers", status=503).json == {
        "serviceUnavailable": {
            "code": 503,
            "message": "The demo's servers cannot be read: unable to open "
            "database file.",
        }
    }
    assert not file.exists()


def test_rows_of_nulls_are_servers_too(
    app: webtest.TestApp, file: Path
) -> None:
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        database.execute("INSERT INTO instances (uuid) VALUES ('new')")
    server = app.get("/v2.1/servers/new").json["server"]
    names = ["name", "status", "created", "updated", *STATES]
    assert [server[name] for name in names] == [
        None,
        "UNKNOWN",
        *[None] * 5,
    ]


# The extensions.


NOT_FOUND = {
    "itemNotFound": {
        "code": 404,
        "message": "The resource could not be found.",
    }
}
EXTENDED_STATUS = {
    "alias": "OS-EXT-STS",
    "description": "Extended Status support.",
    "links": [],
    "name": "ExtendedStatus",
    "namespace": (
        "http://docs.openstack.org/compute/ext/extended_status/api/v1.1"
    ),
    "updated": "2011-11-03T00:00:00Z",
}


def test_the_filter_adds_its_own_extension(
    app: webtest.TestApp, bare_app: webtest.TestApp
) -> None:
    for path in ("/v2.1/extensions", "/v2.1/p/extensions"):
        assert bare_app.get(path).json == {"extensions": [api.EXTENSION]}
        assert app.get(path).json == {
            "extensions": [api.EXTENSION, EXTENDED_STATUS]
        }
    for path in ("/v2.1/extensions/OS-DCF", "/v2.1/p/extensions/OS-DCF/"):
        for each in (bare_app, app):
            assert each.get(path).json == {"extension": api.EXTENSION}
    path = "/v2.1/extensions/OS-EXT-STS"
    assert bare_app.get(path, status=404).json == NOT_FOUND
    assert app.get(path).json == {"extension": EXTENDED_STATUS}


def test_the_filter_adds_its_own_extension_in_xml(
    app: webtest.TestApp, bare_app: webtest.TestApp
) -> None:
    listed = f"""\
{DECLARATION}
<extensions xmlns="{COMMON}">
  <extension alias="OS-DCF" name="DiskConfig" \
namespace="{api.EXTENSION["namespace"]}" updated="2011-09-27T00:00:00Z">
    <description>Disk Management Extension.</description>
  </extension>
</extensions>"""
    entry = (
        'alias="OS-EXT-STS" updated="2011-11-03T00:00:00Z" '
        f'namespace="{EXTENDED_STATUS["namespace"]}" name="ExtendedStatus">'
        "<description>Extended Status support.</description></extension>"
    )
    path = "/v2.1/extensions.xml"
    assert bare_app.get(path).text == listed
    head, end = listed.split("</extensions>")
    assert app.get(path).text == f"{head}<extension {entry}</extensions>{end}"
    for each in (bare_app, app):
        assert (
            each.get("/v2.1/extensions/OS-DCF.xml").text
            == f"""\
{DECLARATION}
<extension xmlns="{COMMON}" alias="OS-DCF" name="DiskConfig" \
namespace="{api.EXTENSION["namespace"]}" updated="2011-09-27T00:00:00Z">
  <description>Disk Management Extension.</description>
</extension>"""
        )
    path = "/v2.1/extensions/OS-EXT-STS.xml"
    assert bare_app.get(path, status=404).text == fault(
        "itemNotFound", 404, "The resource could not be found."
    )
    response = app.get(path)
    assert response.headers["Content-Type"] == "application/xml"
    assert response.text == (
        f'{DECLARATION}\n<extension xmlns="{COMMON}" {entry}'
    )


# XML.


DECLARATION = "<?xml version='1.0' encoding='UTF-8'?>"
COMPUTE = "http://docs.openstack.org/compute/api/v1.1"
COMMON = "http://docs.openstack.org/common/api/v1.0"
ATOM = "http://www.w3.org/2005/Atom"
XML_STATES = [
    f"{{{EXTENDED_STATUS['namespace']}}}{name.partition(':')[2]}"
    for name in STATES
]


def fault(name: str, code: int, message: str) -> str:
    """Return a fault's body in XML."""
    return (
        f'{DECLARATION}\n<{name} xmlns="{COMPUTE}" code="{code}">\n'
        f"  <message>{message}</message>\n</{name}>"
    )


def root(response: webtest.TestResponse) -> ElementTree.Element:
    """Return the root element of a response in XML."""
    return ElementTree.fromstring(response.body)  # noqa: S314


def servers(response: webtest.TestResponse) -> list[ElementTree.Element]:
    return root(response).findall(f"{{{COMPUTE}}}server")


@pytest.mark.parametrize(
    ("path", "accept", "format"),
    [
        ("/v2.1/servers", None, "json"),
        ("/v2.1/servers", "", "json"),
        ("/v2.1/servers", "*/*", "json"),
        ("/v2.1/servers", "application/*", "json"),
        ("/v2.1/servers", "application/json", "json"),
        ("/v2.1/servers", "application/vnd.openstack.compute+json", "json"),
        ("/v2.1/servers", "application/xml", "xml"),
        ("/v2.1/servers", "application/vnd.openstack.compute+xml", "xml"),
        ("/v2.1/servers", "application/xml, application/json", "json"),
        ("/v2.1/servers", "application/xml, application/json;q=0.9", "xml"),
        ("/v2.1/servers", "application/xml;q=0.8, */*;q=0.9", "json"),
        ("/v2.1/servers", "application/xml;q=0, text/plain", "json"),
        # A browser's.
        ("/v2.1/servers", "text/html,application/xml;q=0.9,*/*;q=0.8", "xml"),
        # Neither.
        ("/v2.1/servers", "text/plain", "json"),
        ("/v2.1/servers", "no media type", "json"),
        # The path's ending wins.
        ("/v2.1/servers.json", "application/xml", "json"),
        ("/v2.1/servers.xml", "application/json", "xml"),
        ("/v2.1/servers.xml/", None, "xml"),
        ("/v2.1/p/servers/detail.xml", None, "xml"),
        (f"/v2.1/servers/{ACTIVE}.json", None, "json"),
        (f"/v2.1/servers/{ACTIVE}.xml", None, "xml"),
        ("/v2.1.xml", None, "xml"),
        ("/v2.1/.xml", "application/json", "json"),
        ("/v2.1/servers/none.xml", None, "xml"),
        ("/v2.1/images.xml", None, "xml"),
        ("/%ff.xml", None, "xml"),
        ("/v2.1/servers.xml?limit=x", None, "xml"),
    ],
)
def test_the_client_chooses_the_format(
    app: webtest.TestApp, path: str, accept: str | None, format: str
) -> None:
    headers = {} if accept is None else {"Accept": accept}
    response = app.get(path, headers=headers, status="*")
    assert response.headers["Content-Type"] == f"application/{format}"
    assert response.headers["Vary"] == "Accept, OpenStack-API-Version"
    assert response.body.startswith(
        b"{" if format == "json" else DECLARATION.encode()
    )


def test_an_ending_changes_nothing_else(app: webtest.TestApp) -> None:
    for path in ("/v2.1", "/v2.1/servers", f"/v2.1/servers/{ACTIVE}"):
        assert app.get(f"{path}.json").body == app.get(path).body
    assert app.get("/v2.1/servers/.json", status=404).json == {
        "itemNotFound": {
            "code": 404,
            "message": "Instance .json could not be found.",
        }
    }


def test_a_list_in_xml_is_ids_names_and_links(
    bare_app: webtest.TestApp,
) -> None:
    url = "http://localhost"
    assert (
        bare_app.get("/v2.1/servers.xml?limit=1").text
        == f"""\
{DECLARATION}
<servers xmlns="{COMPUTE}" xmlns:atom="{ATOM}">
  <server id="{ACTIVE}" name="active">
    <atom:link rel="self" href="{url}/v2.1/servers/{ACTIVE}" />
    <atom:link rel="bookmark" href="{url}/servers/{ACTIVE}" />
  </server>
  <atom:link rel="next" \
href="{url}/v2.1/servers.xml?limit=1&amp;marker={ACTIVE}" />
</servers>"""
    )
    assert bare_app.get("/v2.1/servers.xml?limit=0").text == (
        f'{DECLARATION}\n<servers xmlns="{COMPUTE}" />'
    )


def test_a_server_in_xml_has_what_it_has_in_json(
    bare_app: webtest.TestApp,
) -> None:
    url = "http://localhost"
    path = f"/v2.1/servers/{ACTIVE}"
    server = bare_app.get(path).json["server"]
    assert (
        bare_app.get(f"{path}.xml").text
        == f"""\
{DECLARATION}
<server xmlns="{COMPUTE}" xmlns:atom="{ATOM}" id="{ACTIVE}" name="active" \
status="ACTIVE" tenantId="{fleet.PROJECT_ID}" userId="{fleet.USER_ID}" \
hostId="{server["hostId"]}" created="2025-12-31T23:59:00Z" \
updated="2025-12-31T23:59:00Z" accessIPv4="" accessIPv6="" key_name="None" \
config_drive="">
  <image />
  <flavor id="1">
    <atom:link rel="bookmark" href="{url}/flavors/1" />
  </flavor>
  <metadata />
  <addresses>
    <network id="private">
      <ip version="4" addr="10.0.0.1" />
    </network>
  </addresses>
  <atom:link rel="self" href="{url}/v2.1/servers/{ACTIVE}" />
  <atom:link rel="bookmark" href="{url}/servers/{ACTIVE}" />
</server>"""
    )
    detail = servers(bare_app.get("/v2.1/servers/detail.xml"))
    (first, *_) = detail
    assert [server.get("name") for server in detail] == NAMES
    first.tail = None
    ElementTree.indent(first)
    assert ElementTree.canonicalize(
        ElementTree.tostring(first)
    ) == ElementTree.canonicalize(
        ElementTree.tostring(root(bare_app.get(f"{path}.xml")))
    )


def test_image_and_metadata_of_a_server_are_elements() -> None:
    document = {
        "server": {
            "image": {"id": "7", "links": []},
            "metadata": {"a": "1 < 2", 'b"': ""},
        }
    }
    assert (
        xml.written(document).decode()
        == f"""\
{DECLARATION}
<server xmlns="{COMPUTE}">
  <image id="7" />
  <metadata>
    <meta key="a">1 &lt; 2</meta>
    <meta key="b&quot;" />
  </metadata>
</server>"""
    )


@pytest.mark.parametrize(
    "path",
    [
        "/v2.1/servers.xml",
        "/v2.1/servers/detail.xml",
        f"/v2.1/servers/{ACTIVE}.xml",
    ],
)
def test_the_filter_only_adds_attributes_to_xml(
    app: webtest.TestApp, bare_app: webtest.TestApp, path: str
) -> None:
    extended = app.get(path).text
    namespace = EXTENDED_STATUS["namespace"]
    assert extended.count(f' xmlns:OS-EXT-STS="{namespace}"') == 1
    assert (
        re.sub(r' (xmlns:OS-EXT-STS|OS-EXT-STS:\w+)="[^"]*"', "", extended)
        == bare_app.get(path).text
    )


@pytest.mark.parametrize("path", ["/v2.1/servers", "/v2.1/servers/detail"])
def test_servers_in_xml_have_the_states_that_they_have_in_json(
    app: webtest.TestApp, path: str
) -> None:
    in_json = app.get(path).json["servers"]
    in_xml = servers(app.get(path, headers={"Accept": "application/xml"}))
    assert len(in_xml) == len(ROWS)
    assert [
        [server.get(name) for name in XML_STATES] for server in in_xml
    ] == [[str(server[name]) for name in STATES] for server in in_json]


def test_pages_in_xml_are_followed_in_xml(app: webtest.TestApp) -> None:
    names: list[str | None] = []
    path = "/v2.1/servers.xml?limit=7"
    pages = 0
    while path:
        page = app.get(path)
        names += [server.get("name") for server in servers(page)]
        pages += 1
        link = root(page).find(f"{{{ATOM}}}link")
        path = "" if link is None else link.attrib["href"]
    assert names == NAMES
    assert pages == -(-len(ROWS) // 7)


def test_discovery_in_xml(app: webtest.TestApp) -> None:
    members = (
        'id="v2.1" status="CURRENT" version="2.1" min_version="2.1" '
        'updated="2013-07-23T11:33:21Z"'
    )
    link = '<atom:link rel="self" href="http://localhost/v2.1/" />'
    headers = {"Accept": "application/xml"}
    assert (
        app.get("/", headers=headers).text
        == f"""\
{DECLARATION}
<versions xmlns="{COMMON}" xmlns:atom="{ATOM}">
  <version {members}>
    {link}
  </version>
</versions>"""
    )
    assert (
        app.get("/v2.1/", headers=headers).text
        == f"""\
{DECLARATION}
<version xmlns="{COMMON}" xmlns:atom="{ATOM}" {members}>
  <media-types>
    <media-type base="application/json" \
type="application/vnd.openstack.compute+json;version=2.1" />
  </media-types>
  {link}
  <atom:link rel="describedby" type="text/html" \
href="https://docs.openstack.org/" />
</version>"""
    )


def test_flavors_in_xml(app: webtest.TestApp) -> None:
    extensions = "http://docs.openstack.org/compute/ext"
    links = (
        '<atom:link rel="self" href="http://localhost/v2.1/flavors/1" />',
        '<atom:link rel="bookmark" href="http://localhost/flavors/1" />',
    )
    declared = (
        f'xmlns="{COMPUTE}" xmlns:atom="{ATOM}" '
        f'xmlns:OS-FLV-DISABLED="{extensions}/flavor_disabled/api/v1.1" '
        f'xmlns:OS-FLV-EXT-DATA="{extensions}/flavor_extra_data/api/v1.1" '
        f'xmlns:os-flavor-access="{extensions}/flavor_access/api/v2"'
    )
    members = (
        'id="1" name="m1.tiny" vcpus="1" ram="512" disk="1" swap="" '
        'rxtx_factor="1.0" OS-FLV-DISABLED:disabled="False" '
        'OS-FLV-EXT-DATA:ephemeral="0" os-flavor-access:is_public="True"'
    )
    assert (
        app.get("/v2.1/flavors/1.xml").text
        == f"""\
{DECLARATION}
<flavor {declared} {members}>
  {links[0]}
  {links[1]}
</flavor>"""
    )
    assert (
        app.get("/v2.1/flavors/detail.xml").text
        == f"""\
{DECLARATION}
<flavors {declared}>
  <flavor {members}>
    {links[0]}
    {links[1]}
  </flavor>
</flavors>"""
    )
    assert (
        app.get("/v2.1/flavors.xml").text
        == f"""\
{DECLARATION}
<flavors xmlns="{COMPUTE}" xmlns:atom="{ATOM}">
  <flavor id="1" name="m1.tiny">
    {links[0]}
    {links[1]}
  </flavor>
</flavors>"""
    )


@pytest.mark.parametrize(
    ("path", "name", "code", "message"),
    [
        (
            "/v2.1/servers/none",
            "itemNotFound",
            404,
            "Instance none could not be found.",
        ),
        (
            "/v2.1/servers/%3C%C3%BC%26%00",
            "itemNotFound",
            404,
            "Instance &lt;ü&amp;\ufffd could not be found.",
        ),
        (
            "/v2.1/servers?limit=x",
            "badRequest",
            400,
            "The limit must be a whole number, not 'x'.",
        ),
        (
            "/%ff",
            "badRequest",
            400,
            "The request's URL is not UTF-8.",
        ),
    ],
)
def test_faults_in_xml_pass_the_filter_as_they_are(
    app: webtest.TestApp, path: str, name: str, code: int, message: str
) -> None:
    response = app.get(
        path, headers={"Accept": "application/xml"}, status=code
    )
    assert response.body.decode() == fault(name, code, message)


def test_a_change_by_the_api_is_a_fault_in_xml(app: webtest.TestApp) -> None:
    response = app.delete(f"/v2.1/servers/{ACTIVE}.xml", status=405)
    assert response.headers["Allow"] == "GET, HEAD"
    assert response.text == fault(
        "badMethod", 405, "The demo is read-only: DELETE is not allowed."
    )


def test_a_file_that_is_gone_is_a_fault_in_xml(
    app: webtest.TestApp, file: Path
) -> None:
    file.unlink()
    assert app.get("/v2.1/servers.xml", status=503).text == fault(
        "serviceUnavailable",
        503,
        "The demo's servers cannot be read: unable to open database file.",
    )


def test_rows_of_nulls_and_of_anything_are_servers_in_xml_too(
    app: webtest.TestApp, file: Path
) -> None:
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        database.execute("INSERT INTO instances (uuid) VALUES ('new')")
        database.execute(
            "UPDATE instances SET display_name = ? WHERE uuid = ?",
            ("<\"'&\n\x1f\uffffü😀>", ACTIVE),
        )
    server = root(app.get("/v2.1/servers/new.xml"))
    names = ["name", "created", "updated", "key_name", *XML_STATES]
    assert {server.get(name) for name in names} == {"None"}
    assert server.get("status") == "UNKNOWN"
    server = root(app.get(f"/v2.1/servers/{ACTIVE}.xml"))
    assert server.get("name") == "<\"'&\n\ufffd\ufffdü😀>"
    assert server.get(XML_STATES[0]) == "active"
