"""Bodies of any size: what they take in memory and time."""

import itertools
import multiprocessing
import random
import resource
import time
from concurrent.futures import ProcessPoolExecutor

import pytest

from nova_ext_sts import filter_factory
from nova_ext_sts.documents.xml_body import MAX_SIZE
from nova_ext_sts.extension import NAMESPACE
from tests.hostile import mutation, samples
from tests.hostile.filtering import Filtering
from tests.support.applications import JSON, Client, answering

MIB = 1024 * 1024
BODIES = 100_000
LIMIT = 4 * MIB


def in_child(measure, *arguments):
    """Return a measurement, made in a new process."""
    # The peak of a program that is executed begins at that of this process.
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(1, fork) as child:
        return child.submit(measure, *arguments).result()


def resident():
    """Return the memory that is resident now, in bytes."""
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    return pages * resource.getpagesize()


def peak():
    """Return the most memory that was ever resident, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def added_at_peak(url, chunk, count, headers):
    """Return by how much one response of equal chunks raises the peak."""
    # All that is imported and made on first use, before the peak is taken.
    tiny = answering(b'{"server": {"id": "a"}}')
    client = Client(filter_factory({}, connection=url)(tiny))
    assert b"OS-EXT-STS:vm_state" in client.get("/servers/a").body

    def application(environ, start_response):
        start_response("200 OK", headers)
        return (b" " * chunk for _ in range(count))

    make = filter_factory({}, connection=url, max_body_size=LIMIT)
    extended = make(application)
    before = peak()
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/servers/a"}
    body = extended(environ, lambda *_: lambda _: None)
    assert sum(map(len, body)) == chunk * count
    return peak() - before


@pytest.mark.parametrize(
    ("chunk", "size", "announced", "most"),
    [
        # The limit, some objects, and what the allocator keeps.
        (1000, 1000 * MIB, True, 4 * LIMIT),
        (1000, 1000 * MIB, False, 4 * LIMIT),
        (64 * 1024, 1000 * MIB, True, 4 * LIMIT),
        (64 * 1024, 1000 * MIB, False, 4 * LIMIT),
        # Below the limit, in the smallest chunks.
        (1, 2 * MIB, False, 40 * MIB),
    ],
)
def test_large_body_is_not_held(connection, chunk, size, announced, most):
    headers = [JSON]
    if announced:
        headers.append(("Content-Length", str(size)))
    count = size // chunk
    assert in_child(added_at_peak, connection, chunk, count, headers) < most


_ROOT = f'<servers xmlns="{samples.COMPUTE}"'


def taken_by(connection, body):
    """Return by how much an XML body raises the peak."""
    filtering = Filtering(connection, overwrite=True)
    before, started = peak(), time.process_time()
    filtering.body(body, "list", "xml")
    # It takes seconds: more means that the time is not linear.
    assert time.process_time() - started < 60
    return peak() - before


@pytest.mark.parametrize(
    ("before", "unit", "after"),
    [
        (f"{_ROOT}>", '<server id=""/>', "</servers>"),
        (f"{_ROOT}>", '<server id="" xmlns:a="#"/>', "</servers>"),
        (
            f'{_ROOT} xmlns:e="{NAMESPACE}">',
            '<server id="a" e:vm_state=""/>',
            "</servers>",
        ),
        (f"{_ROOT}>", "<a/>", "</servers>"),
        ("", "<?x?>", f"{_ROOT}/>"),
    ],
    ids=["servers", "namespaces", "states", "elements", "instructions"],
)
def test_worst_xml_stays_within_bounds(connection, before, unit, after):
    count = (MAX_SIZE - len(before + after)) // (len(unit) + 5)
    units = (unit.replace("#", str(number)) for number in range(count))
    body = "".join([before, *units, after]).encode()
    assert in_child(taken_by, connection, body) < 500 * MIB


def growth(connection):
    """Return by how many bytes most of these bodies grow the process."""
    filtering = Filtering(connection, overwrite=True)
    generator = random.Random(0)  # noqa: S311 - the same each time
    # To make each one anew would take longer than to filter it.
    bodies = [
        (body_format, *mutation.mutated(body_format, generator))
        for body_format in mutation.FORMATS
        for _ in range(2500)
    ]
    first = 0
    for number, (body_format, call, body) in zip(
        range(BODIES), itertools.cycle(bodies), strict=False
    ):
        # No two are the same: no cache helps.
        body = body.replace(b"web", b"web-%d" % number)
        filtering.body(body, call, body_format)
        if number == BODIES // 5:
            first = resident()
    return max(0, resident() - first)


def test_memory_stays_flat_over_100_000_bodies(connection):
    assert in_child(growth, connection) < 4 * MIB
