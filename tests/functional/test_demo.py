# SPDX-License-Identifier: Apache-2.0
"""The command ``nova-ext-sts-demo``, and the Compute API that it serves."""

import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import webtest
from paste.deploy import loadapp

from nova_ext_sts import extension
from nova_ext_sts.demo import api, servers
from nova_ext_sts.states import LATER_STATUSES, SPECIFIED_STATUSES
from tests.support.demo import COMMAND, running, started

STATUSES = SPECIFIED_STATUSES + LATER_STATUSES
PASTE_FILE = Path(api.__file__).with_name("api-paste.ini")
WEB_1 = servers.server_id("web-1")


def get(url):
    with urllib.request.urlopen(url, timeout=30) as response:  # noqa: S310
        return json.load(response)


def states_of(server):
    return tuple(server[name] for name in extension.ATTRIBUTES)


def update(file, statement):
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        database.execute(statement)


def ended(*arguments, command=COMMAND, stdout=subprocess.PIPE, env=None):
    """Run a command; return its status, its output and the error's lines."""
    done = subprocess.run(
        [*map(str, [command, *arguments])],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
        env=env,
    )
    return done.returncode, done.stdout or "", done.stderr.splitlines()


def refusal(*arguments, **options):
    """Return the sentence with which a command refuses to start."""
    status, output, (sentence,) = ended(*arguments, **options)
    assert (status, output) == (1, "")
    return sentence


@pytest.fixture
def file(tmp_path):
    """A path that needs quoting in a shell, a URL and a paste file."""
    directory = tmp_path / "it's %(here)s #1; $HOME"
    directory.mkdir()
    return directory / "servers.sqlite"


# What the command prints.


@pytest.mark.parametrize(
    "arguments", [(), ("--all-states",), ("--without-filter",)]
)
def test_output_fits_a_terminal(arguments, tmp_path):
    with started(*arguments, f"--database={tmp_path / 'x'}") as demo:
        # But for the user's own path, and with a line for the cursor.
        lines = demo.text.replace(str(tmp_path), "").splitlines()
    assert max(map(len, lines)) < 80
    assert len(lines) < 24
    assert demo.text.isascii()


def test_proof_is_what_the_filter_adds_to_the_list(tmp_path):
    with started(f"--database={tmp_path / 'x'}") as demo:
        listed = get(f"{demo.url}/servers")["servers"]
        sizes = [
            len(urllib.request.urlopen(demo.url + path).read())  # noqa: S310
            for path in ("/servers", "/servers/detail")
        ]
    shown = [
        json.loads(text.replace("...", '"..."'))
        for text in re.findall(r"^  (\{.*?\})$", demo.text, re.M | re.S)
    ]
    bare, extended = shown[:3], shown[3:]
    assert [list(server) for server in bare] == [["id", "name", "links"]] * 3
    assert extended == [
        {**server, "id": "...", "links": "..."} for server in listed[:3]
    ]
    assert [f"{size:,}" for size in sizes] == re.findall(
        r"([\d,]+) (?:bytes )?in ", demo.text
    )


def test_printed_commands_show_and_change_a_server(file):
    with started("--database", file) as demo:
        (ask,) = re.findall("^curl .*$", demo.text, re.M)
        (change,) = re.findall("^python3 .*?(?=\n\n)", demo.text, re.M | re.S)
        output = subprocess.run(
            ["sh", "-c", f"{ask}\n{change}\n{ask}"],
            stdout=subprocess.PIPE,
            check=True,
        ).stdout.decode()
    assert re.findall("^{", output, re.M) == ["{"] * 2
    assert re.findall('task_state": (.*),$', output, re.M) == [
        "null",
        '"rebooting"',
    ]


def test_all_states_are_one_server_for_each_row_of_the_table(tmp_path):
    with started("--all-states", "--database", tmp_path / "x") as demo:
        found = get(f"{demo.url}/servers/detail")["servers"]
    assert [
        (server["status"], *states_of(server)[:2]) for server in found
    ] == list(STATUSES)


def test_without_the_filter_no_server_has_states(tmp_path):
    with started("--without-filter", "--database", tmp_path / "x") as demo:
        for path in ("/servers", "/servers/detail", f"/servers/{WEB_1}"):
            document = get(demo.url + path)
            assert "web-1" in str(document)
            assert extension.ALIAS not in str(document)


def test_start_puts_the_servers_back(tmp_path):
    file = tmp_path / "x"
    for arguments in (["--all-states"], []):
        with started(*arguments, "--database", file) as demo:
            found = get(f"{demo.url}/servers")["servers"]
            update(file, "UPDATE instances SET vm_state = 'unheard of'")
            changed = get(f"{demo.url}/servers/{found[0]['id']}")["server"]
        assert states_of(changed)[0] == "unheard of"
    assert {
        server["name"]: states_of(server) for server in found
    } == servers.SERVERS


def test_it_listens_on_ipv6(tmp_path):
    with started("--host=::1", "--database", tmp_path / "x") as demo:
        assert demo.url.startswith("http://[::1]:")
        assert len(get(f"{demo.url}/servers")["servers"]) == 10


# What ends it.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_it_silently(number, tmp_path):
    with started(f"--database={tmp_path}/x") as demo:
        assert demo.end(number) == (0, "")


def test_interrupted_import_is_silent(tmp_path):
    """Nothing that takes time is imported where Ctrl-C has a traceback."""
    for name in ("webob", "sqlalchemy", "waitress", "rich"):
        (tmp_path / f"{name}.py").write_text(
            "import time\nprint('here', flush=True)\ntime.sleep(60)\n"
        )
    with running(PYTHONPATH=str(tmp_path)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert (process.returncode, output) == (-signal.SIGINT, "")


def test_port_in_use_leaves_the_file_alone(tmp_path):
    file = tmp_path / "x"
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"{port}" in refusal("--port", port, "--database", file)
    assert not file.exists()


@pytest.mark.parametrize("address", ["--port=65536", "--host=nothing.invalid"])
def test_impossible_address_is_one_sentence(address):
    assert "--host or --port" in refusal(address)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port=x"],
        ["--live", "--all-states"],
        *(["--interval", text] for text in ("0", "-1", "nan", "inf", "soon")),
    ],
)
def test_usage_errors_exit_with_2(arguments):
    status, output, errors = ended(*arguments)
    assert (status, output) == (2, "")
    assert "error: " in errors[-1]


def test_foreign_files_are_left_alone(tmp_path):
    text, nova = tmp_path / "text", tmp_path / "nova.sqlite"
    text.write_text("not SQLite " * 100)
    update(nova, "CREATE TABLE instances (uuid)")
    for file in (text, nova, tmp_path, tmp_path / "missing" / "x"):
        before = file.is_file() and file.read_bytes()
        sentence = refusal("--port=0", "--database", file)
        assert str(file) in sentence
        assert "--database" in sentence
        assert (file.is_file() and file.read_bytes()) == before


def test_path_that_is_not_utf_8_is_one_sentence(tmp_path):
    sentence = refusal("--port=0", "--database", tmp_path / "\udcff")
    assert "--database" in sentence


def test_full_disk_is_one_sentence(tmp_path):
    # The most that a process may write, its output being pipes.
    script = f"ulimit -f 1; '{COMMAND}' --port 0 --database '{tmp_path}/x'"
    # Neither coverage nor Python may write files of their own.
    environ = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    sentence = refusal("-c", script, command="bash", env=environ)
    assert f"{tmp_path}/x" in sentence


@pytest.mark.parametrize("arguments", [[], ["--live"]])
@pytest.mark.parametrize(
    ("output", "expected"), [("/dev/full", (1, 1)), ("closed pipe", (0, 0))]
)
def test_output_that_cannot_be_written(output, expected, arguments, tmp_path):
    if output == "/dev/full":
        descriptor = os.open(output, os.O_WRONLY)
    else:
        reading, descriptor = os.pipe()
        os.close(reading)
    with os.fdopen(descriptor, "wb") as stdout:
        status, _, errors = ended(
            *("--port=0", "--database", tmp_path / "x", *arguments),
            stdout=stdout,
        )
    assert (status, len(errors)) == expected


@pytest.mark.parametrize("name", ["waitress", "rich"])
def test_missing_extra_is_one_sentence(name):
    script = (
        f"import sys; sys.modules['{name}'] = None; "
        "from nova_ext_sts.demo.command import main; sys.exit(main([]))"
    )
    sentence = refusal("-c", script, command=sys.executable)
    assert f"{name}" in sentence
    assert "nova-ext-sts[demo]" in sentence


def test_terminal_of_another_encoding_gets_escapes(tmp_path):
    with started(
        f"--database={tmp_path}/\u00fc", PYTHONIOENCODING="ascii"
    ) as demo:
        assert "\\xfc" in demo.text


# The API, with the filter and without it, as its paste file loads it.


def loaded(name, **defaults):
    return webtest.TestApp(
        loadapp(f"config:{PASTE_FILE}", name, global_conf=defaults)
    )


@pytest.fixture
def app(file):
    return loaded("demo", demo_connection=f"sqlite:///{file}")


@pytest.fixture
def bare_app(file):
    return loaded("demo_without_filter", demo_connection=f"sqlite:///{file}")


def test_paste_file_runs_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = loaded("demo").get("/v2.1/servers").json["servers"]
    assert {
        server["name"]: states_of(server) for server in found
    } == servers.SERVERS
    assert len(set(servers.SERVERS.values())) == len(found) == 10
    assert [file.name for file in tmp_path.iterdir()] == [
        "nova-ext-sts-demo.sqlite"
    ]


def test_api_describes_itself(app):
    (version,) = app.get("/").json["versions"]
    (link,) = version["links"]
    assert link == {"rel": "self", "href": "http://localhost/v2.1/"}
    for path in ("/v2.1", "/v2.1/"):
        assert app.get(path).json == {"version": version}


def test_list_detail_and_show_agree(app):
    detail = app.get("/v2.1/servers/detail").json["servers"]
    for server in detail:
        path = f"/v2.1/servers/{server['id']}"
        assert app.get(path).json == {"server": server}
        assert [link["href"] for link in server["links"]] == [
            f"http://localhost{path}",
            f"http://localhost/servers/{server['id']}",
        ]
    members = ["id", "name", "links", *extension.ATTRIBUTES]
    assert app.get("/v2.1/servers").json["servers"] == [
        {name: server[name] for name in members} for server in detail
    ]


def test_extension_is_announced_by_the_filter_alone(app, bare_app):
    own, ours = "OS-DCF", extension.ALIAS
    for found, aliases in ((bare_app, [own]), (app, [own, ours])):
        entries = found.get("/v2.1/extensions").json["extensions"]
        assert [entry["alias"] for entry in entries] == aliases
    app.get(f"/v2.1/extensions/{own}", status=200)
    bare_app.get(f"/v2.1/extensions/{ours}", status=404)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("limit=0", []),
        ("limit=999999999", list(servers.SERVERS)),
        ("name=web", ["web-1", "web-2"]),
        ("name=web&limit=1", ["web-1"]),
        (f"name=web&marker={WEB_1}", ["web-2"]),
        (f"marker={servers.server_id('archive-1')}", []),
        ("status=ACTIVE&all_tenants=1", list(servers.SERVERS)),
    ],
)
def test_query_chooses_servers(query, names, bare_app):
    page = bare_app.get(f"/v2.1/servers?{query}").json
    assert [server["name"] for server in page["servers"]] == names
    assert ("servers_links" in page) == query.endswith("limit=1")


@pytest.mark.parametrize(
    ("method", "path", "fault", "status"),
    [
        ("GET", "/v2.1/servers/none", "itemNotFound", 404),
        ("GET", "/v2.1/flavors", "itemNotFound", 404),
        ("GET", "/v2.1/servers?limit=-1", "badRequest", 400),
        ("GET", "/v2.1/servers?limit=1000000000", "badRequest", 400),
        ("GET", "/v2.1/servers/detail?marker=none", "badRequest", 400),
        ("GET", "/v2.1/servers?name=%ff", "badRequest", 400),
        ("GET", "/%ff", "badRequest", 400),
        ("DELETE", f"/v2.1/servers/{WEB_1}", "badMethod", 405),
    ],
)
def test_fault_is_the_apis_own(method, path, fault, status, app, bare_app):
    passed, own = (
        each.request(path, method=method, status=status)
        for each in (app, bare_app)
    )
    assert passed.json[fault]["code"] == status
    assert passed.body == own.body
    assert ("Allow" in passed.headers) == (status == 405)


def test_lost_file_is_a_fault(app, file):
    file.unlink()
    response = app.get("/v2.1/servers", status=503)
    assert response.json["serviceUnavailable"]["code"] == 503
    assert not file.exists()


def test_any_row_is_a_server(app, file):
    update(file, "INSERT INTO instances (uuid) VALUES ('new')")
    server = app.get("/v2.1/servers/new").json["server"]
    assert (server["name"], server["status"]) == (None, "UNKNOWN")
    assert states_of(server) == (None, None, None)
    assert len(app.get("/v2.1/servers?name=").json["servers"]) == 11
