"""Bodies in which anything may be written, judged by an oracle."""

import itertools
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_ext_sts.extension import NAMESPACE
from tests.hostile import mutation, oracle_json, oracle_xml, samples
from tests.hostile.filtering import RECORDS, Filtering, asked_ids

FILES = sorted((Path(__file__).parent / "corpus").glob("*/*"))
#: Bodies mutated for each seed.
MUTATED = 1_250
#: Put in place of single bytes.
BYTES = (b"", b"\xff", b'"', b"]", b">", b"\x00", b"a", b",", b":")

FORMATS = mutation.FORMATS
FAULTS = {"json": oracle_json.fault, "xml": oracle_xml.fault}
SAMPLES = [
    pytest.param(name, *sample, id=f"{name}-{sample[0]}-{number}")
    for name in FORMATS
    for number, sample in enumerate(FORMATS[name].samples)
]


class Judge:
    """Passes bodies through the filter and judges the results."""

    def __init__(self, connection):
        self._filters = {
            overwrite: Filtering(connection, overwrite=overwrite)
            for overwrite in (False, True)
        }

    def __call__(self, body_format, body, *calls):
        for call in calls or ("list", "show"):
            for overwrite, filtering in self._filters.items():
                result = filtering.body(body, call, body_format)
                assert not FAULTS[body_format](
                    body, result, call, RECORDS, overwrite=overwrite
                )


@pytest.fixture(scope="module")
def judge(connection):
    # It fails if anything else than an id is looked up.
    with asked_ids() as ids:
        yield Judge(connection)
        assert ids


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_body_in_the_corpus_comes_out_right(judge, path):
    judge(path.parent.name, path.read_bytes())


@pytest.mark.parametrize(("body_format", "call", "sample"), SAMPLES)
def test_body_that_is_cut_short_passes_unchanged(
    judge, body_format, call, sample
):
    for end in range(len(sample) + 1):
        judge(body_format, sample[:end], call)


@pytest.mark.parametrize(("body_format", "call", "sample"), SAMPLES)
def test_body_with_one_byte_changed_comes_out_right(
    judge, body_format, call, sample
):
    for at, byte in zip(
        range(len(sample)), itertools.cycle(BYTES), strict=False
    ):
        body = sample[:at] + byte + sample[at + 1 :]
        judge(body_format, body, call)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("body_format", FORMATS)
def test_mutated_body_comes_out_right(judge, body_format, seed):
    generator = random.Random(seed)  # noqa: S311 - the same each time
    for _ in range(MUTATED):
        call, body = mutation.mutated(body_format, generator)
        judge(body_format, body, call)


@given(st.binary(max_size=200))
@settings(max_examples=500)
@pytest.mark.parametrize("body_format", FORMATS)
def test_any_bytes_pass_unchanged(judge, body_format, body):
    judge(body_format, body)


A = b'{"id": "a"}'


@given(
    st.lists(st.sampled_from(mutation.JSON_TOKENS) | st.binary(max_size=4)),
    st.lists(st.sampled_from(mutation.JSON_TOKENS), max_size=5),
)
@settings(max_examples=2_000)
def test_json_members_of_any_kind_come_out_right(judge, around, within):
    server = b'{"id": "a", "x": %b}' % b"".join(within)
    holders = b'"servers": [%b, %b], "server": %b' % (server, A, server)
    judge("json", b"{%b}" % holders)
    judge("json", b"{%b%b }" % (b"".join(around), holders))


LIST = b'{"servers": [%b], "servers_links": []}'
JSON = [
    # Ids, …
    *(
        LIST % (b'{"id": %b}, %b' % (value, A))
        for value in [
            b"7", b"1e999", b"9" * 5000, b"true", b"null", b"[]", b"{}",
            b'""', b'"\\""', b'"\\u0061"', b'"\\ud800"', b'"a\\u0000"',
            b'"a\\n"', b'" a"', b'"A"', b"'a'", b'"%b"' % (b"x" * 10_000_000),
            b'"%b"' % (b"\\u0061" * 100_000), b'"a\' OR 1=1 --"', b'"\xff"',
            b'"\xc3\xa9"', b'"\xed\xa0\x80"', b'"\xf0\x9f\x98\x80"', b'"%s"',
        ]
    ),
    # … and what surrounds the list.
    *(
        before + LIST % A + after
        for before, after in [
            (b"\xff\xfe", b""), (b"\0", b""), (b"", b"\0"), (b"", b"{}"),
            (b"", b","), (b"\x0b", b""), (b"\xc2\xa0", b""), (b"", b"\x0c"),
            (b"//\n", b""), (b")]}'\n", b""), (b"\x1e", b"\n"),
            (b"", b" " * 100_000), (b"", LIST % A),
        ]
    ),
    *(
        (LIST % A).decode().encode(encoding)
        for encoding in ["utf-16", "utf-16-le", "utf-32", "utf-7", "cp037"]
    ),
    # Long numbers, depth and size.
    LIST % (b'{"id": "a", "x": %b}' % (b"9" * 100_000)),
    LIST % (b'{"id": "a", "x": 0.%b}' % (b"9" * 100_000)),
    *(
        template % (b"[" * depth + b"]" * depth)
        for depth in (900, 1000, 1100, 10_000)
        for template in [
            b'{"servers": %b}', b'{"x": %b, "server": {}}',
            b'{"server": {"id": "a", "x": %b}}', b'{"server": {"id": %b}}',
            b'{"servers": [{"id": "a", "x": %b}, {"id": "b"}]}',
            b'{"servers": [{"id": "a"}], "servers_links": %b}',
            b'{"server": {"id": "a", "OS-EXT-STS:vm_state": %b}}',
        ]
    ),
    b'{"servers": ' + b"[" * 100_000, b'{"a":' * 100_000,
    LIST % b", ".join([A] * 10_000), LIST % (b"%b, null" % A * 5_000),
    b"{" + b'"a":1,' * 100_000 + b'"servers": [%b]}' % A,
]  # fmt: skip


COMPUTE = samples.COMPUTE.encode()
ROOT = b'<servers xmlns="%b">' % COMPUTE
SERVER = b'<server id="a"/>'


@given(
    st.lists(st.sampled_from(FORMATS["xml"].pieces), max_size=3),
    st.lists(st.sampled_from(FORMATS["xml"].pieces), max_size=4),
    st.lists(st.sampled_from(mutation.XML_TOKENS), max_size=3),
)
@settings(max_examples=1_500)
def test_xml_attributes_of_any_kind_come_out_right(judge, root, own, within):
    body = b'<servers xmlns="%b"%b><server id="a"%b>%b</server>%b</servers>'
    parts = COMPUTE, b"".join(root), b"".join(own), b"".join(within), SERVER
    judge("xml", body % parts, "detail")
    body = b'<server xmlns="%b"%b id="a">%b</server>'
    judge("xml", body % (COMPUTE, parts[1], parts[3]), "show")


XML_LIST = ROOT + SERVER + b"%b</servers>"
XML = [
    # What a DOCTYPE could do.
    b"<!DOCTYPE s [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>"
    + XML_LIST % b"&e;",
    b"<!DOCTYPE s [<!ENTITY % p SYSTEM 'http://127.0.0.1:1/'>%p;]>"
    + XML_LIST % b"",
    b"<!DOCTYPE s [<!ATTLIST server id CDATA 'a'>]>" + XML_LIST % b"<server/>",
    (b"<!DOCTYPE s>" + XML_LIST % b"").decode().encode("utf-16"),
    # References, instructions, comments, sections.
    XML_LIST % b"&e;", XML_LIST % b"&amp;&lt;&#65;", XML_LIST % b"&#0;",
    XML_LIST % b"<?xml version='1.0'?>", XML_LIST % b"<!-- -- -->",
    b"<?xml version='1.1'?>" + XML_LIST % b"", XML_LIST % b"]]>",
    b"<!---->" * 10_000 + XML_LIST % b"", XML_LIST % b"" + b"\0",
    XML_LIST % b"" + b"<!-- -->\n" * 10_000,
    # Many, deep and large.
    XML_LIST % (b"<a>" * 9_000 + b"</a>" * 9_000),
    XML_LIST % (SERVER * 9_000), XML_LIST % (b"&#65;" * 100_000),
    XML_LIST % (b"<server>" * 50_000 + b"</server>" * 50_000),
    XML_LIST % (b"<server id='" + b"b" * 1_000_000 + b"'/>"),
    XML_LIST
    % b"".join(b'<server id="a" xmlns:p%d="u"/>' % n for n in range(500)),
    # Names that are not bound, or bound twice.
    XML_LIST % b'<server id="b" OS-EXT-STS:vm_state="mine"/>',
    XML_LIST % b'<server xmlns:OS-EXT-STS="" id="b"/>',
    XML_LIST % b'<server id="b" xmlns:e="%b" e:vm_state="1" xmlns:f="%b" '
    b'f:vm_state="2"/>' % (NAMESPACE.encode(), NAMESPACE.encode()),
    # Encodings that are declared, or not.
    *(
        f"<?xml version='1.0' encoding='{declared}'?><server id='a' x='é' "
        f"xmlns='{samples.COMPUTE}'/>".encode(encoding)
        for encoding in ("utf-8", "utf-8-sig", "utf-16", "latin-1", "cp037")
        for declared in ("utf-8", "UTF-16", "utf-16le", "iso-8859-1", "x", "")
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body_format", "bodies"), [("json", JSON), ("xml", XML)]
)
def test_body_made_by_hand_comes_out_right(judge, body_format, bodies):
    for body in bodies:
        judge(body_format, body)
