# SPDX-License-Identifier: Apache-2.0
"""What the demo says when it starts: what it serves, and what to try."""

from __future__ import annotations

import shlex
import shutil
import sys
from typing import TYPE_CHECKING, Any

from nova_ext_sts.demo import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    Server = dict[str, Any]


def summary(servers: Sequence[Server], path: Path, *, made: bool) -> str:
    """Return the line that says which servers there are."""
    return f"{'Made' if made else 'Kept'} {len(servers)} servers in {path}"


def lines(
    servers: Sequence[Server],
    url: str,
    to_try: Iterable[str],
    *,
    without_filter: bool,
) -> Iterator[str]:
    """Yield the lines below the summary.

    :param servers: in detail, as a client has them
    :param to_try: what the user may do now
    """
    yield ""
    yield from table.lines([table.HEADING, *map(table.row, servers)])
    yield ""
    if without_filter:
        yield "The filter is left out: the fields are missing."
        yield ""
    yield from to_try
    # Last: who waits for this line has seen everything.
    yield endpoint(url)


def endpoint(url: str) -> str:
    """Return the line that says where they are served."""
    return f"The Compute API is at {url}/v2.1 (Ctrl-C ends it)"


def to_change(
    servers: Sequence[Server], url: str, path: Path
) -> Iterator[str]:
    """Yield how to ask for a server, and how to change it."""
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


def to_watch(url: str) -> Iterator[str]:
    """Yield how to watch the servers with a client.

    Each line fits a terminal of 80, so that it can be copied from there.
    """
    yield "Watch them in a second terminal, with python-openstackclient:"
    yield ""
    yield "export OS_AUTH_TYPE=none OS_IDENTITY_API_VERSION=3"
    yield f"export OS_ENDPOINT={url}/v2.1"
    yield "columns=\"-c Name -c Status -c 'Task State' -c 'Power State'\""
    # One word: watch hands it to a shell.
    yield 'watch "openstack server list --long --max-width 80 $columns"'
    yield ""


def _sql_command() -> str:
    """Return what runs SQL here, given a SQLite file and a statement."""
    if shutil.which("sqlite3"):
        return "sqlite3"
    return (
        f"{shlex.quote(sys.executable)} -c 'import sqlite3, sys\n"
        "sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])' \\\n"
    )
