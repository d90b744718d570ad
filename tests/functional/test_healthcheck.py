"""The health check, in oslo.middleware's application."""

import time

import pytest
from oslo_middleware import Healthcheck

from nova_ext_sts.records import RecordsUnavailable
from tests.functional.conftest import raising
from tests.support.applications import Client, answering, filtered
from tests.support.databases import PSYCOPG
from tests.support.lookups import EXTENDED, LIST, locked

OK = "200 OK"
UNAVAILABLE = "503 Service Unavailable"


def client_of(**options):
    options = {"detailed": "true", **options}
    return Client(
        Healthcheck.app_factory(
            {"here": "/"}, backends="extended_status", **options
        )
    )


def health(client):
    """Return the status, the reason and the details."""
    response = client.get("/", HTTP_ACCEPT="application/json")
    assert "s3cret" not in response.body.decode()
    (reason,) = response.json["reasons"]
    return response.status, reason["reason"], reason["details"]


def test_available_while_the_database_can_be_read(database):
    client = client_of(connection=database.url)
    assert health(client)[:2] == (OK, "OK")
    database.execute("ALTER TABLE instances RENAME TO gone")
    status, _, details = health(client)
    assert status == UNAVAILABLE
    assert "instances' database" in details
    database.execute("ALTER TABLE gone RENAME TO instances")
    assert health(client)[:2] == (OK, "OK")


@pytest.mark.parametrize("system", ["sqlite"])
def test_details_name_the_cells_that_cannot_be_read(cells):
    options = {"api_connection": cells.api.url}
    _, _, details = health(client_of(**options))
    for name in ("API database", "cell cell0", "cell cell1"):
        assert name in details
    cells.cells["cell1"].execute("DROP TABLE instances")
    cells.add_cell(3, "two\nlines", "sqlite:////no/such/file")
    cells.add_cell(4, "odd", "nosuch://u:s3cret@x/y")
    # A new source reads the mappings again.
    client = client_of(**options, cell_connection="gone=sqlite://")
    status, _, details = health(client)
    assert status == UNAVAILABLE
    for name in ("cell cell1: ", "two\\nlines", "cell odd", "no such cell"):
        assert name in details
    assert "cell0" not in details


@pytest.mark.parametrize("driver", ["mysql+pymysql", f"postgresql+{PSYCOPG}"])
@pytest.mark.parametrize("option", ["connection", "api_connection"])
def test_silent_database_is_reported_before_the_filters_timeout(
    silent, driver, option, caplog
):
    url = f"{driver}://u:s3cret@127.0.0.1:{silent.port}/x"
    client = client_of(**{option: url, "timeout": "60"})
    began = time.monotonic()
    assert health(client)[0] == UNAVAILABLE
    assert time.monotonic() - began < 30
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("system", ["mysql", "postgresql"])
def test_checks_that_time_out_suspend_nothing(database, caplog):
    database.insert_instances([("a", "active", None, 1)])
    options = {"connection": database.url, "timeout": "5"}
    client = client_of(**options)
    with locked(database):
        for _ in range(6):
            assert health(client)[0] == UNAVAILABLE
    extended = filtered(answering(LIST), **options).get_list().body
    assert extended == EXTENDED
    assert not caplog.records


@pytest.mark.parametrize(
    ("options", "keyword"),
    [
        ({}, "connection"),
        ({"connection": "mysql+mysqldb://u:s3cret@h/x?a=b"}, "mysql"),
        ({"connection": "x", "timeout": "soon"}, "timeout"),
        ({"record_source": "absent"}, "absent"),
    ],
)
def test_invalid_configuration_is_unavailable(options, keyword):
    status, reason, details = health(client_of(**options))
    assert status == UNAVAILABLE
    assert "configured" in reason
    assert keyword in details


@pytest.mark.parametrize(
    ("functions", "status", "keyword"),
    [
        ([dict.fromkeys], OK, "records"),
        ([raising(RecordsUnavailable("away"))], UNAVAILABLE, "away"),
        ([raising(OSError("s3cret"))], UNAVAILABLE, "OSError"),
        ([dict.fromkeys, raising(OSError())], UNAVAILABLE, "OSError"),
    ],
)
def test_plugin_is_queried(plugin, functions, status, keyword):
    plugin(*functions)
    found, _, details = health(client_of(record_source="plugin"))
    assert found == status
    assert keyword in details


def test_response_without_details_shows_nothing_of_the_site():
    client = client_of(connection="sqlite:////no/such/file", detailed="false")
    response = client.get("/", HTTP_ACCEPT="application/json")
    (reason,) = response.json["reasons"]
    assert "no/such" not in response.body.decode()
    assert "states" in reason
