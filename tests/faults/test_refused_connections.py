"""Databases that refuse connections, under load: responses cost no more."""

from __future__ import annotations

import contextlib
import json
import socket
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from nova_ext_sts import filter_factory
from tests.support.applications import Client, answering
from tests.support.cells import Cells
from tests.support.databases import SERVERS, Database, made
from tests.support.load import load
from tests.support.lookups import EXTENDED, LIST, client_of
from tests.support.scripted import TOO_MANY_CONNECTIONS, refuse, scripted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARIADB = SERVERS["mysql"]


@contextlib.contextmanager
def closed_port() -> Iterator[str]:
    with socket.socket() as unused:
        # Bound, and so nobody else's; not listening, and so closed.
        unused.bind(("127.0.0.1", 0))
        yield f"mysql+pymysql://u:p@127.0.0.1:{unused.getsockname()[1]}/x"


@contextlib.contextmanager
def wrong_password() -> Iterator[str]:
    url = MARIADB.set(username="nobody", password="wrong", database="x")
    yield url.render_as_string(hide_password=False)


@contextlib.contextmanager
def too_many_connections() -> Iterator[str]:
    with scripted(refuse(TOO_MANY_CONNECTIONS)) as server:
        yield f"mysql+pymysql://u:p@127.0.0.1:{server.port}/x"


REFUSALS = [closed_port, wrong_password, too_many_connections]


@pytest.fixture(params=REFUSALS, ids=lambda refusal: refusal.__name__)
def refusing(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database that refuses connections."""
    with request.param() as url:
        yield url


def assert_cheap(body: bytes, **options: Any) -> None:
    # Without the tests' judges of PEP 3333, which cost more than the filter.
    application = answering(body)
    client = Client(filter_factory({}, **options)(application))
    bare = load(Client(application).get_list, threads=64, seconds=3)
    loaded = load(client.get_list, threads=64, seconds=6)
    print(
        f"median {loaded.median * 1000:.2f} ms, bare "
        f"{bare.median * 1000:.2f}; slowest {loaded.slowest:.3f} s; "
        f"CPU {loaded.cpu * 1000:.2f} ms, bare {bare.cpu * 1000:.2f}; "
        f"{len(loaded.samples)} responses"
    )
    assert all(each.response.body == body for each in loaded.samples)
    assert loaded.median - bare.median < 0.005
    assert loaded.slowest < 1
    assert loaded.cpu - bare.cpu < 0.002


def test_refused_connections_cost_responses_nothing(refusing: str) -> None:
    assert_cheap(LIST, connection=refusing)


def test_five_refusing_cells_cost_responses_nothing(
    refusing: str, tmp_path: Path
) -> None:
    paths = iter(range(9))
    cells = Cells(
        lambda: Database(
            sa.engine.make_url(f"sqlite:///{tmp_path}/{next(paths)}")
        )
    )
    numbers = range(3, 8)
    for number in numbers:
        # Each is a database of its own.
        url = f"{refusing}{number}"
        cells.add_cell(number, f"cell{number}", url, str(uuid.uuid4()))
        cells.add(f"server-{number}", number)
    servers = [{"id": f"server-{number}"} for number in numbers]
    body = json.dumps({"servers": servers}).encode()
    assert_cheap(body, api_connection=cells.api.url)


def test_granted_connections_go_on_serving(tmp_path: Path) -> None:
    with made("mysql", tmp_path) as database:
        database.insert_instances([("a", "active", None, 1)])
        user = f"few_{uuid.uuid4().hex[:12]}"
        database.execute(
            f"CREATE USER {user} IDENTIFIED BY 'p' WITH MAX_USER_CONNECTIONS 2"
        )
        try:
            database.execute(f"GRANT SELECT ON instances TO {user}")
            url = sa.engine.make_url(database.url).set(
                username=user, password="p"
            )
            database.url = url.render_as_string(hide_password=False)
            client = client_of(database, max_connections=8)
            loaded = load(client.get_list, threads=24, seconds=5, pause=0)
        finally:
            database.execute(f"DROP USER {user}")
    missed = loaded.share(lambda each: each.response.body != EXTENDED)
    print(f"{missed:.2%} of {len(loaded.samples)} responses without states")
    assert missed <= 0.05
