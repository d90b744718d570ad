"""Bodies of any size, and applications that take their time."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from nova_ext_sts import filter_factory
from nova_ext_sts.documents.markup import MAX_SIZE
from tests.hostile import mutation, samples
from tests.hostile.filtering import PATHS, TYPES, Filtering
from tests.hostile.memory import in_child, peak, resident
from tests.support.applications import JSON, Client

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from tests.hostile.tally import Tally

# From Python 3.12 on, where the records have been read in threads.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

MIB = 1024 * 1024
BODIES = 100_000
LIMIT = 4 * MIB


def added_at_peak(application: WSGIApplication, url: str, size: int) -> int:
    """Return by how much one response of a size raises the peak."""
    # All that is imported and made on first use, before the peak is taken.
    client = Client(filter_factory({}, connection=url)(tiny))
    assert b"OS-EXT-STS:vm_state" in client.get("/servers/a").body
    make = filter_factory({}, connection=url, max_body_size=LIMIT)
    extended = make(application)
    before = peak()
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/servers/a"}
    body = extended(environ, lambda *_: lambda _: None)
    assert sum(map(len, body)) == size
    return peak() - before


def tiny(
    environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    start_response("200 OK", [JSON])
    return [b'{"server": {"id": "a"}}']


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("chunk", [1000, 64 * 1024])
def test_gigabyte_is_not_held(
    connection: str, tally: Tally, chunk: int, announced: bool
) -> None:
    size = 1024 * MIB // chunk * chunk
    headers = [JSON]
    if announced:
        headers.append(("Content-Length", str(size)))

    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", headers)
        return (b" " * chunk for _ in range(size // chunk))

    with tally.case("size: 1 GiB in chunks"):
        added = in_child(lambda: added_at_peak(application, connection, size))
        # The limit, some objects, and what the allocator likes to keep.
        assert added < 4 * LIMIT


def test_small_chunks_take_little_more_than_the_body(
    connection: str, tally: Tally
) -> None:
    count = 2 * MIB

    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [JSON])
        yield from (b"[]"[at % 2 : at % 2 + 1] for at in range(count))

    with tally.case("size: chunks of one byte"):
        added = in_child(lambda: added_at_peak(application, connection, count))
        assert added < 20 * count


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/flavors", "application/json"),
        ("/servers/a/ips", "application/json"),
        (PATHS["detail"], "text/plain"),
    ],
)
def test_slow_application_is_not_waited_for(
    connection: str, tally: Tally, path: str, content_type: str
) -> None:
    asked = threading.Event()

    def chunks() -> Iterator[bytes]:
        yield b"first"
        assert asked.is_set(), "the second was made before the first went out"
        yield b"second"

    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", content_type)])
        return chunks()

    extended = filter_factory({}, connection=connection)(application)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path}
    with tally.case("size: streams"):
        body = iter(extended(environ, lambda *_: lambda _: None))
        assert next(body) == b"first"
        asked.set()
        assert list(body) == [b"second"]


def test_rest_of_a_large_body_is_not_waited_for(
    connection: str, tally: Tally
) -> None:
    made: list[int] = []

    def chunks() -> Iterator[bytes]:
        for number in range(10):
            made.append(number)
            yield b"x" * 10

    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [JSON])
        return chunks()

    extended = filter_factory({}, connection=connection, max_body_size=25)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/servers/a"}
    with tally.case("size: streams"):
        body = iter(extended(application)(environ, lambda *_: lambda _: None))
        assert made == [0, 1, 2]
        assert [next(body), next(body)] == [b"x" * 30, b"x" * 10]
        assert made == [0, 1, 2, 3]


_ROOT = '<servers xmlns="http://docs.openstack.org/compute/api/v1.1"'
_EXTENDED = "http://docs.openstack.org/compute/ext/extended_status/api/v1.1"
_BOUND = "".join(f' xmlns:p{n}="{_EXTENDED}"' for n in range(19))
#: The beginning of an XML body, what follows over and over ("#" is its
#: number), and its end.
WORST = {
    "servers": (f"{_ROOT}>", '<server id=""/>', "</servers>"),
    "servers that take two passes": (
        f"{_ROOT}>",
        '<server id=""/>',
        "<server><server/></server></servers>",
    ),
    "servers with namespaces": (
        f"{_ROOT}{_BOUND}>",
        '<server id="" xmlns:a=""/><server id="" xmlns:b=""/>',
        "<server><server/></server></servers>",
    ),
    "servers with a namespace each": (
        f"{_ROOT}{_BOUND}>",
        '<server id="" xmlns:a="#"/>',
        "</servers>",
    ),
    "servers with a state": (
        f'{_ROOT} xmlns:e="{_EXTENDED}">',
        '<server id="a" e:vm_state=""/>',
        "</servers>",
    ),
    "elements": (f"{_ROOT}>", "<a/>", "</servers>"),
    "instructions": ("", "<?x?>", f"{_ROOT}/>"),
}


@pytest.mark.parametrize("name", WORST)
def test_worst_xml_stays_within_bounds(
    connection: str, tally: Tally, name: str
) -> None:
    before, unit, after = WORST[name]
    count = (MAX_SIZE - len(before + after)) // (len(unit) + 5)
    units = (unit.replace("#", str(number)) for number in range(count))
    body = "".join([before, *units, after]).encode()
    filtering = Filtering(connection, overwrite=True)

    def measure() -> int:
        before, started = peak(), time.process_time()
        filtering.response(body, "list", TYPES["xml"])
        # Seconds, on any machine that one would run this on.
        assert time.process_time() - started < 60
        return peak() - before

    with tally.case("size: worst XML"):
        assert in_child(measure) < 500 * MIB


def hostile_bodies(count: int) -> Iterator[tuple[str, str, bytes]]:
    generator = random.Random(count)  # noqa: S311 - the same each time
    for _ in range(count):
        format = generator.choice(["json", "xml"])
        bodies = samples.JSON if format == "json" else samples.XML
        kind = mutation.JSON if format == "json" else mutation.XML
        call, sample = generator.choice(bodies)
        yield call, format, mutation.mutated(sample, generator, kind)


def growth(connection: str) -> int:
    """Return by how many bytes 80,000 bodies have grown the process."""
    filtering = Filtering(connection, overwrite=True)
    # To make each anew would take longer than to filter it.
    bodies = list(hostile_bodies(5_000))
    first = 0
    for number in range(BODIES):
        call, format, body = bodies[number % len(bodies)]
        # No two are the same: nothing remembered is of use.
        body = body.replace(b"web", b"web-%d" % number)
        filtering.response(body, call, TYPES[format])
        if number == BODIES // 5:
            first = resident()
    return max(0, resident() - first)


def test_memory_stays_flat_over_100_000_bodies(
    connection: str, tally: Tally
) -> None:
    with tally.case("size: bodies in one process", BODIES):
        grown = in_child(lambda: growth(connection))
        assert grown < 4 * MIB
