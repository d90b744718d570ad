"""The DEBUG line and the Server-Timing header of an extended response."""

import logging
import re

import pytest

from nova_ext_sts.records import Records
from nova_ext_sts.states import States
from tests.support.applications import JSON, answering, filtered

LIST = b'{"servers": [{"id": "a"}, {"id": "b"}, {"id": "c"}]}'


def description(response):
    """Return the description in the last header, Server-Timing."""
    name, value = response.headers[-1]
    assert name == "Server-Timing"
    match = re.fullmatch(r'ext-sts;dur=\d+\.\d;desc="(.*)"', value)
    assert match
    return match[1]


@pytest.fixture
def messages(caplog):
    caplog.set_level(logging.DEBUG)
    return lambda: [
        record.getMessage()
        for record in caplog.records
        if record.name == "nova_ext_sts.middleware"
    ]


@pytest.mark.parametrize("system", ["sqlite"])
def test_cells_that_are_queried_are_counted(cells, messages):
    for server, cell in [("a", 1), ("b", 2), ("c", None)]:
        cells.add(server, cell)
    cells.add_request("c", '{"nova_object.data": {}}')
    cells.cells["cell0"].insert_instances([("a", "error", None, 0)])
    cells.cells["cell1"].insert_instances([("b", "active", None, 1)])
    client = filtered(
        answering(LIST), api_connection=cells.api.url, server_timing=True
    )
    request = {"openstack.request_id": "req-1\nERROR forged"}
    response = client.get("/v2.1/servers/detail", **request)
    assert description(response) == "3 servers, 2 cells"
    # A cell that cannot be read is counted, too.
    cells.cells["cell1"].execute("DROP TABLE instances")
    assert description(client.get("/v2.1/servers")) == "3 servers, 2 cells"
    first, second = messages()
    assert re.fullmatch(
        r"extended call=detail request=req-1\\nERROR forged servers=3 found=3 "
        r"cells=2 lookup_ms=\d+\.\d splice_ms=\d+\.\d",
        first,
    )
    assert second.startswith(
        "extended call=list request=- servers=3 found=2 cells=2 lookup_ms="
    )


def test_only_extended_responses_are_reported(connection, messages):
    own = ("Server-Timing", "app;dur=1")
    body = b'{"servers": [{"id": "b"}]}'
    application = answering(body, JSON, own)
    options = {"connection": connection, "server_timing": True}
    response = filtered(application, **options).get_list()
    assert response == ("200 OK", [JSON, own], body)
    assert messages() == []
    # A null is added, but no record was found.
    options["missing_record"] = "null"
    response = filtered(application, **options).get_list()
    assert own in response.headers
    assert description(response) == "1 servers"
    assert " servers=1 found=0 cells=- " in messages()[0]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [(3, "3 servers, 3 cells"), ("x\r\nSet-Cookie: a=b", "3 servers")],
)
def test_plugin_can_count_its_cells(plugin, cells, expected):
    records = Records(a=States("active", None, 1))
    records.cells = cells
    plugin(lambda ids: records)
    client = filtered(
        answering(LIST), record_source="plugin", server_timing=True
    )
    assert description(client.get("/servers")) == expected
