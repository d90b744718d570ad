"""The extension's entry in bodies that list extensions."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def in_json(document, member="extensions"):
    after = corrected(json.dumps(document).encode(), "json", member)
    assert corrected(after, "json", member) is after
    return json.loads(after)


def in_xml(body, member="extensions"):
    after = corrected(body.encode(), "xml", member)
    assert corrected(after, "xml", member) is after
    return ElementTree.fromstring(after)  # noqa: S314


def assert_same(element, text):
    """Assert that an element is the one in a text, but for prefixes."""
    expected = ElementTree.fromstring(text)  # noqa: S314
    assert [
        (each.tag, each.attrib, each.text, each.tail)
        for each in element.iter()
    ] == [
        (each.tag, each.attrib, each.text, each.tail)
        for each in expected.iter()
    ]


def test_entry_in_json_is_added_or_corrected():
    others = [{"alias": "NMN", "namespace": FAKE}, 1, None, {"alias": 1}]
    own = {"x": [{"é": 1e3}], "alias": "OS-EXT-STS", "updated": None}
    right = own | {"namespace": NAMESPACE, "updated": UPDATED}
    for entries, expected in (
        (others, [*others, ENTRY]),
        ([*others, own], [*others, right]),
    ):
        document = {"z": 1, "extensions": entries, "a": [None]}
        found = in_json(document)
        # Unknown members stay, in order.
        assert list(found) == list(document)
        assert found == document | {"extensions": expected}
    assert list(found["extensions"][-1]) == [*own, "namespace"]
    entry = ENTRY | {"namespace": FAKE, "links": [1]}
    assert in_json({"extension": entry, "x": 1}, "extension") == {
        "extension": ENTRY | {"links": [1]},
        "x": 1,
    }


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
            "</extensions>",
            f"<extensions{XMLNS}><extension updated='{UPDATED}' x='1' "
            f"alias='OS-EXT-STS' namespace='{NAMESPACE}'><y/>text</extension>"
            "</extensions>",
        ),
    ],
)
def test_list_in_xml_gets_a_correct_entry(before, after):
    assert_same(in_xml(before), after)


def test_entry_in_xml_is_corrected():
    body = f'<extension{XMLNS} alias="OS-EXT-STS" namespace="%s"%s/>'
    assert_same(
        in_xml(body % (FAKE, ""), "extension"),
        body % (NAMESPACE, f' updated="{UPDATED}"'),
    )


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


VALUES = st.sampled_from([NAMESPACE, UPDATED, FAKE, ">'\"/\té<&"])
EXTENSIONS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "alias": st.sampled_from(["NMN", "OS-EXT-STS", "os-ext-sts"]),
            "name": VALUES,
            "namespace": VALUES,
            "updated": VALUES,
        },
    ),
    max_size=5,
)


@given(EXTENSIONS)
def test_any_list_gets_a_correct_entry(entries):
    expected: list[dict[str, Any]] = []
    own = False
    for entry in entries:
        if entry.get("alias") != "OS-EXT-STS":
            expected.append(entry)
        elif not own:
            own = True
            changes = {"namespace": NAMESPACE, "updated": UPDATED}
            expected.append(entry | changes)
    if not own:
        expected.append(ENTRY)
    assert in_json({"extensions": entries})["extensions"] == expected
    root = ElementTree.Element(f"{{{COMMON}}}extensions")
    for entry in entries:
        ElementTree.SubElement(root, f"{{{COMMON}}}extension", entry)
    found = in_xml(ElementTree.tostring(root, "unicode"))
    # In XML, the description is an element, and there are no links.
    assert [entry.attrib for entry in found] == [
        {
            name: value
            for name, value in entry.items()
            if name not in ("description", "links")
        }
        for entry in expected
    ]
