"""The splice alone, beside what people would use instead."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import lxml.etree
import msgspec
import orjson
import pytest

from nova_ext_sts import extension
from nova_ext_sts.calls import Call
from nova_ext_sts.documents import READERS
from tests.benchmarks import bodies
from tests.benchmarks.rows import Row, ratio
from tests.benchmarks.turns import in_turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.conftest import Measure

SIZES = (1, 20, 100, 1000)
#: Only these have a budget; a short body has a fixed cost besides.
BUDGETED = 1000

FIELDS = dict(zip(extension.ATTRIBUTES, bodies.ACTIVE, strict=True))
RECORDS = bodies.records(max(SIZES))


def _json_rows(size: int) -> list[Row]:
    part = "splice, JSON"
    subject = f"JSON of {size}"
    servers = f"{size:,} servers"
    is_budgeted = size == BUDGETED
    return [
        Row(
            part,
            f"{servers}: json there and back, in splices",
            "times",
            ratio(subject, "json", "splice"),
            8.0 if is_budgeted else None,
            10.0 if is_budgeted else None,
            at_least=True,
        ),
        Row(
            part,
            f"{servers}: orjson there and back, in splices",
            "times",
            ratio(subject, "orjson", "splice"),
            2.5 if is_budgeted else None,
            3.0 if is_budgeted else None,
            at_least=True,
        ),
        Row(
            part,
            f"{servers}: the splice, in bare msgspec scans",
            "times",
            ratio(subject, "splice", "scan"),
            3.0 if is_budgeted else None,
            2.5 if is_budgeted else None,
        ),
        Row(
            part,
            f"{servers}: the splice, in copies of the body",
            "times",
            ratio(subject, "splice", "memcpy"),
        ),
        Row(
            "states there already",
            f"{servers}: the filter, in bare msgspec scans",
            "times",
            ratio(f"JSON with states of {size}", "splice", "scan"),
            1.5 if is_budgeted else None,
            1.2 if is_budgeted else None,
        ),
    ]


def _xml_rows(size: int) -> list[Row]:
    is_budgeted = size == BUDGETED
    return [
        Row(
            "splice, XML",
            f"{size:,} servers: the splice, of ElementTree there and back",
            "times",
            ratio(f"XML of {size}", "splice", "ElementTree"),
            0.40 if is_budgeted else None,
            0.33 if is_budgeted else None,
        ),
        Row(
            "splice, XML",
            f"{size:,} servers: the splice, of lxml there and back",
            "times",
            ratio(f"XML of {size}", "splice", "lxml"),
        ),
    ]


ROWS = [row for size in SIZES for row in _json_rows(size)]
ROWS += [row for size in SIZES for row in _xml_rows(size)]


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
        each.update(FIELDS)
    return json.dumps(document).encode()


def through_orjson(body: bytes) -> bytes:
    document = orjson.loads(body)
    for each in document["servers"]:
        each.update(FIELDS)
    written: bytes = orjson.dumps(document)
    return written


def through_elementtree(body: bytes) -> bytes:
    tree = ElementTree.parse(io.BytesIO(body))  # noqa: S314 - our own
    for each in tree.getroot():
        _set_states(each)
    written = io.BytesIO()
    tree.write(written, encoding="UTF-8", xml_declaration=True)
    return written.getvalue()


def through_lxml(body: bytes) -> bytes:
    root = lxml.etree.fromstring(body)
    for each in root:
        _set_states(each)
    written: bytes = lxml.etree.tostring(root)
    return written


def _set_states(server: ElementTree.Element) -> None:
    for name, state in FIELDS.items():
        local = name.partition(":")[2]
        server.set(f"{{{extension.NAMESPACE}}}{local}", str(state))


JSON: dict[str, Callable[[bytes], object]] = {
    "memcpy": bytearray,
    "scan": scan,
    "splice": lambda body: spliced(body, "json"),
    "orjson": through_orjson,
    "json": through_json,
}
XML: dict[str, Callable[[bytes], object]] = {
    "splice": lambda body: spliced(body, "xml"),
    "ElementTree": through_elementtree,
    "lxml": through_lxml,
}


def test_contenders_do_the_same_work() -> None:
    body = bodies.without_states(3)
    for work in (through_json, through_orjson, JSON["splice"]):
        done = work(body)
        assert isinstance(done, bytes)
        for server in json.loads(done)["servers"]:
            assert FIELDS.items() <= server.items()
    body = bodies.in_xml(3)
    canonical = {
        ElementTree.canonicalize(done, rewrite_prefixes=True)
        for work in XML.values()
        if isinstance(done := work(body), bytes)
    }
    assert len(canonical) == 1


@in_turns(*JSON)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.benchmark(max_time=0.2, min_rounds=5)
def test_json(measure: Measure, size: int, turn: int, contender: str) -> None:
    body = bodies.without_states(size)
    measure(f"JSON of {size}", contender, lambda: JSON[contender](body))


@in_turns("scan", "splice")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.benchmark(max_time=0.2, min_rounds=5)
def test_json_with_states(
    measure: Measure, size: int, turn: int, contender: str
) -> None:
    body = bodies.with_states(size)
    work = JSON[contender]
    assert spliced(body, "json") is body
    measure(f"JSON with states of {size}", contender, lambda: work(body))


@in_turns(*XML)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.benchmark(max_time=0.2, min_rounds=5)
def test_xml(measure: Measure, size: int, turn: int, contender: str) -> None:
    body = bodies.in_xml(size)
    measure(f"XML of {size}", contender, lambda: XML[contender](body))
