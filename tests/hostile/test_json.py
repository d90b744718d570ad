"""JSON bodies of which anybody may have written anything."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile import mutation, oracle_json, samples
from tests.hostile.filtering import RECORDS, TYPES, Filtering, asked_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.tally import Tally

MUTATED = 12_000
PIECES = 2_000

LIST = b'{"servers": [%b], "servers_links": []}'
A = b'{"id": "a"}'


class Judge:
    """Passes bodies through the filter and judges what comes out."""

    def __init__(self, connection: str, tally: Tally) -> None:
        self._tally = tally
        self._filters = {
            overwrite: Filtering(connection, overwrite=overwrite)
            for overwrite in (False, True)
        }

    def judge(self, kind: str, body: bytes, *calls: str) -> None:
        for call in calls or ("list", "show"):
            for overwrite, filtering in self._filters.items():
                with self._tally.case(f"JSON: {kind}") as counted:
                    result = filtering.body(body, call, TYPES["json"])
                    counted.extended += result != body
                    assert not oracle_json.faults(
                        body, result, call, RECORDS, overwrite=overwrite
                    )


@pytest.fixture(scope="module")
def judge(connection: str, tally: Tally) -> Iterator[Judge]:
    """Judge, and see that no id is asked for that no test has written."""
    with asked_ids() as ids:
        yield Judge(connection, tally)
        assert ids


@pytest.mark.parametrize(("call", "sample"), samples.JSON)
def test_body_that_is_cut_short_passes_as_it_is(
    judge: Judge, call: str, sample: bytes
) -> None:
    for end in range(len(sample) + 1):
        judge.judge("cut short", sample[:end], call)


@pytest.mark.parametrize(("call", "sample"), samples.JSON)
def test_body_with_any_one_byte_changed_comes_out_right(
    judge: Judge, call: str, sample: bytes
) -> None:
    bytes_ = itertools.cycle((b"", b"\xff", b'"', b"}", b"\x00", b"a", b","))
    for at, byte in zip(range(len(sample)), bytes_, strict=False):
        body = sample[:at] + byte + sample[at + 1 :]
        judge.judge("one byte changed", body, call)


@pytest.mark.parametrize("seed", range(8))
def test_mutated_body_comes_out_right(judge: Judge, seed: int) -> None:
    generator = random.Random(seed)  # noqa: S311 - the same each time
    for _ in range(MUTATED // 8):
        call, sample = generator.choice(samples.JSON)
        body = mutation.mutated(sample, generator, mutation.JSON)
        judge.judge("mutated", body, call)


@given(
    st.lists(st.sampled_from(mutation.JSON_TOKENS) | st.binary(max_size=4)),
    st.lists(st.sampled_from(mutation.JSON_TOKENS), max_size=5),
)
@settings(max_examples=PIECES)
def test_members_of_any_kind_come_out_right(
    judge: Judge, around: list[bytes], within: list[bytes]
) -> None:
    server = b'{"id": "a", "x": %b}' % b"".join(within)
    ours = b'"servers": [%b, %b], "server": %b' % (server, A, server)
    judge.judge("pieces", b"{%b}" % ours)
    judge.judge("pieces", b"{%b%b%b}" % (b"".join(around), ours, b" "))


SERVERS = [
    # What stands in the place of the list …
    b'{"servers": {"id": "a"}}', b'{"servers": null}', b'{"servers": "a"}',
    b'{"servers": [1, 2.5, -0]}', b'{"servers": [null, null]}',
    b'{"servers": [[{"id": "a"}]]}', b'{"servers": [], "servers": [%b]}' % A,
    b'{"servers": [%b], "servers": []}' % A, b'{"servers": [%b], "servers": 1}'
    % A, b'{"server": %b, "server": null}' % A, b'{"server": [%b]}' % A,
    b'{"server": {"id": "b"}, "\\u0073erver": %b}' % A, b'{"server": "a"}',
    b'{"server": %b, "servers": [%b]}' % (A, A), b"[%b]" % A, A,
    # … of an id …
    *(
        LIST % (b'{"id": %b}, %b' % (value, A))
        for value in [
            b"7", b"1e999", b"9" * 1000, b"-" + b"9" * 5000, b"1e5", b"true",
            b"null", b"[]", b"{}", b'""', b'"\\""', b'"\\u0061"', b'"\\ud800"',
            b'"\\udc00\\ud800"', b'"a\\u0000"', b'"a\\n"', b'" a"', b'"a "',
            b'"A"', b"'a'", b'"%b"' % (b"x" * 10_000_000),
            b'"%b"' % (b"\\u0061" * 100_000), b'"a\' OR 1=1 --"', b'"\xff"',
            b'"\xc3\xa9"', b'"\xed\xa0\x80"', b'"\xf0\x9f\x98\x80"', b'"%s"',
        ]
    ),
    # … and of its name.
    *(
        LIST % (b'{%b: "a"}' % name)
        for name in [
            b'"\\u0069d"', b'"\\u0069\\u0064"', b'"ID"', b'"id\\u0000"', b"id",
            b'"i\\d"', b'"id", "id"', b'"id": "b", "id"', b'"id": 7, "id"',
            b'"id": "a", "id": 7, "x"',
        ]
    ),
    # Around all.
    *(
        before + LIST % A + after
        for before, after in [
            (b"\xef\xbb\xbf", b""), (b"\xff\xfe", b""), (b"\0", b""),
            (b"", b"\0"), (b"", b"x"), (b"", b"}"), (b"", b"{}"), (b"", b","),
            (b"\x0b", b""), (b"\xc2\xa0", b""), (b"", b"\x0c"), (b" \n", b" "),
            (b"//\n", b""), (b"/**/", b""), (b")]}'\n", b""),
            (b"\x1e", b"\n"), (b"", b" " * 100_000), (b"", LIST % A),
        ]
    ),
    *(
        (LIST % A).decode().encode(encoding)
        for encoding in ["utf-16", "utf-16-le", "utf-32", "utf-7", "cp037"]
    ),
    # Depth, and numbers that fit nowhere.
    *(
        LIST % (b'{"id": "a", "x": %b}, {"id": "b", "%b": 1}' % (value, value))
        for value in [
            b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e-999", b"-0.0",
            b"9" * 1000, b"9" * 100_000, b"0." + b"9" * 100_000, b"01", b"1.",
            b".1", b"+1", b"-", b"1e", b"0x1", b"tru", b"nul", b"\\u0000",
        ]
    ),
    *(
        template % (b"[" * depth + b"]" * depth)
        for depth in (900, 1000, 1100, 10_000)
        for template in [
            b'{"servers": %b}', b'{"servers": [%b]}',
            b'{"x": %b, "server": {}}',
            b'{"server": {"id": "a", "x": %b}}', b'{"server": {"id": %b}}',
            b'{"servers": [{"id": "a", "x": %b}, {"id": "b"}]}',
            b'{"servers": [{"id": "a"}], "servers_links": %b}',
            b'{"server": {"id": "a", "OS-EXT-STS:vm_state": %b}}',
        ]
    ),
    b'{"server": {"id": "a", "x": %b}}' % (b"[" * 100_000 + b"]" * 100_000),
    b'{"servers": ' + b"[" * 100_000, b'{"a":' * 100_000,
    LIST % b", ".join([A] * 10_000), LIST % (b"%b, null" % A * 5_000),
    b"{" + b'"a":1,' * 100_000 + b'"servers": [%b]}' % A,
]  # fmt: skip


def test_body_made_to_mislead_comes_out_right(judge: Judge) -> None:
    for body in SERVERS:
        judge.judge("made by hand", body)


@given(st.binary(max_size=200))
@settings(max_examples=1_000)
def test_any_bytes_pass_as_they_are(judge: Judge, body: bytes) -> None:
    judge.judge("any bytes", body)
