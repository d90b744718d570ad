# SPDX-License-Identifier: Apache-2.0
"""The options of the filter."""

from __future__ import annotations

import copy

from oslo_config import cfg, types

GROUP = "extended_status"


def _help(text: str) -> str:
    """Join the lines of each paragraph: the sample wraps them itself."""
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

The default is what the extension's specification describes. Nova itself adds
nothing to ``list``, and its response schemas and Tempest's forbid additional
members there: set ``detail,show`` if the site is tested against them.
"""),
    ),
    cfg.BoolOpt(
        "announce",
        default=True,
        help=_help("""
List the extension, with its real namespace, in GET /extensions, and answer GET
/extensions/OS-EXT-STS with 200 if the application answers 404. Nova itself
lists a placeholder.
"""),
    ),
    cfg.StrOpt(
        "record_source",
        help=_help("""
Where the states are read: ``database`` (one database with an ``instances``
table), ``cells`` (Nova's cells v2, found in the API database), or the name of
an entry point in the group ``nova_ext_sts.record_sources``.

If unset, it is ``database`` if only ``connection`` is set in this section,
otherwise ``cells`` if an API database is configured, otherwise ``database``.
"""),
    ),
    cfg.StrOpt(
        "connection",
        secret=True,
        help=_help("""
SQLAlchemy URL of the database that holds the instances, for example
``mysql+pymysql://reader:secret@db/nova_cell1``. Templates in Nova's cell
mappings are filled from it. If unset, ``[database] connection`` is used.

The database user needs SELECT on the columns ``uuid``, ``vm_state``,
``task_state`` and ``power_state`` of ``instances``, and nothing else.
"""),
    ),
    cfg.StrOpt(
        "api_connection",
        secret=True,
        help=_help("""
SQLAlchemy URL of Nova's API database, which maps instances to cells. If unset,
``[api_database] connection`` is used.
"""),
    ),
    cfg.MultiStrOpt(
        "cell_connection",
        default=[],
        secret=True,
        help=_help("""
``NAME_OR_UUID=URL``: the SQLAlchemy URL of one cell's database, which replaces
the URL in Nova's cell mapping, for example to use a replica or a user with
fewer privileges. Can be given once for each cell (in a paste file: one per
line).
"""),
    ),
    cfg.IntOpt(
        "max_connections",
        default=5,
        min=1,
        help=_help("""
The maximum number of connections of one process to each database. A lookup
that finds no free connection waits for one, within ``timeout``. The site must
allow databases x processes x this number of connections. With lookups of a few
milliseconds the default is enough for hundreds of responses a second.
"""),
    ),
    cfg.FloatOpt(
        "timeout",
        default=5.0,
        min=0.1,
        max=3600,
        help=_help("""
The maximum time, in seconds, that a response waits for its records; see
``on_error``. Queries to a database that does not answer in time are suspended
for 1 s, doubling up to 30 s, so that other responses do not wait for it.
"""),
    ),
    cfg.StrOpt(
        "on_error",
        choices=[
            (
                "omit",
                "the response is sent without the fields of the affected "
                "servers, and the reason is logged once per outage",
            ),
            ("fail", "the response is a 503 fault with Retry-After"),
        ],
        default="omit",
        help=_help("""
What happens to a response whose records cannot be read. With ``omit`` the API
works as it does without the filter. Use ``fail`` if clients must not miss a
state and retry.
"""),
    ),
    cfg.StrOpt(
        "missing_record",
        choices=[
            ("omit", "the server gets no fields"),
            ("null", "the server gets the fields, with the value null"),
        ],
        default="omit",
        help=_help("""
What happens to a server that has no instance record. Use ``null`` if clients
require the fields.
"""),
    ),
    cfg.BoolOpt(
        "overwrite",
        default=False,
        help=_help("""
Replace fields that the application has set with the values of the record. By
default the application's fields are kept, because they agree with the
``status`` beside them, and only missing fields are added; a response in which
no field is missing causes no lookup.
"""),
    ),
    cfg.IntOpt(
        "max_body_size",
        default=64 * 1024 * 1024,
        min=0,
        help=_help("""
The size, in bytes, of the largest response body that is extended. Larger
bodies pass unchanged, without buffering. The default is enough for about
35,000 servers in detail, and limits the memory of a response. XML bodies have
a fixed limit of 8 MiB, because a hostile body of that size takes seconds to
parse.
"""),
    ),
    cfg.BoolOpt(
        "server_timing",
        default=False,
        help=_help("""
Add a ``Server-Timing`` header (W3C) to extended responses, with the time that
the filter took in milliseconds, the number of servers, and the number of cells
that were queried. All clients see it. The log has the same figures at level
DEBUG.
"""),
    ),
]


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Return ``[(group, options)]`` for oslo.config's generator."""
    return [(GROUP, copy.deepcopy(OPTS))]
