# SPDX-License-Identifier: Apache-2.0
"""Every option of the filter."""

from __future__ import annotations

import copy

from oslo_config import cfg, types

GROUP = "extended_status"


def _help(text: str) -> str:
    """Return paragraphs in one line each: the sample is wrapped anew."""
    paragraphs = text.strip().split("\n\n")
    return "\n\n".join(" ".join(each.split()) for each in paragraphs)


OPTS = [
    cfg.ListOpt(
        "calls",
        item_type=types.String(choices=["list", "detail", "show"]),
        default=["list", "detail", "show"],
        help=_help("""
The calls whose responses get the extended status: ``list`` (GET /servers),
``detail`` (GET /servers/detail) and ``show`` (GET /servers/{id}).

The default is what the extension's specification describes. Nova itself leaves
``list`` bare, and its response schemas and Tempest's forbid more members
there: a site that is tested against them sets ``detail,show``.
"""),
    ),
    cfg.BoolOpt(
        "announce",
        default=True,
        help=_help("""
Whether GET /extensions lists the extension once, with its real namespace, and
GET /extensions/OS-EXT-STS answers 200 where the application does not know it.
Nova itself lists a placeholder.
"""),
    ),
    cfg.StrOpt(
        "record_source",
        help=_help("""
Where the states are read: ``database`` (one database with an ``instances``
table), ``cells`` (Nova's cells v2, by way of the API database), or the name of
an entry point in the group ``nova_ext_sts.record_sources``.

Unset, it is ``database`` where only ``connection`` is set in this section,
``cells`` where an API database is known, and else ``database``.
"""),
    ),
    cfg.StrOpt(
        "connection",
        secret=True,
        help=_help("""
SQLAlchemy URL of the database that holds the instances, for example
``mysql+pymysql://reader:secret@db/nova_cell1``. Templates in Nova's cell
mappings are filled from it. Unset, it is ``[database] connection``.

The database user needs SELECT on the columns ``uuid``, ``vm_state``,
``task_state`` and ``power_state`` of ``instances``, and nothing else.
"""),
    ),
    cfg.StrOpt(
        "api_connection",
        secret=True,
        help=_help("""
SQLAlchemy URL of Nova's API database, which says in which cell each instance
is. Unset, it is ``[api_database] connection``.
"""),
    ),
    cfg.MultiStrOpt(
        "cell_connection",
        default=[],
        secret=True,
        help=_help("""
``NAME_OR_UUID=URL``: the SQLAlchemy URL with which one cell's database is read
instead of the URL in Nova's cell mapping, to use a user with fewer privileges,
or a replica. May be given once for each cell (in a paste file: one a line).
"""),
    ),
    cfg.IntOpt(
        "max_connections",
        default=5,
        min=1,
        help=_help("""
The most connections to each database that one process keeps. A lookup that
finds none free waits for one, within ``timeout``. A site needs to allow for
databases x processes x this number, and for a lookup of a few milliseconds in
each response the default does for hundreds of responses a second.
"""),
    ),
    cfg.FloatOpt(
        "timeout",
        default=5.0,
        min=0.1,
        max=3600,
        help=_help("""
The longest, in seconds, that a response waits for its records; ``on_error``
says what happens then. The default is far above what a lookup takes, and below
what clients wait. Queries to a database that does not answer in time are
suspended for 1 s, doubling up to 30 s, so that other responses do not wait.
"""),
    ),
    cfg.StrOpt(
        "on_error",
        choices=[
            (
                "omit",
                "the response goes out without the fields of the servers "
                "concerned, and the log says why, once per outage",
            ),
            ("fail", "the response is a 503 fault with Retry-After"),
        ],
        default="omit",
        help=_help("""
What becomes of a response whose records cannot be read. With the default an
API goes on that would work without the filter; clients that must not miss a
state want ``fail``, and try again.
"""),
    ),
    cfg.StrOpt(
        "missing_record",
        choices=[
            ("omit", "the server gets no fields"),
            ("null", "the server gets the fields, each with the value null"),
        ],
        default="omit",
        help=_help("""
What a server gets for which there is no instance record. With the default
clients see that nothing is known; ``null`` is for those that need the fields
to be there.
"""),
    ),
    cfg.BoolOpt(
        "overwrite",
        default=False,
        help=_help("""
Whether the records win over fields that the application gave itself. By
default the application's own stay, since they agree with the ``status`` beside
them, which was read at the same moment; only missing ones are added, and a
response that lacks none costs no lookup.
"""),
    ),
    cfg.IntOpt(
        "max_body_size",
        default=64 * 1024 * 1024,
        min=0,
        help=_help("""
The largest response body, in bytes, that is extended. A larger one passes
unchanged, and is streamed as the application produces it. The default allows
some 35,000 servers in detail, and bounds the memory of a response. XML has a
limit of its own, 8 MiB, since a hostile body of that size takes seconds to
parse.
"""),
    ),
    cfg.BoolOpt(
        "server_timing",
        default=False,
        help=_help("""
Whether extended responses get a ``Server-Timing`` header (W3C) that says how
long, in milliseconds, the filter took, for how many servers, and how many
cells it asked. Off by default, since every client sees it. The log says the
same at DEBUG.
"""),
    ),
]


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Return ``[(group, options)]``, as oslo.config's generator asks for."""
    return [(GROUP, copy.deepcopy(OPTS))]
