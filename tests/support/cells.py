"""Record sources, and Nova's cells as their databases, for the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from oslo_config import cfg

from nova_ext_sts import settings
from nova_ext_sts.records import load
from tests.support.databases import (
    BUILD_REQUESTS,
    CELL_MAPPINGS,
    INSTANCE_MAPPINGS,
    Database,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nova_ext_sts.records import RecordSource

CELL0 = "00000000-0000-0000-0000-000000000000"


def source(conf: cfg.ConfigOpts | None = None, **options: Any) -> RecordSource:
    """Return a record source of these options.

    :param conf: what the service's configuration files say
    """
    return load(settings.read(conf or cfg.ConfigOpts(), options))


class Cells:
    """An API database and two cells, as Nova keeps them."""

    def __init__(self, new_database: Callable[[], Database]) -> None:
        self.api = new_database()
        self.cells = {name: new_database() for name in ("cell0", "cell1")}
        for number, (name, cell) in enumerate(self.cells.items(), 1):
            self.add_cell(number, name, cell.url)

    @classmethod
    def in_sqlite(cls, directory: Path) -> Cells:
        names = iter(("api", "cell0", "cell1"))
        url = sa.engine.make_url(f"sqlite:///{directory}")
        return cls(
            lambda: Database(url.set(database=f"{directory}/{next(names)}"))
        )

    def add_cell(
        self, number: int, name: str | None, url: str, uuid: str | None = None
    ) -> None:
        self.api.insert(
            CELL_MAPPINGS,
            {
                "id": number,
                "uuid": uuid or f"{CELL0[:-1]}{number - 1}",
                "name": name,
                "database_connection": url,
            },
        )

    def move_cell(self, number: int, url: str) -> None:
        """Replace a cell's URL in its mapping."""
        self.api.execute(
            "UPDATE cell_mappings SET database_connection = :url "
            "WHERE id = :number",
            url=url,
            number=number,
        )

    def add(
        self, server: str, cell: int | None, *states: str | int | None
    ) -> None:
        """Map a server, with its states in that cell if they are given."""
        self.api.insert(
            INSTANCE_MAPPINGS, {"instance_uuid": server, "cell_id": cell}
        )
        if states and cell:
            database = list(self.cells.values())[cell - 1]
            database.insert_instances([(server, *states)])  # type: ignore[list-item]

    def add_request(self, server: str, instance: str | None) -> None:
        self.api.insert(
            BUILD_REQUESTS, {"instance_uuid": server, "instance": instance}
        )

    def source(self, **options: Any) -> RecordSource:
        return source(api_connection=self.api.url, **options)
