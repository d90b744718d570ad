# SPDX-License-Identifier: Apache-2.0
"""The command ``nova-ext-sts-demo``: the filter, to be seen at work.

It serves the pipeline ``demo`` of the package's api-paste.ini.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.resources
import os
import re
import shlex
import shutil
import signal
import socket
import sys
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import webob
from paste.deploy import loadapp

from nova_ext_sts import extension
from nova_ext_sts.demo import fleet
from nova_ext_sts.states import POWER_STATES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from _typeshed.wsgi import WSGIApplication

    Row = Sequence[str]

PROGRAM = "nova-ext-sts-demo"
DATABASE = "nova-ext-sts-demo.sqlite"

_HEADING = ("NAME", "STATUS", "VM_STATE", "TASK_STATE", "POWER")

#: The widths of the columns in a terminal of 80, one space apart. What is
#: wider goes on in the next line: no five columns that hold the longest of
#: the states would fit.
_NARROW = (24, 13, 12, 17, 9)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo until it is interrupted, and return the exit status."""
    # Ended by whatever ends a service as by Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    arguments = _arguments(argv)
    try:
        # waitress takes the interrupt for itself: what comes through here
        # came before it served.
        with contextlib.suppress(KeyboardInterrupt):
            _run(arguments)
    except _Refusal as refusal:
        print(f"{PROGRAM}: {refusal}", file=sys.stderr)
        return 1
    return 0


class _Refusal(Exception):
    """Why the demo cannot start, in one sentence."""


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description=(
            "Serve a small Compute API, with one server for every server "
            "status, behind the filter that adds the extended status."
        ),
        epilog="A change in the database shows in the next response.",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (%(default)s)",
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=8774,
        help="port to listen on, 0 for any free one (%(default)s)",
    )
    parser.add_argument(
        "--database",
        type=Path,
        metavar="FILE",
        default=DATABASE,
        help="SQLite file with the servers, made where absent (%(default)s)",
    )
    parser.add_argument(
        "--without-filter",
        action="store_true",
        help="leave the filter out, to see the difference",
    )
    return parser.parse_args(argv)


def _port(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


def _run(arguments: argparse.Namespace) -> None:
    try:
        waitress = importlib.import_module("waitress")
    except ImportError:
        raise _Refusal(
            "waitress is not installed: pip install 'nova-ext-sts[demo]'."
        ) from None
    path = arguments.database.absolute()
    # Before anything is made. Who connects early waits for the server.
    with _listening(arguments.host, arguments.port) as listener:
        try:
            connection = fleet.connection(path)
            made = fleet.make(path)
        except fleet.UnusableFile as error:
            raise _Refusal(str(error)) from error
        application = pipeline(
            connection, without_filter=arguments.without_filter
        )
        url = _url(arguments.host, listener.getsockname()[1])
        text = "\n".join(
            _greeting(application, url, path, arguments, made=made)
        )
        server = waitress.create_server(application, sockets=[listener])
        # At once, for whoever waits for it at the other end of a pipe.
        print(text, flush=True)
        try:
            server.run()
        finally:
            server.close()


def pipeline(
    connection: str, *, without_filter: bool = False
) -> WSGIApplication:
    """Return the demo's pipeline, from the package's api-paste.ini.

    :param connection: the SQLAlchemy URL of the file with the servers
    """
    name = "demo_without_filter" if without_filter else "demo"
    paste_ini = importlib.resources.files(__package__) / "api-paste.ini"
    with importlib.resources.as_file(paste_ini) as file:
        application: WSGIApplication = loadapp(
            f"config:{urllib.parse.quote(str(file.absolute()))}",
            name=name,
            global_conf={"demo_connection": connection},
        )
    return application


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.getaddrinfo(host, port, family)
    except (OSError, UnicodeError) as error:
        raise _Refusal(f"{host} is not a host to listen on.") from error
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        # The error's own text has the address a second time.
        raise _Refusal(
            f"Cannot listen on {host} port {port}: "
            f"{os.strerror(error.errno or 0)}; choose another with "
            "--port or --host."
        ) from error


def _url(host: str, port: int) -> str:
    return (
        f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    )


def _greeting(
    application: WSGIApplication,
    url: str,
    path: Path,
    arguments: argparse.Namespace,
    *,
    made: bool,
) -> Iterator[str]:
    """Yield the lines that say what is served, and what to try."""
    response = webob.Request.blank(
        "/v2.1/servers/detail", base_url=url
    ).get_response(application)
    servers = response.json["servers"]
    yield f"{'Made' if made else 'Kept'} {len(servers)} servers in {path}"
    yield ""
    yield from _table([_HEADING, *map(_row, servers)])
    yield ""
    if arguments.without_filter:
        yield "The filter is left out: the fields are missing."
        yield ""
    for server in servers[:1]:
        yield "List the servers, and show one:"
        yield ""
        yield f"curl {url}/v2.1/servers"
        yield f"curl {url}/v2.1/servers/{server['id']}"
        yield ""
        yield "Change its states, and show it again:"
        yield ""
        yield f'{_sql_command()} {shlex.quote(str(path))} "'
        yield "  UPDATE instances SET task_state = 'rebooting'"
        yield f"  WHERE uuid = '{server['id']}'\""
        yield ""
    # Last: who waits for this line has seen everything.
    yield f"The Compute API is at {url}/v2.1 (Ctrl-C ends it)"


def _row(server: dict[str, Any]) -> Row:
    """Return a server's line of the table, as a client sees the server."""
    vm_state, task_state, power_state = (
        server.get(name, "(missing)") for name in extension.ATTRIBUTES
    )
    return [
        "-" if value is None else str(value)
        for value in (
            server["name"],
            server["status"],
            vm_state,
            task_state,
            POWER_STATES.get(power_state, power_state),
        )
    ]


def _table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of a table that fits the terminal."""
    widths: Sequence[int] = [
        max(map(len, column)) for column in zip(*rows, strict=True)
    ]
    gap = "  "
    # Where there is no terminal, every server has a line of its own, for
    # grep and the like.
    columns = shutil.get_terminal_size((0, 0)).columns
    if 0 < columns < sum(widths) + len(gap) * (len(widths) - 1):
        widths, gap = _NARROW, " "
    for row in rows:
        cells = [
            _folded(cell, width)
            for cell, width in zip(row, widths, strict=True)
        ]
        for number in range(max(map(len, cells))):
            line = gap.join(
                (cell[number] if number < len(cell) else "").ljust(width)
                for cell, width in zip(cells, widths, strict=True)
            )
            yield line.rstrip()


def _folded(cell: str, width: int) -> Row:
    """Return a cell's lines, broken behind hyphens and underscores."""
    lines = [""]
    for piece in re.findall(r"[^-_]*[-_]|[^-_]+", cell):
        if lines[-1] and len(lines[-1]) + len(piece) > width:
            lines.append("")
        lines[-1] += piece
    return lines


def _sql_command() -> str:
    """Return what runs SQL here, given a SQLite file and a statement."""
    if shutil.which("sqlite3"):
        return "sqlite3"
    return (
        f"{shlex.quote(sys.executable)} -c 'import sqlite3, sys\n"
        "sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])' \\\n"
    )
