"""The extension's entry in bodies that list extensions."""

import json
from xml.etree import ElementTree

import pytest

from nova_ext_sts.extension import DOCUMENTS, NAMESPACE, corrected

COMMON = "http://docs.openstack.org/common/api/v1.0"
XMLNS = f' xmlns="{COMMON}"'
FAKE = "http://docs.openstack.org/compute/ext/fake_xml"
UPDATED = "2011-11-03T00:00:00Z"
ENTRY = {
    "alias": "OS-EXT-STS",
    "description": "Extended Status support.",
    "links": [],
    "name": "ExtendedStatus",
    "namespace": NAMESPACE,
    "updated": UPDATED,
}
ELEMENT = (
    f'<extension{XMLNS} alias="OS-EXT-STS" updated="{UPDATED}" '
    f'namespace="{NAMESPACE}" name="ExtendedStatus">'
    "<description>Extended Status support.</description></extension>"
)


OTHERS = [{"alias": "NMN", "namespace": FAKE}, 1, None, {"alias": 1}]
OWN = {"x": [{"é": 1e3}], "alias": "OS-EXT-STS", "updated": None}
CORRECT = OWN | {"updated": UPDATED, "namespace": NAMESPACE}


@pytest.mark.parametrize(
    ("member", "before", "after"),
    [
        # Unknown members stay, in order.
        (
            "extensions",
            {"z": 1, "extensions": OTHERS, "a": [None]},
            {"z": 1, "extensions": [*OTHERS, ENTRY], "a": [None]},
        ),
        (
            "extensions",
            {"extensions": [OWN, *OTHERS, OWN]},
            {"extensions": [CORRECT, *OTHERS]},
        ),
        ("extensions", {"extensions": [ENTRY] * 2}, {"extensions": [ENTRY]}),
        (
            "extension",
            {"x": 1, "extension": OWN},
            {"x": 1, "extension": CORRECT},
        ),
    ],
)
def test_json_gets_one_correct_entry(member, before, after):
    body = corrected(json.dumps(before).encode(), "json", member)
    assert body == json.dumps(after).encode()
    assert corrected(body, "json", member) is body


@pytest.mark.parametrize("body_format", DOCUMENTS)
def test_document_is_correct(body_format):
    document = DOCUMENTS[body_format]
    assert corrected(document, body_format, "extension") is document
    if body_format == "json":
        assert json.loads(document) == {"extension": ENTRY}
    else:
        assert document.decode() == (
            f"<?xml version='1.0' encoding='UTF-8'?>\n{ELEMENT}"
        )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"extensions": {}}',
        b'{"extensions": []',
        b'{"extensions": [], "x": nan}',
        # json reads these, and could not write them.
        b'{"extensions": [], "x": NaN}',
        b'{"extensions": [], "x": 1e999}',
        b'{"extensions": [], "x": %b}' % (b"9" * 5000),
        b'\xef\xbb\xbf{"extensions": []}',
        '{"extensions": []}'.encode("utf-16"),
        b'{"extensions": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
        b'{"extension": []}',
        b'{"extension": {"alias": "NMN"}}',
    ],
)
@pytest.mark.parametrize("member", ["extensions", "extension"])
def test_other_json_is_refused(body, member):
    with pytest.raises((ValueError, RecursionError)):
        corrected(body, "json", member)


def canonical(text):
    """Return XML with one spelling, whatever the prefixes."""
    return ElementTree.canonicalize(text, rewrite_prefixes=True)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            f"<extensions{XMLNS} />",
            f"<extensions{XMLNS}>{ELEMENT}</extensions>",
        ),
        (
            f"<c:extensions xmlns:c='{COMMON}' xmlns='urn:x' é='&#10;\"'>"
            "<extension alias='OS-EXT-STS'/></c:extensions>",
            f"<c:extensions xmlns:c='{COMMON}' xmlns='urn:x' é='&#10;\"'>"
            f"<extension alias='OS-EXT-STS'/>{ELEMENT}</c:extensions>",
        ),
        (
            f"<extensions{XMLNS}><extension updated='&lt;' x='1' "
            f"alias='OS-EXT-STS' namespace='{FAKE}'><y/>text</extension>"
            f"<extension alias='NMN'/>{ELEMENT}</extensions>",
            f"<extensions{XMLNS}><extension updated='{UPDATED}' x='1' "
            f"alias='OS-EXT-STS' namespace='{NAMESPACE}'><y/>text</extension>"
            "<extension alias='NMN'/></extensions>",
        ),
        (
            f'<extension{XMLNS} alias="OS-EXT-STS" namespace="{FAKE}"/>',
            f'<extension{XMLNS} alias="OS-EXT-STS" namespace="{NAMESPACE}" '
            f'updated="{UPDATED}"/>',
        ),
    ],
)
def test_xml_gets_one_correct_entry(before, after):
    member = "extensions" if "extensions" in before else "extension"
    body = corrected(before.encode(), "xml", member)
    assert canonical(body.decode()) == canonical(after)
    assert corrected(body, "xml", member) is body


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<extensions/>",
        f"<extensions{XMLNS}>",
        f"<!DOCTYPE extensions><extensions{XMLNS}/>",
        f"<?xml version='1.0' encoding='utf-16'?><extensions{XMLNS}/>",
        f"<servers{XMLNS}/>",
        f"<extension{XMLNS} alias='NMN'/>",
        "<extension alias='OS-EXT-STS'/>",
        f"<extensions{XMLNS}>"
        + "<x>" * 9999
        + "</x>" * 9999
        + "</extensions>",
    ],
)
@pytest.mark.parametrize("member", ["extensions", "extension"])
def test_other_xml_is_refused(body, member):
    with pytest.raises((ValueError, RecursionError)):
        corrected(body.encode(), "xml", member)
