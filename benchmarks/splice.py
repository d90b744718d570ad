"""The splice, against loading and dumping the body."""

from __future__ import annotations

import io
import json
from functools import partial
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import msgspec
import orjson

from benchmarks import bodies
from benchmarks.report import Row
from benchmarks.turns import in_turns, ratios
from nova_ext_sts import extension
from nova_ext_sts.calls import Call
from nova_ext_sts.documents import READERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.turns import Times

PART = "splice, JSON"
RECORDS = bodies.records(1000)
FIELDS = dict(zip(extension.ATTRIBUTES, bodies.ACTIVE, strict=True))


class Server(msgspec.Struct):
    """A server's id: the least that a scan can look for."""

    id: str


class Servers(msgspec.Struct):
    servers: list[Server]


scan = msgspec.json.Decoder(Servers).decode


def splice(body: bytes, body_format: str = "json") -> bytes:
    document = READERS[body_format](body, Call.DETAIL, overwrite=False)
    return document.splice(RECORDS) if document.server_ids else body


def through_json(body: bytes) -> bytes:
    document = json.loads(body)
    for server in document["servers"]:
        server.update(FIELDS)
    return json.dumps(document).encode()


def through_orjson(body: bytes) -> bytes:
    document = orjson.loads(body)
    for server in document["servers"]:
        server.update(FIELDS)
    dumped: bytes = orjson.dumps(document)
    return dumped


def splice_xml(body: bytes) -> bytes:
    return splice(body, "xml")


def through_elementtree(body: bytes) -> bytes:
    tree = ElementTree.parse(io.BytesIO(body))  # noqa: S314 - our own
    for server in tree.getroot():
        for name, state in FIELDS.items():
            local = name.partition(":")[2]
            server.set(f"{{{extension.NAMESPACE}}}{local}", str(state))
    output = io.BytesIO()
    tree.write(output, encoding="UTF-8", xml_declaration=True)
    return output.getvalue()


def rows() -> Iterator[Row]:
    _check()
    for count, budget, ambition in ((1, 0.7, 1), (20, 1.5, 2)):
        times = _times(
            bodies.without_states(count), splice=splice, orjson=through_orjson
        )
        yield _faster("orjson", times, count, budget, ambition)
    times = _times(
        bodies.without_states(1000),
        scan=scan,
        splice=splice,
        orjson=through_orjson,
        json=through_json,
    )
    yield _faster("json", times, 1000, 8, 10)
    yield _faster("orjson", times, 1000, 2.5, 3)
    yield Row(
        PART,
        "1,000 servers: the splice, in bare msgspec scans",
        "times",
        ratios(times, "splice", "scan"),
        3,
        2.5,
    )
    times = _times(bodies.with_states(1000), scan=scan, splice=splice)
    yield Row(
        "states there already",
        "1,000 servers: the filter, in bare msgspec scans",
        "times",
        ratios(times, "splice", "scan"),
        1.5,
        1.2,
    )
    times = _times(
        bodies.xml(1000), splice=splice_xml, elementtree=through_elementtree
    )
    yield Row(
        "splice, XML",
        "1,000 servers: the splice, of ElementTree parse and serialise",
        "%",
        [100 * ratio for ratio in ratios(times, "splice", "elementtree")],
        40,
        25,
    )


def _times(body: bytes, **contenders: Callable[[bytes], object]) -> Times:
    return in_turns(
        {name: partial(work, body) for name, work in contenders.items()}
    )


def _faster(
    library: str, times: Times, count: int, budget: float, ambition: float
) -> Row:
    return Row(
        PART,
        f"{count:,} servers: {library} loads and dumps, in splices",
        "times",
        ratios(times, library, "splice"),
        budget,
        ambition,
        at_least=True,
    )


def _check() -> None:
    """Check that all contenders do the same work."""
    body = bodies.without_states(3)
    documents = [
        json.loads(work(body))
        for work in (splice, through_orjson, through_json)
    ]
    assert all(FIELDS.items() <= s.items() for s in documents[0]["servers"])
    assert documents[0] == documents[1] == documents[2]
    body = bodies.xml(3)
    spliced, written = (
        ElementTree.canonicalize(work(body), rewrite_prefixes=True)
        for work in (splice_xml, through_elementtree)
    )
    assert spliced == written
