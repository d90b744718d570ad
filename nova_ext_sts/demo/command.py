# SPDX-License-Identifier: Apache-2.0
"""The command ``nova-ext-sts-demo``: the filter, to be seen at work.

It serves the pipeline ``demo`` of the package's api-paste.ini.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.resources
import math
import os
import re
import signal
import socket
import sys
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING

from paste.deploy import loadapp

from nova_ext_sts.demo import fleet, greeting, living, walk
from nova_ext_sts.demo.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from types import ModuleType

    from _typeshed.wsgi import WSGIApplication

PROGRAM = "nova-ext-sts-demo"
DATABASE = "nova-ext-sts-demo.sqlite"

#: How long a step lasts, in seconds, unless the user says so.
INTERVAL = 4.0
_SHORTEST, _LONGEST = 0.01, 3600


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
    except (_Refusal, fleet.UnusableFile) as refusal:
        print(f"{PROGRAM}: {refusal}", file=sys.stderr)
        return 1
    return 0


class _Refusal(Exception):
    """Why the demo does not run, in one sentence."""


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
    parser.add_argument(
        "--live",
        action="store_true",
        help="let the servers live: their states come and go, step by step; "
        "the next start puts them back",
    )
    parser.add_argument(
        "--interval",
        type=_interval,
        metavar="SECONDS",
        help=f"how long a step of --live lasts ({INTERVAL:g})",
    )
    arguments = parser.parse_args(argv)
    if arguments.interval is not None and not arguments.live:
        parser.error("--interval is for --live alone")
    return arguments


def _port(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


def _interval(text: str) -> float:
    try:
        interval = float(text)
    except ValueError:
        interval = math.nan
    if not _SHORTEST <= interval <= _LONGEST:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of seconds from {_SHORTEST:g} to "
            f"{_LONGEST:g}"
        )
    return interval


def _run(arguments: argparse.Namespace) -> None:
    waitress = _extra("waitress")
    has_screen = arguments.live and _is_terminal()
    if has_screen:
        _extra("rich")
    path = arguments.database.absolute()
    # Before anything is made. Who connects early waits for the server.
    with _listening(arguments.host, arguments.port) as listener:
        connection = fleet.connection(path)
        made = fleet.make(path)
        application = pipeline(
            connection, without_filter=arguments.without_filter
        )
        url = _url(arguments.host, listener.getsockname()[1])
        life: AbstractContextManager[None] = contextlib.nullcontext()
        if arguments.live:
            application = turns = living.Turns(application)
            fleet.change(path, walk.beginnings(), turns.step())
            interval = arguments.interval or INTERVAL
            display = _screen(url, interval) if has_screen else Lines()
            life = living.living(turns, url, path, interval, display)
        servers = living.servers(application, url)
        text = [greeting.summary(servers, path, made=made)]
        if not has_screen:
            text += greeting.lines(
                servers,
                url,
                greeting.to_watch(url)
                if arguments.live
                else greeting.to_change(servers, url, path),
                without_filter=arguments.without_filter,
            )
        server = waitress.create_server(application, sockets=[listener])
        # At once, for whoever waits for it at the other end of a pipe.
        print(*text, sep="\n", flush=True)
        try:
            with life:
                server.run()
        finally:
            server.close()


def _extra(name: str) -> ModuleType:
    """Return a module of the extra "demo"."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise _Refusal(
            f"{name} is not installed: pip install 'nova-ext-sts[demo]'."
        ) from None


def _is_terminal() -> bool:
    """Say whether there is a terminal on which a table can stay in place."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in (
        "",
        "dumb",
        "unknown",
    )


def _screen(url: str, interval: float) -> living.Display:
    # Without the extra, the rest runs.
    from nova_ext_sts.demo.screen import Screen

    foot = [line for line in greeting.to_watch(url) if line]
    return Screen(greeting.endpoint(url), foot, interval)


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
