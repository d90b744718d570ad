"""Record sources, and Nova's cells as their databases, for the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

    def add(self, server: str, cell: int | None) -> None:
        self.api.insert(
            INSTANCE_MAPPINGS, {"instance_uuid": server, "cell_id": cell}
        )

    def add_request(self, server: str, instance: str | None) -> None:
        self.api.insert(
            BUILD_REQUESTS, {"instance_uuid": server, "instance": instance}
        )

    def source(self, **options: Any) -> RecordSource:
        return source(api_connection=self.api.url, **options)
