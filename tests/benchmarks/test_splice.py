"""What the splice costs, beside what people would use instead.

Each group is measured in one run; pytest-benchmark prints every row as a
multiple of the fastest in its group.
"""

from __future__ import annotations

import io
import json
import uuid
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import lxml.etree
import msgspec
import orjson
import pytest

from nova_ext_sts.calls import Call
from nova_ext_sts.demo import xml as demo_xml
from nova_ext_sts.documents import READERS
from nova_ext_sts.states import States

if TYPE_CHECKING:
    from collections.abc import Callable

    Benchmark = Callable[[Callable[[], object]], object]

COUNT = 1000
STATES = {
    "OS-EXT-STS:vm_state": "active",
    "OS-EXT-STS:task_state": None,
    "OS-EXT-STS:power_state": 1,
}


def server(number: int) -> dict[str, Any]:
    """Return a server in detail, about as long as Nova 34 writes one."""
    server_id = str(uuid.UUID(int=number))
    base = f"http://127.0.0.1:8774/v2.1/servers/{server_id}"
    return {
        "id": server_id,
        "name": f"server-{number}",
        "status": "ACTIVE",
        "tenant_id": "6f70656e737461636b206578742d7374",
        "user_id": "fake",
        "metadata": {"role": "web", "owner": "somebody@example.org"},
        "hostId": "b8bf8ba4e3d3a08c1f8b8f2f1c7b1d7f" * 2,
        "image": {"id": server_id, "links": [{"rel": "self", "href": base}]},
        "flavor": {
            "vcpus": 1,
            "ram": 512,
            "disk": 1,
            "ephemeral": 0,
            "swap": 0,
            "original_name": "m1.tiny",
            "extra_specs": {"hw:mem_page_size": "large"},
        },
        "created": "2026-01-01T00:00:00Z",
        "updated": "2026-01-01T00:00:00Z",
        "addresses": {"private": [{"version": 4, "addr": "10.0.0.1"}]},
        "accessIPv4": "",
        "accessIPv6": "",
        "links": [
            {"rel": "self", "href": base},
            {"rel": "bookmark", "href": base},
        ],
        "OS-DCF:diskConfig": "AUTO",
        "progress": 0,
        "OS-EXT-AZ:availability_zone": "nova",
        "config_drive": "",
        "key_name": None,
        "OS-SRV-USG:launched_at": "2026-01-01T00:00:00.000000",
        "OS-SRV-USG:terminated_at": None,
        "OS-EXT-SRV-ATTR:host": "compute-1",
        "OS-EXT-SRV-ATTR:instance_name": f"instance-{number:08x}",
        "OS-EXT-SRV-ATTR:hypervisor_hostname": "compute-1.example.org",
        "security_groups": [{"name": "default"}],
        "os-extended-volumes:volumes_attached": [],
    }


SERVERS = [server(number) for number in range(COUNT)]
RECORDS = {each["id"]: States("active", None, 1) for each in SERVERS}
BARE = json.dumps({"servers": SERVERS}).encode()
WITH_STATES = json.dumps(
    {"servers": [each | STATES for each in SERVERS]}
).encode()
#: Only the simple members that API v2 had, since a colon is a namespace there.
XML = demo_xml.written(
    {
        "servers": [
            {name: each[name] for name in each if ":" not in name}
            for each in SERVERS
        ]
    }
)


class Scanned(msgspec.Struct):
    """The id of a server: the least that a scan can be made for."""

    id: str


class Scan(msgspec.Struct):
    """The floor: one pass over the body that yields every id."""

    servers: list[Scanned]


scan = msgspec.json.Decoder(Scan).decode


def spliced(body: bytes, format: str) -> bytes:
    document = READERS[format](body, Call.DETAIL, overwrite=False)
    return document.splice(RECORDS) if document.server_ids else body


def through_json(body: bytes) -> bytes:
    document = json.loads(body)
    for each in document["servers"]:
        each.update(STATES)
    return json.dumps(document).encode()


def through_orjson(body: bytes) -> bytes:
    document = orjson.loads(body)
    for each in document["servers"]:
        each.update(STATES)
    written: bytes = orjson.dumps(document)
    return written


def through_elementtree(body: bytes) -> bytes:
    tree = ElementTree.parse(io.BytesIO(body))  # noqa: S314 - our own
    written = io.BytesIO()
    tree.write(written, encoding="UTF-8", xml_declaration=True)
    return written.getvalue()


def through_lxml(body: bytes) -> bytes:
    written: bytes = lxml.etree.tostring(lxml.etree.fromstring(body))
    return written


@pytest.mark.benchmark(group="JSON, 1,000 servers without states")
@pytest.mark.parametrize(
    "work",
    [
        pytest.param(scan, id="bare msgspec scan"),
        pytest.param(lambda body: spliced(body, "json"), id="splice"),
        pytest.param(through_orjson, id="orjson there and back"),
        pytest.param(through_json, id="json there and back"),
    ],
)
def test_json(benchmark: Benchmark, work: Callable[[bytes], object]) -> None:
    benchmark(lambda: work(BARE))


@pytest.mark.benchmark(group="JSON, 1,000 servers with states already")
@pytest.mark.parametrize(
    "work",
    [
        pytest.param(scan, id="bare msgspec scan"),
        pytest.param(lambda body: spliced(body, "json"), id="filter"),
    ],
)
def test_json_with_states(
    benchmark: Benchmark, work: Callable[[bytes], object]
) -> None:
    benchmark(lambda: work(WITH_STATES))


@pytest.mark.benchmark(group="XML, 1,000 servers without states")
@pytest.mark.parametrize(
    "work",
    [
        pytest.param(lambda body: spliced(body, "xml"), id="splice"),
        pytest.param(through_elementtree, id="ElementTree there and back"),
        pytest.param(through_lxml, id="lxml there and back"),
    ],
)
def test_xml(benchmark: Benchmark, work: Callable[[bytes], object]) -> None:
    benchmark(lambda: work(XML))
