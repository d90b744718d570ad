# SPDX-License-Identifier: Apache-2.0
"""The command ``nova-ext-sts-demo``.

It serves the pipeline ``demo`` of api-paste.ini, in this directory.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import shlex
import signal
import socket
import sqlite3
import sys
import textwrap
import threading
import time
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from _typeshed.wsgi import WSGIApplication

PROGRAM = "nova-ext-sts-demo"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo until it is interrupted, and return the exit status."""
    # Until it serves, Ctrl-C ends the process at once, as SIGTERM does.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    arguments = _parser().parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Paths and names can have characters that the terminal lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        _run(arguments)
    except (KeyboardInterrupt, BrokenPipeError):
        return 0
    except ModuleNotFoundError as error:
        problem = f"{error.name} is missing: pip install 'nova-ext-sts[demo]'."
    except (FileExistsError, sqlite3.Error) as error:
        problem = (
            f"Cannot use {arguments.database}: {error}; choose another file "
            "with --database."
        )
    except OSError as error:
        problem = f"Cannot go on: {error}."
    finally:
        _flush()
    print(f"{PROGRAM}: {problem}", file=sys.stderr)
    return 1


def _flush() -> None:
    """Write what is buffered, or drop it: Python would fail in the end."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Serve a small Compute API behind the filter, and show "
        "what the filter adds to GET /servers.",
    )
    servers = parser.add_mutually_exclusive_group()
    servers.add_argument(
        "--all-states",
        action="store_true",
        help="serve one server for each server status, instead of ten",
    )
    servers.add_argument(
        "--live",
        action="store_true",
        help="change the servers' states as Nova does, and show them",
    )
    parser.add_argument(
        "--interval",
        type=seconds,
        default=2,
        metavar="SECONDS",
        help="time between two changes with --live (%(default)s)",
    )
    parser.add_argument(
        "--without-filter",
        action="store_true",
        help="serve the same API without the filter",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (%(default)s)",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=8774,
        help="port to listen on, or 0 for any free one (%(default)s)",
    )
    parser.add_argument(
        "--database",
        type=Path,
        metavar="FILE",
        default=f"{PROGRAM}.sqlite",
        help="SQLite file with the servers; each start makes them anew "
        "(%(default)s)",
    )
    return parser


def seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 3600:
        raise ValueError
    return seconds


def _run(arguments: argparse.Namespace) -> None:
    # Imported here, where Ctrl-C is silent: they take most of the start.
    import rich  # noqa: F401
    import waitress

    from nova_ext_sts.demo import live
    from nova_ext_sts.demo.servers import ALL_STATES, SERVERS, make

    # Before the file is made: the demo that has the port may use it.
    listener = _listening(arguments.host, arguments.port)
    host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    url = f"http://{host}:{listener.getsockname()[1]}/v2.1"
    make(arguments.database, ALL_STATES if arguments.all_states else SERVERS)
    extended = _pipeline("demo", arguments.database)
    bare = _pipeline("demo_without_filter", arguments.database)
    server = waitress.create_server(
        bare if arguments.without_filter else extended, sockets=[listener]
    )
    # Warnings that a request is queued would end up in the table.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    # A daemon thread ends with the process.
    threading.Thread(target=server.run, daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    text = (
        live.suggestion(url)
        if arguments.live
        else _greeting(extended, bare, url, arguments.database)
    )
    print(*text, sep="\n")
    if arguments.without_filter:
        print("This API is served without the filter.")
    # At once: a script can wait for this line.
    print(live.endpoint(url), flush=True)
    if arguments.live:
        live.run(url, arguments.database, arguments.interval)
    while True:
        # Not for ever: a signal just before a pause does not end it.
        time.sleep(1)


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError, UnicodeError) as error:
        sys.exit(
            f"{PROGRAM}: Cannot listen: {error}; choose another address with "
            "--host or --port."
        )


def _pipeline(name: str, database: Path) -> WSGIApplication:
    """Return a pipeline of the paste file, with the demo's servers."""
    from paste.deploy import loadapp
    from sqlalchemy.engine import URL

    paste_file = Path(__file__).with_name("api-paste.ini")
    connection = URL.create("sqlite", database=str(database))
    application: WSGIApplication = loadapp(
        f"config:{urllib.parse.quote(str(paste_file))}",
        name=name,
        global_conf={"demo_connection": connection.render_as_string()},
    )
    return application


def _greeting(
    extended: WSGIApplication, bare: WSGIApplication, url: str, database: Path
) -> Iterator[str]:
    """Yield the proof that the filter works, and commands to try."""
    import webob

    def body(application: WSGIApplication, path: str) -> bytes:
        request = webob.Request.blank(url + path)
        content: bytes = request.get_response(application).body
        return content

    for application, heading in (
        (bare, "GET /servers?limit=3 without the filter:"),
        (extended, "GET /servers?limit=3 with the filter:"),
    ):
        yield heading
        document = json.loads(body(application, "/servers?limit=3"))
        yield from map(_abridged, document["servers"])
    plain, detail = (
        body(extended, path) for path in ("/servers", "/servers/detail")
    )
    first, *others = json.loads(plain)["servers"]
    yield ""
    yield (
        f"Bytes for all {len(others) + 1} servers: GET /servers "
        f"{len(plain):,}, GET /servers/detail {len(detail):,}"
    )
    yield ""
    yield "Get one server in a second terminal:"
    yield (
        f"curl -s '{url}/servers?name={first['name']}' | python3 -m json.tool"
    )
    yield "Change its record, and get it again:"
    yield "\n".join(
        (
            'python3 -c "import sqlite3, sys; '
            "sqlite3.connect(sys.argv[1]).executescript(\\",
            "'UPDATE instances SET task_state = \\'rebooting\\' "
            "WHERE id = 1')\" \\",
            shlex.quote(str(database)),
        )
    )
    yield ""


def _abridged(server: dict[str, Any]) -> str:
    """Return a server as JSON, with "..." for the longest values."""
    members = (
        f"{json.dumps(name)}:"
        f"{'...' if name in ('id', 'links') else json.dumps(value)}"
        for name, value in server.items()
    )
    return textwrap.fill(
        f"{{{', '.join(members)}}}",
        79,
        initial_indent="  ",
        subsequent_indent="   ",
        break_on_hyphens=False,
    )
