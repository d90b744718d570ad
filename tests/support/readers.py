"""The read-only database users of the documentation."""

from __future__ import annotations

import re
import textwrap
import uuid
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tests.support.databases import SERVERS, Database

PAGE = Path(__file__).parents[2] / "doc/source/admin/databases.rst"


def documented() -> dict[str, list[str]]:
    """Return the statements of each named block in the documentation."""
    blocks = re.findall(
        r"^\.\. code-block:: sql\n +:name: (\S+)\n\n((?: +.*\n|\n)+)",
        PAGE.read_text(),
        re.MULTILINE,
    )
    return {
        name: re.findall(r"[^;]+;", textwrap.dedent(block).strip())
        for name, block in blocks
    }


class Reader:
    """A database user, created with the statements of the documentation.

    :param url: the server's; by default that of all tests
    """

    def __init__(self, system: str, url: sa.engine.URL | None = None) -> None:
        self._system = system
        self._statements = documented()
        self.name = f"reader_{uuid.uuid4().hex[:12]}"
        self._server = sa.create_engine(
            url or SERVERS[system],
            poolclass=sa.pool.NullPool,
            isolation_level="AUTOCOMMIT",
        )
        with self._server.connect() as connection:
            self._run(connection, "user")

    def may_read(self, database: Database, *blocks: str) -> None:
        with database.connect() as connection:
            for block in blocks:
                self._run(connection, block)
            connection.commit()

    def url(self, database: Database, **parts: Any) -> str:
        url = sa.engine.make_url(database.url).set(
            username=self.name, password="SECRET", **parts
        )
        return url.render_as_string(hide_password=False)

    def drop(self) -> None:
        kind = "USER" if self._system == "mysql" else "ROLE"
        with self._server.connect() as connection:
            connection.execute(sa.text(f"DROP {kind} {self.name}"))

    def _run(self, connection: sa.engine.Connection, block: str) -> None:
        for statement in self._statements[f"{self._system}-{block}"]:
            words = statement.replace("nova_ext_sts", self.name)
            name = connection.engine.url.database
            if name:
                words = re.sub(r"\bnova_(cell1|api)\.", f"{name}.", words)
            connection.execute(sa.text(words))
