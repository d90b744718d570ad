# SPDX-License-Identifier: Apache-2.0
"""What a database user may do, and whether that is more than is needed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    Rows = Sequence[Sequence[Any]]

#: The columns that may be read, by database and table.
Needed = Mapping[tuple[str, str], frozenset[str]]

_TABLE = re.compile(r"SELECT (?P<columns>.+?) FROM (?P<table>\w+)")
_GRANT = re.compile(r"GRANT (?P<privileges>.+?) ON (?P<object>.+?) TO ")
_ROLE = re.compile(r"GRANT (?P<role>.+?) TO ")
_PRIVILEGE = re.compile(r"\s*([A-Z ]+?)\s*(?:\(([^)]*)\))?\s*(?:,|$)")


class Question(NamedTuple):
    """A statement, and what its rows say of too many privileges."""

    select: str
    excess: Callable[[Rows, Needed, str], Iterator[str]]


def needed(selects: Iterable[tuple[str, str]]) -> Needed:
    """Return the columns that statements read.

    :param selects: the name of a database, and a SELECT of columns there
    """
    columns: dict[tuple[str, str], frozenset[str]] = {}
    for database, select in selects:
        match = _TABLE.match(select)
        if match:
            where = (database, match["table"])
            names = frozenset(re.findall(r"\w+", match["columns"]))
            # What is compared with, too.
            names |= frozenset(re.findall(r"WHERE (\w+)", select))
            columns[where] = columns.get(where, frozenset()) | names
    return columns


def _excess_of_grants(
    rows: Rows, needed: Needed, database: str
) -> Iterator[str]:
    """Yield what MariaDB's or MySQL's SHOW GRANTS has too much."""
    for (line,) in rows:
        # What follows may hold the hash of a password.
        grant = _GRANT.match(line)
        if grant is None:
            role = _ROLE.match(line)
            if role:
                yield f"whatever the role {role['role']} may"
            continue
        where = re.sub('[`"]', "", grant["object"])
        schema, _, table = where.partition(".")
        allowed = needed.get((schema, table), frozenset())
        for privilege, columns in _PRIVILEGE.findall(grant["privileges"]):
            if privilege in ("", "USAGE"):
                continue
            names = set(re.findall(r"[^`\",\s]+", columns))
            if privilege != "SELECT" or not names:
                yield f"{privilege} on {where}"
            elif names - allowed:
                more = ", ".join(sorted(names - allowed))
                yield f"SELECT ({more}) on {where}"
        if line.endswith(" WITH GRANT OPTION"):
            yield f"GRANT OPTION on {where}"


def _excess_of_role(
    rows: Rows, needed: Needed, database: str
) -> Iterator[str]:
    """Yield what a PostgreSQL role may do everywhere."""
    for (attribute,) in rows:
        yield attribute


def _excess_of_tables(
    rows: Rows, needed: Needed, database: str
) -> Iterator[str]:
    """Yield what a PostgreSQL role may do to each table."""
    for table, by_column, by_table, columns in rows:
        for privilege in (*(by_column or ()), *(by_table or ())):
            yield f"{privilege} on {table}"
        more = sorted(
            set(columns or ()) - needed.get((database, table), frozenset())
        )
        if more:
            yield f"SELECT ({', '.join(more)}) on {table}"


_POSTGRESQL = (
    Question(
        "SELECT a.attribute FROM pg_roles r, LATERAL (VALUES "
        "('SUPERUSER', r.rolsuper), ('CREATEROLE', r.rolcreaterole), "
        "('CREATEDB', r.rolcreatedb), ('REPLICATION', r.rolreplication), "
        "('BYPASSRLS', r.rolbypassrls)"
        ") AS a (attribute, has) "
        "WHERE r.rolname = CURRENT_USER AND a.has "
        "UNION ALL SELECT 'whatever the role ' || m.rolname || ' may' "
        "FROM pg_roles m WHERE m.rolname <> CURRENT_USER "
        "AND pg_has_role(CURRENT_USER, m.oid, 'MEMBER')",
        _excess_of_role,
    ),
    Question(
        # Of every table that is not PostgreSQL's own. One in another schema
        # than those that a statement finds has its schema before its name.
        "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname "
        "ELSE n.nspname || '.' || c.relname END, "
        "(SELECT array_agg(p.name) FROM (VALUES "
        "('INSERT'), ('UPDATE'), ('REFERENCES')) AS p (name) "
        "WHERE has_any_column_privilege(c.oid, p.name)), "
        "(SELECT array_agg(p.name) FROM (VALUES "
        "('DELETE'), ('TRUNCATE'), ('TRIGGER')) AS p (name) "
        "WHERE has_table_privilege(c.oid, p.name)), "
        "(SELECT array_agg(CAST(a.attname AS text)) FROM pg_attribute a "
        "WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
        "AND has_column_privilege(c.oid, a.attnum, 'SELECT')) "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') "
        "AND left(n.nspname, 3) <> 'pg_' "
        "AND n.nspname <> 'information_schema' "
        "AND has_schema_privilege(n.oid, 'USAGE') ORDER BY 1",
        _excess_of_tables,
    ),
)
_MYSQL = (Question("SHOW GRANTS", _excess_of_grants),)

#: What to ask, by SQLAlchemy's name of the system. SQLite has no users.
QUESTIONS = {
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "postgresql": _POSTGRESQL,
    "sqlite": (),
}
