# SPDX-License-Identifier: Apache-2.0
"""The command ``nova-ext-sts-demo``."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        # Imported here, where Ctrl-C is silent: it takes most of the start.
        from nova_ext_sts.demo import serving

        serving.run(arguments)
    except (KeyboardInterrupt, BrokenPipeError):
        return 0
    except ModuleNotFoundError as error:
        problem = f"{error.name} is missing: pip install 'nova-ext-sts[demo]'."
    except (FileExistsError, UnicodeError, sqlite3.Error) as error:
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
        help="serve one server for each row of the table of statuses",
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
