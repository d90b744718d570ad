"""XML bodies of which anybody may have written anything."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_ext_sts.extension import NAMESPACE
from tests.hostile import mutation, oracle_xml, samples
from tests.hostile.filtering import RECORDS, TYPES, Filtering, asked_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.tally import Tally

MUTATED = 8_000
PIECES = 1_500

COMPUTE = b"http://docs.openstack.org/compute/api/v1.1"
ROOT = b'<servers xmlns="%b">' % COMPUTE
A = b'<server id="a"/>'
LIST = ROOT + A + b"%b</servers>"


class Judge:
    """Passes bodies through the filter and judges what comes out."""

    def __init__(self, connection: str, tally: Tally) -> None:
        self._tally = tally
        self._filters = {
            overwrite: Filtering(connection, overwrite=overwrite)
            for overwrite in (False, True)
        }

    def judge(
        self,
        kind: str,
        body: bytes,
        *calls: str,
    ) -> None:
        for call in calls or ("list", "show"):
            for overwrite, filtering in self._filters.items():
                with self._tally.case(f"XML: {kind}") as counted:
                    result = filtering.body(body, call, TYPES["xml"])
                    counted.extended += result != body
                    assert not oracle_xml.faults(
                        body, result, call, RECORDS, overwrite=overwrite
                    )


@pytest.fixture(scope="module")
def judge(connection: str, tally: Tally) -> Iterator[Judge]:
    with asked_ids() as ids:
        yield Judge(connection, tally)
        assert ids


@pytest.mark.parametrize(("call", "sample"), samples.XML)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_body_that_is_cut_short_passes_as_it_is(
    judge: Judge, call: str, sample: bytes, encoding: str
) -> None:
    text = sample.decode().replace("UTF-8", encoding).rstrip()
    body = text.encode(encoding, "xmlcharrefreplace")
    for end in range(len(body) + 1):
        judge.judge("cut short", body[:end], call)


@pytest.mark.parametrize(("call", "sample"), samples.XML)
def test_body_with_any_one_byte_changed_comes_out_right(
    judge: Judge, call: str, sample: bytes
) -> None:
    bytes_ = itertools.cycle((b"", b"\xff", b'"', b">", b"\x00", b"a", b":"))
    for at, byte in zip(range(len(sample)), bytes_, strict=False):
        body = sample[:at] + byte + sample[at + 1 :]
        judge.judge("one byte changed", body, call)


@pytest.mark.parametrize("seed", range(8))
def test_mutated_body_comes_out_right(judge: Judge, seed: int) -> None:
    generator = random.Random(seed)  # noqa: S311 - the same each time
    for _ in range(MUTATED // 8):
        call, sample = generator.choice(samples.XML)
        body = mutation.mutated(sample, generator, mutation.XML)
        judge.judge("mutated", body, call)


@given(
    st.lists(st.sampled_from(mutation.XML.pieces), max_size=3),
    st.lists(st.sampled_from(mutation.XML.pieces), max_size=4),
    st.lists(st.sampled_from(mutation.XML_TOKENS), max_size=3),
)
@settings(max_examples=PIECES)
def test_attributes_of_any_kind_come_out_right(
    judge: Judge, root: list[bytes], own: list[bytes], within: list[bytes]
) -> None:
    body = b'<servers xmlns="%b"%b><server id="a"%b>%b</server>%b</servers>'
    parts = COMPUTE, b"".join(root), b"".join(own), b"".join(within), A
    judge.judge("pieces", body % parts, "detail")
    body = b'<server xmlns="%b"%b id="a">%b</server>'
    judge.judge("pieces", body % (COMPUTE, parts[1], parts[3]), "show")


UNBOUND = b' OS-EXT-STS:vm_state="mine"'
ENTITIES = b"".join(
    b"<!ENTITY e%d '%b'>" % (number, b"&e%d;" % (number - 1) * 10)
    for number in range(1, 12)
)
BODIES = [
    # A DOCTYPE, in whatever guise.
    b"<!DOCTYPE s [<!ENTITY e0 'ha'>" + ENTITIES + b"]>" + LIST % b"&e11;",
    b"<!DOCTYPE s [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>" + LIST % b"&e;",
    b"<!DOCTYPE s [<!ENTITY % p SYSTEM 'http://127.0.0.1:1/'>%p;]>" + LIST
    % b"",
    b"<!DOCTYPE s SYSTEM 'http://127.0.0.1:1/x.dtd'>" + LIST % b"",
    b"<!DOCTYPE s [<!ATTLIST server id CDATA 'a'>]>" + LIST % b"<server/>",
    b"<!-- --><?x?>\n<!DOCTYPE s>" + LIST % b"", LIST % b"" + b"<!DOCTYPE s>",
    b"\xef\xbb\xbf<!DOCTYPE s>" + LIST % b"", LIST % b"<!DOCTYPE s>",
    (b"<!DOCTYPE s>" + LIST % b"").decode().encode("utf-16"),
    LIST % b"&e;", LIST % b"&amp;&lt;&#65;", LIST % b"&#0;",
    # Instructions, comments, sections.
    b"<?xml-stylesheet href='http://127.0.0.1:1/'?>" + LIST % b"<?php a?>",
    LIST % b"<?xml version='1.0'?>", b" <?xml version='1.0'?>" + LIST % b"",
    b"<?xml version='1.1'?>" + LIST % b"", LIST
    % b"<![CDATA[<server id='b'/>]]>",
    LIST % b"<!-- -- -->", LIST % b"<!-- <server id='b'/> -->", LIST % b"]]>",
    b"<?x " + b"y" * 100_000 + b"?>" + LIST % b"", b"<!---->" * 10_000
    + LIST % b"", LIST % b"" + b"<!-- -->\n" * 10_000, LIST % b"" + b"\0",
    # Many of all.
    LIST % (b"<a" + b"".join(b" a%d=''" % n for n in range(100_000)) + b"/>"),
    LIST
    % (b"<server" + b"".join(b" a%d=''" % n for n in range(100_000)) + b"/>"),
    LIST % (b"<a>" * 9_000 + b"</a>" * 9_000), LIST % (b"&#65;" * 100_000),
    LIST % (b"<server>" * 50_000 + b"</server>" * 50_000), LIST % (A * 9_000),
    LIST % (b"<server id='b'/>" + b"<server><server/></server>" * 5_000),
    LIST % (b"<a x='" + b"y" * 1_000_000 + b"'/>"),
    LIST % (b"<server id='" + b"b" * 1_000_000 + b"'/>"), b"<a>" * 100_000,
    LIST % b"".join(b'<server id="a" xmlns:p%d="u"/>' % n for n in range(500)),
    # Names that are not bound, or bound twice.
    ROOT + b'<server id="a"%b/></servers>' % UNBOUND,
    b'<server xmlns="%b" id="a"%b/>' % (COMPUTE, UNBOUND),
    LIST % b'<x:server xmlns:x="%b" id="b"/>' % COMPUTE,
    LIST % b'<server xmlns:OS-EXT-STS="" id="b"/>', LIST % b"<x:y/>",
    LIST % b'<server id="b" xmlns:e="%b" e:vm_state="1" xmlns:f="%b" '
    b'f:vm_state="2"/>' % (NAMESPACE.encode(), NAMESPACE.encode()),
    LIST % b"<server id='b' id='b'/>", LIST % b'<server xmlns="" id="b"/>',
]  # fmt: skip


def test_body_made_to_mislead_comes_out_right(judge: Judge) -> None:
    for body in BODIES:
        judge.judge("made by hand", body)


@pytest.mark.parametrize("inner", ["utf-8", "utf-16", "iso-8859-1", "cp037"])
def test_encodings_that_disagree_cost_no_byte(
    connection: str, tally: Tally, inner: str
) -> None:
    filtering = Filtering(connection)
    text = f'<server xmlns="{COMPUTE.decode()}" id="a" name="\xe9">\xe9'
    for declared, charset in itertools.product(
        ("utf-8", "utf-16", "UTF-16LE", "iso-8859-1", "cp037", "utf-7", "x"),
        ("", "utf-8", "utf-16be", "iso-8859-1", "hz", '"', "\xe9", "u" * 9999),
    ):
        head = f"<?xml version='1.0' encoding='{declared}'?>"
        body = f"{head}{text}</server>".encode(inner)
        media_type = f"{TYPES['xml']}; charset={charset}"
        with tally.case("XML: encodings") as counted:
            result = filtering.body(body, "show", media_type)
            counted.extended += result != body
            assert oracle_xml.is_with_insertions(result, body)
            if charset == inner:
                assert (result != body) == (inner == "utf-8")
            elif declared == inner and not charset:
                assert (result != body) == (inner != "cp037")


@given(st.binary(max_size=200))
@settings(max_examples=500)
def test_any_bytes_pass_as_they_are(judge: Judge, body: bytes) -> None:
    judge.judge("any bytes", body)
