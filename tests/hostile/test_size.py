"""Bodies of any size: what they take in memory and time."""

import os
import random
import resource
import time
import traceback

import pytest

from nova_ext_sts import filter_factory
from nova_ext_sts.documents.xml_body import MAX_SIZE
from nova_ext_sts.extension import NAMESPACE
from tests.hostile import mutation, samples
from tests.hostile.filtering import TYPES, Filtering
from tests.support.applications import JSON, Client, answering

# From Python 3.12 on, if records have been read in threads.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

MIB = 1024 * 1024
BODIES = 100_000
LIMIT = 4 * MIB


def in_child(measure):
    """Return a measurement, made in a new process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, str(measure()).encode())
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        measured = pipe.read()
    os.waitpid(child, 0)
    assert measured, "the process has failed"
    return int(measured)


def resident():
    """Return the memory that is resident now, in bytes."""
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    return pages * resource.getpagesize()


def peak():
    """Return the most memory that was ever resident, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def added_at_peak(application, url, size):
    """Return by how much one response of a size raises the peak."""
    # All that is imported and made on first use, before the peak is taken.
    tiny = answering(b'{"server": {"id": "a"}}')
    client = Client(filter_factory({}, connection=url)(tiny))
    assert b"OS-EXT-STS:vm_state" in client.get("/servers/a").body
    make = filter_factory({}, connection=url, max_body_size=LIMIT)
    extended = make(application)
    before = peak()
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/servers/a"}
    body = extended(environ, lambda *_: lambda _: None)
    assert sum(map(len, body)) == size
    return peak() - before


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("chunk", [1000, 64 * 1024])
def test_gigabyte_is_not_held(connection, chunk, announced):
    size = 1024 * MIB // chunk * chunk
    headers = [JSON]
    if announced:
        headers.append(("Content-Length", str(size)))

    def application(environ, start_response):
        start_response("200 OK", headers)
        return (b" " * chunk for _ in range(size // chunk))

    added = in_child(lambda: added_at_peak(application, connection, size))
    # The limit, some objects, and what the allocator keeps.
    assert added < 4 * LIMIT


def test_small_chunks_take_little_more_than_the_body(connection):
    count = 2 * MIB

    def application(environ, start_response):
        start_response("200 OK", [JSON])
        yield from (b"[]"[at % 2 : at % 2 + 1] for at in range(count))

    added = in_child(lambda: added_at_peak(application, connection, count))
    assert added < 20 * count


_ROOT = f'<servers xmlns="{samples.COMPUTE}"'
#: The beginning of an XML body, what follows over and over ("#" is its
#: number), and its end.
WORST = {
    "servers": (f"{_ROOT}>", '<server id=""/>', "</servers>"),
    "servers with a namespace each": (
        f"{_ROOT}>",
        '<server id="" xmlns:a="#"/>',
        "</servers>",
    ),
    "servers with a state": (
        f'{_ROOT} xmlns:e="{NAMESPACE}">',
        '<server id="a" e:vm_state=""/>',
        "</servers>",
    ),
    "elements": (f"{_ROOT}>", "<a/>", "</servers>"),
    "instructions": ("", "<?x?>", f"{_ROOT}/>"),
}


@pytest.mark.parametrize("name", WORST)
def test_worst_xml_stays_within_bounds(connection, name):
    before, unit, after = WORST[name]
    count = (MAX_SIZE - len(before + after)) // (len(unit) + 5)
    units = (unit.replace("#", str(number)) for number in range(count))
    body = "".join([before, *units, after]).encode()
    filtering = Filtering(connection, overwrite=True)

    def measure():
        before, started = peak(), time.process_time()
        filtering.response(body, "list", TYPES["xml"])
        # It takes seconds: more means that the time is not linear.
        assert time.process_time() - started < 60
        return peak() - before

    assert in_child(measure) < 500 * MIB


def growth(connection):
    """Return by how many bytes most of these bodies grow the process."""
    filtering = Filtering(connection, overwrite=True)
    generator = random.Random(0)  # noqa: S311 - the same each time
    # To make each one anew would take longer than to filter it.
    bodies = [
        (call, body_format, mutation.mutated(sample, generator, kind))
        for body_format, samples_, kind in (
            ("json", samples.JSON, mutation.JSON),
            ("xml", samples.XML, mutation.XML),
        )
        for call, sample in samples_
        for _ in range(700)
    ]
    first = 0
    for number in range(BODIES):
        call, body_format, body = bodies[number % len(bodies)]
        # No two are the same: no cache helps.
        body = body.replace(b"web", b"web-%d" % number)
        filtering.response(body, call, TYPES[body_format])
        if number == BODIES // 5:
            first = resident()
    return max(0, resident() - first)


def test_memory_stays_flat_over_100_000_bodies(connection):
    assert in_child(lambda: growth(connection)) < 4 * MIB
