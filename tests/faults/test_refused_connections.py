"""Databases that refuse connections, under load: responses cost no more."""

import contextlib
import json
import uuid

import pytest

from nova_ext_sts import filter_factory
from tests.support.applications import Client, answering
from tests.support.cells import Cells
from tests.support.databases import SERVERS, made
from tests.support.load import load
from tests.support.lookups import EXTENDED, client_of, closed_port
from tests.support.scripted import scripted

#: MySQL's error packet 1040, in place of the greeting.
TOO_MANY_CONNECTIONS = b"\x17\x00\x00\x00\xff\x10\x04Too many connections"

#: What refuses, with its port.
REFUSALS = {
    "closed port": closed_port,
    "wrong password": lambda: contextlib.nullcontext(SERVERS["mysql"]),
    "too many connections": lambda: scripted(
        lambda connection, _: connection.sendall(TOO_MANY_CONNECTIONS)
    ),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
@pytest.mark.parametrize("cells", [0, 5])
def test_refused_connections_cost_responses_nothing(cells, refusal, tmp_path):
    ids = [f"server-{number}" for number in range(cells or 1)]
    body = json.dumps({"servers": [{"id": each} for each in ids]}).encode()
    application = answering(body)
    with refusal() as refusing:
        url = f"mysql+pymysql://nobody:wrong@127.0.0.1:{refusing.port}/cell"
        options = {"connection": url}
        if cells:
            site = Cells.in_sqlite(tmp_path)
            options = {"api_connection": site.api.url}
            for number, server_id in enumerate(ids, 3):
                # Each is another database.
                name = f"{url}{number}"
                site.add_cell(number, None, name, str(uuid.uuid4()))
                site.add(server_id, number)
        # Without the tests' judges of PEP 3333, which cost more than it.
        client = Client(filter_factory({}, **options)(application))
        bare = load(Client(application).get_list, threads=64, seconds=3)
        loaded = load(client.get_list, threads=64, seconds=6)
    assert {response.body for response in loaded.responses} == {body}
    assert loaded.median - bare.median < 0.005
    assert max(loaded.seconds) < 1
    assert loaded.cpu - bare.cpu < 0.002


def test_granted_connections_go_on_serving(tmp_path):
    user = f"few_{uuid.uuid4().hex[:12]}"
    with made("mysql", tmp_path) as database, contextlib.ExitStack() as stack:
        database.insert_instances([("a", "active", None, 1)])
        database.execute(
            f"CREATE USER {user} IDENTIFIED BY 'p' WITH MAX_USER_CONNECTIONS 2"
        )
        stack.callback(database.execute, f"DROP USER {user}")
        database.execute(f"GRANT SELECT ON instances TO {user}")
        database.reach(username=user, password="p")
        client = client_of(database, max_connections=8)
        loaded = load(client.get_list, threads=24, seconds=5, pause=0)
    bodies = [response.body for response in loaded.responses]
    assert bodies.count(EXTENDED) >= 0.95 * len(bodies)
