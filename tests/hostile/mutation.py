"""Bodies with a few hostile changes, the same for the same seed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tests.hostile import samples

if TYPE_CHECKING:
    import random

#: Put in place of a token of JSON, or between two.
JSON_TOKENS = [
    b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b"\0", b"\x01", b"\xff",
    b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xff\xfe", b"NaN", b"null",
    b"-Infinity", b"Infinity", b"true", b"-0", b"01", b"1.", b".5", b"+1",
    b"0x1", b"1e5", b"1e999", b"-1e-999", b"9" * 25, b"9" * 1000, b"1.5",
    b"''", b'"', b'""', b'"id"', b'"\\u0069d"', b'"servers"', b'"server"',
    b'"\\u0073ervers"', b'"servers_links"', b'"status"', b'"UNKNOWN"',
    b'"name"', b'"a"', b'"b"', b'"\\u0061"', b'"\\"\\\\\\/\\b"', b'"\\x"',
    b'"\\ud800"', b'"\\ud83d\\ude00"', b'"\\u0000"', b'"\xc3\xa9"',
    b'"OS-EXT-STS:vm_state"', b'"OS-EXT-STS:task_state"', b"{}", b"[]",
    b'"OS-EXT-STS:power\\u005fstate"', b'"id": "a",', b'"id": 7,',
    b'"servers": [],', b'"servers": {"id": "a"},', b'{"id": "a"},',
    b"[" * 1500, b'{"a":' * 1500, b"/**/", b"//\n",
]  # fmt: skip
#: … and of XML.
XML_TOKENS = [
    b"<", b">", b"/>", b"</", b"&", b"&amp;", b"&lt;", b"&#0;", b"&#x10ffff;",
    b"&#xd800;", b"&e;", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?x", b"?>",
    b"<!DOCTYPE x>", b"<!DOCTYPE x [<!ENTITY e 'e'>]>", b'"', b"'", b"=",
    b" ", b"\n", b"\0", b"\x01", b"\xff", b"\xc3", b"\xc3\xa9",
    b"\xef\xbb\xbf", b"\xff\xfe", b"<server>", b"</server>",
    b"<servers>", b"</servers>",
    b'<server id="a"/>', b"<server id='b'></server>", b' id="a"', b" id=''",
    b' id="&#97;"', b' status="UNKNOWN"', b' name=""', b' xmlns=""',
    b' xmlns="http://docs.openstack.org/compute/api/v1.1"', b"<c:server/>",
    b' xmlns:OS-EXT-STS="urn:x"', b' xmlns:OS-EXT-STS=""', b' xmlns:a="urn:a"',
    b' OS-EXT-STS:vm_state="mine"', b' a:task_state="mine"',
    b" xmlns:a='http://docs.openstack.org/compute/ext/extended_status/api/v1.1'",
    b" xmlns:0='http://docs.openstack.org/compute/ext/extended_status/api/v1.1'",
    b' xmlns:OS-EXT-STS="http://docs.openstack.org/compute/ext/'
    b'extended_status/api/v1.1"', b"<a>" * 2000, b' a="' + b"x" * 5000 + b'"',
    b"encoding='utf-16'", b"encoding='cp037'", b"encoding='iso-8859-1'",
    b"standalone='yes'", b"version='1.1'",
]  # fmt: skip


class Format(NamedTuple):
    """The parts of a format's bodies."""

    samples: list[tuple[str, bytes]]
    token: re.Pattern[bytes]
    tokens: list[bytes]
    #: Where a body stays well-formed with another …
    place: re.Pattern[bytes]
    #: … of these pieces.
    pieces: list[bytes]


_STRING = rb'"[^"\\\x00-\x1f]*(?:\\.[^"\\]*)*"'
_NUMBER = rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_SCALAR = re.compile(_STRING + b"|" + _NUMBER + b"|true|false|null")

FORMATS = {
    "json": Format(
        samples.JSON,
        re.compile(_SCALAR.pattern + rb"|[][{}:,]|[ \t\n\r]+"),
        JSON_TOKENS,
        _SCALAR,
        [token for token in JSON_TOKENS if _SCALAR.fullmatch(token)],
    ),
    "xml": Format(
        samples.XML,
        re.compile(rb"<[?!/]?|[/?]?>|\s+|=|\"[^\"]*\"|'[^']*'|[^<>=\s\"']+"),
        XML_TOKENS,
        # Between attributes; and at times between elements, which breaks it.
        re.compile(rb"(?<=[\"'])(?=[\s/>])"),
        [token for token in XML_TOKENS if token.startswith(b" ")],
    ),
}


def mutated(body_format: str, random: random.Random) -> tuple[str, bytes]:
    """Return a call, and a sample of its body with one to four changes."""
    parts = FORMATS[body_format]
    call, body = random.choice(parts.samples)
    if random.random() < 0.5:
        # Mildly: it stays well-formed.
        for _ in range(random.randint(1, 3)):
            found = [match.span() for match in parts.place.finditer(body)]
            start, end = random.choice(found or [(0, 0)])
            body = body[:start] + random.choice(parts.pieces) + body[end:]
        return call, body
    for _ in range(random.randint(1, 4)):
        found = [match.span() for match in parts.token.finditer(body)]
        if not found or random.random() < 0.1:
            at = random.randint(0, len(body))
            rest = body[at + random.randint(0, 1) :]
            body = body[:at] + random.randbytes(1) + rest
            continue
        start, end = random.choice(found)
        if random.random() < 0.3:
            # Up to another token: whole members come and go.
            end = random.choice([span[1] for span in found if span[1] >= end])
        # Replace, insert, delete, repeat, cut or append.
        before = random.choice([start, start, end, len(body)])
        behind = random.choice([start, end, end, len(body)])
        token = random.choice([random.choice(parts.tokens), b""])
        body = body[:before] + token + body[behind:]
    if random.random() < 0.02:
        body = body.decode("latin-1").encode(
            random.choice(["utf-16", "utf-16-be", "utf-32", "utf-8-sig"])
        )
    return call, body
