# SPDX-License-Identifier: Apache-2.0
"""Serves the demo's pipeline, and prints what the filter does.

The pipelines ``demo`` and ``demo_without_filter`` are in api-paste.ini, in
this directory.
"""

from __future__ import annotations

import json
import logging
import shlex
import signal
import socket
import sys
import textwrap
import threading
import time
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import waitress
import webob
from paste.deploy import loadapp
from sqlalchemy.engine import URL

from nova_ext_sts.demo import live, servers

if TYPE_CHECKING:
    import argparse

    from _typeshed.wsgi import WSGIApplication

PASTE_FILE = Path(__file__).with_name("api-paste.ini")

GREETING = """\
GET /servers?limit=3 without the filter:
{bare}
GET /servers?limit=3 with the filter:
{extended}

{count} servers: {listed:,} bytes in GET /servers with states, \
{detailed:,} in /servers/detail

Get one server in a second terminal:
curl -s '{url}/servers?name={name}' | python3 -m json.tool
Change its record, and get it again:
python3 -c "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(\\
'UPDATE instances SET task_state = \\'rebooting\\' WHERE id = 1')" \\
{database}
"""


def run(arguments: argparse.Namespace) -> None:
    """Serve until the process is interrupted.

    :raises OSError: the output cannot be written
    :raises FileExistsError, UnicodeError, sqlite3.Error: as ``servers.make``
    """
    # Before the file is made: the demo that has the port may use it.
    listener = _listening(arguments.host, arguments.port)
    host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    url = f"http://{host}:{listener.getsockname()[1]}/v2.1"
    servers.make(
        arguments.database,
        servers.ALL_STATES if arguments.all_states else servers.SERVERS,
    )
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
    if arguments.live:
        print(live.SUGGESTION.format(url=url))
    else:
        print(_greeting(extended, bare, url, arguments.database))
    if arguments.without_filter:
        print("This API is served without the filter.")
    # At once: a script can wait for this line.
    print(live.ENDPOINT.format(url=url), flush=True)
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
            f"nova-ext-sts-demo: Cannot listen: {error}; choose another "
            "address with --host or --port."
        )


def _pipeline(name: str, database: Path) -> WSGIApplication:
    """Return a pipeline of the paste file, with the demo's servers."""
    connection = URL.create("sqlite", database=str(database))
    application: WSGIApplication = loadapp(
        f"config:{urllib.parse.quote(str(PASTE_FILE))}",
        name=name,
        global_conf={"demo_connection": connection.render_as_string()},
    )
    return application


def _greeting(
    extended: WSGIApplication, bare: WSGIApplication, url: str, database: Path
) -> str:
    """Return the proof that the filter works, and commands to try."""

    def body(application: WSGIApplication, path: str) -> Any:
        return webob.Request.blank(url + path).get_response(application).body

    def first_three(application: WSGIApplication) -> str:
        document = json.loads(body(application, "/servers?limit=3"))
        return "\n".join(map(_abridged, document["servers"]))

    listed = body(extended, "/servers")
    found = json.loads(listed)["servers"]
    return GREETING.format(
        bare=first_three(bare),
        extended=first_three(extended),
        count=len(found),
        listed=len(listed),
        detailed=len(body(extended, "/servers/detail")),
        url=url,
        name=found[0]["name"],
        # For another directory, too.
        database=shlex.quote(str(database.resolve())),
    )


def _abridged(server: dict[str, Any]) -> str:
    """Return a server as JSON, with ... for the longest values."""
    text = json.dumps(
        {**server, "id": "...", "links": "..."}, separators=(", ", ":")
    )
    return textwrap.fill(
        text.replace('"..."', "..."),
        79,
        initial_indent="  ",
        subsequent_indent="   ",
        break_on_hyphens=False,
    )
