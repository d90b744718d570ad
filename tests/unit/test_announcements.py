"""The extension's own entry in bodies that list extensions."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_ext_sts.announcements import ANNOUNCERS
from nova_ext_sts.extension import NAMESPACE

JSON = ANNOUNCERS["json"]
XML = ANNOUNCERS["xml"]
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
ADDED = json.dumps(ENTRY)
ELEMENT = (
    f'<extension{{}} alias="OS-EXT-STS" updated="{UPDATED}" '
    f'namespace="{NAMESPACE}" name="ExtendedStatus">'
    "<description>Extended Status support.</description></extension>"
)
ADDED_ELEMENT = ELEMENT.format("")


def in_json(body: str) -> str:
    after = JSON.listed(body.encode(), None)
    assert JSON.listed(after, None) is after
    return after.decode()


def in_xml(body: str, encoding: str = "utf-8") -> str:
    after = XML.listed(body.encode(encoding), encoding)
    assert XML.listed(after, encoding) is after
    return after.decode(encoding)


def test_a_json_list_without_the_extension_gets_it_at_its_end() -> None:
    body = '{"extensions": [{"alias": "NMN"}, {"alias": "é"} ], "x": 1}\n'
    assert in_json(body) == (
        '{"extensions": [{"alias": "NMN"}, {"alias": "é"}, '
        + ADDED
        + ' ], "x": 1}\n'
    )


def test_an_empty_json_list_gets_the_extension() -> None:
    assert in_json('{"extensions":[]}') == '{"extensions":[' + ADDED + "]}"


def test_a_right_json_list_stays_as_it_is() -> None:
    body = ('{"extensions": [' + ADDED + ', {"alias": "z"}]}').encode()
    assert JSON.listed(body, "utf-8") is body


def test_novas_placeholder_in_json_is_put_right() -> None:
    body = (
        '{"extensions": [{"alias": "NMN", "namespace": "%(fake)s"}, '
        '{"alias": "OS-EXT-STS", "description": "Extended Status support.", '
        '"links": [], "name": "ExtendedStatus", "namespace": "%(namespace)s", '
        '"updated": "%(updated)s"}, {"alias": "OS-FLV-DISABLED"}]}'
    )
    before = {
        "fake": FAKE,
        "namespace": FAKE,
        "updated": "2014-12-03T00:00:00Z",
    }
    right = {"fake": FAKE, "namespace": NAMESPACE, "updated": UPDATED}
    assert in_json(body % before) == body % right


@pytest.mark.parametrize("value", ["null", "1e999", "[{}]", '"\\u00e9"'])
def test_any_wrong_json_value_is_replaced(value: str) -> None:
    body = (
        '{"extensions": [{"namespace" :%s , "alias": "OS-EXT-STS", '
        '"updated":"%s", "namespace": %s}]}'
    )
    namespace = json.dumps(NAMESPACE)
    assert in_json(body % (value, UPDATED, value)) == body % (
        namespace,
        UPDATED,
        namespace,
    )


def test_missing_json_members_are_added() -> None:
    body = '{"extensions": [{"alias": "OS-EXT-STS" }]}'
    assert in_json(body) == (
        '{"extensions": [{"alias": "OS-EXT-STS", '
        f'"namespace": "{NAMESPACE}", "updated": "{UPDATED}" }}]}}'
    )


def test_surplus_json_entries_go_with_their_commas() -> None:
    surplus = '{"alias": "OS-EXT-STS"}'
    body = '{"extensions": [{"alias": "a"}, %s\n, %s, %s, null,%s]}'
    assert in_json(body % (ADDED, surplus, surplus, surplus)) == (
        '{"extensions": [{"alias": "a"}, ' + ADDED + ", null]}"
    )


def test_an_escaped_alias_is_the_alias() -> None:
    body = '{"extensions": [' + ADDED.replace("OS-", "\\u004fS-") + "]}"
    assert in_json(body) == body


def test_the_last_json_list_counts() -> None:
    body = '{"extensions": [], "extensions": [%s]}'
    assert in_json(body % "") == body % ADDED


def test_a_json_entry_is_put_right() -> None:
    body = '{ "extension": {"alias": "OS-EXT-STS", "namespace": "%s"%s}}'
    after = JSON.shown((body % (FAKE, "")).encode(), None)
    assert after.decode() == body % (NAMESPACE, f', "updated": "{UPDATED}"')
    assert JSON.shown(after, None) is after


def test_the_json_document_is_the_entry() -> None:
    assert JSON.document == b'{"extension": ' + ADDED.encode() + b"}"
    assert JSON.shown(JSON.document, None) is JSON.document


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"extensions": {}}',
        b'{"extensions": null}',
        b'{"extensions": []',
        b'{"extensions": [], "x": nan}',
        b'{"extensions": ["\xe9"]}',
        b'{"extensions": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
        b'{"extension": []}',
        b'{"extension": {"alias": "NMN"}}',
        b'{"extension": {}}',
        b'{"extension": 1}',
    ],
)
def test_json_of_another_kind_is_refused(body: bytes) -> None:
    for put_right in (JSON.listed, JSON.shown):
        with pytest.raises((ValueError, RecursionError)):
            put_right(body, None)


def test_an_xml_list_without_the_extension_gets_it_at_its_end() -> None:
    body = (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        f'<extensions xmlns:atom="http://www.w3.org/2005/Atom"{XMLNS}>'
        '<extension alias="NMN"/> <!-- <extension alias="OS-EXT-STS"/> -->'
        '<x><extension alias="OS-EXT-STS"/></x>'
        '<extension xmlns="urn:x" alias="OS-EXT-STS"/>\n%s</extensions >\n'
    )
    assert in_xml(body % "") == body % ADDED_ELEMENT


def test_an_empty_xml_list_gets_the_extension() -> None:
    assert in_xml(f"<extensions{XMLNS} />") == (
        f"<extensions{XMLNS} >{ADDED_ELEMENT}</extensions>"
    )
    assert in_xml(f"<extensions{XMLNS}></extensions>") == (
        f"<extensions{XMLNS}>{ADDED_ELEMENT}</extensions>"
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_an_added_entry_has_the_roots_prefix(encoding: str) -> None:
    body = f'<é:extensions xmlns:é="{COMMON}" xmlns="urn:x">%s</é:extensions>'
    added = ADDED_ELEMENT.replace("<", "<é:").replace("<é:/", "</é:")
    assert in_xml(body % "", encoding) == body % added


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_a_placeholder_in_xml_is_put_right(encoding: str) -> None:
    body = (
        f'<extensions{XMLNS}><extension name="é" namespace="{FAKE}"/>'
        "<extension updated = '%s' name='>' alias='OS-EXT-STS' "
        'namespace="%s"><description/></extension></extensions>'
    )
    assert in_xml(body % ("&lt;", FAKE), encoding) == body % (
        UPDATED,
        NAMESPACE,
    )


def test_missing_xml_attributes_are_added() -> None:
    body = (
        f'<c:extensions xmlns:c="{COMMON}">'
        "<c:extension%s alias='OS-EXT-STS'/></c:extensions>"
    )
    assert in_xml(body % "") == body % (
        f' namespace="{NAMESPACE}" updated="{UPDATED}"'
    )


def test_surplus_xml_entries_go() -> None:
    body = f"<extensions{XMLNS}>%s <x/>%s\n%s%s</extensions>"
    assert in_xml(
        body
        % (
            ADDED_ELEMENT,
            '<extension alias="OS-EXT-STS"/>',
            "<extension alias='OS-EXT-STS'><extension>></extension>"
            "</extension\n>",
            "<y/>",
        )
    ) == body % (ADDED_ELEMENT, "", "", "<y/>")


def test_an_xml_entry_is_put_right() -> None:
    body = f'<extension%s{XMLNS} alias="OS-EXT-STS" namespace="%s"/>'
    after = XML.shown((body % ("", FAKE)).encode(), None)
    assert after.decode() == body % (f' updated="{UPDATED}"', NAMESPACE)
    assert XML.shown(after, None) is after


def test_the_xml_document_is_the_entry() -> None:
    assert XML.document.decode() == (
        "<?xml version='1.0' encoding='UTF-8'?>\n" + ELEMENT.format(XMLNS)
    )
    assert XML.shown(XML.document, None) is XML.document


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        "<extensions/>",
        f"<extensions{XMLNS}>",
        f"<extensions{XMLNS}></extension>",
        f"<!DOCTYPE extensions><extensions{XMLNS}/>",
        f"<servers{XMLNS}/>",
        f"<extension{XMLNS}/>",
        f"<extension{XMLNS} alias='NMN'/>",
        "<extension alias='OS-EXT-STS'/>",
    ],
)
def test_xml_of_another_kind_is_refused(body: str) -> None:
    for put_right in (XML.listed, XML.shown):
        with pytest.raises(ValueError):  # noqa: PT011
            put_right(body.encode(), None)


ALIASES = st.sampled_from(["NMN", "OS-EXT-STS", "os-ext-sts", "é<"])
VALUES = st.sampled_from([NAMESPACE, UPDATED, FAKE, ">'\"/"])
EXTENSIONS = st.lists(
    st.dictionaries(st.sampled_from(["name", "updated", "namespace"]), VALUES)
    | st.builds(
        lambda alias, more: {"alias": alias} | more,
        ALIASES,
        st.dictionaries(
            st.sampled_from(["name", "updated", "namespace"]), VALUES
        ),
    ),
    max_size=5,
)


def expected(extensions: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Return a list of extensions as it ought to be."""
    right: list[dict[str, Any]] = []
    ours = None
    for entry in extensions:
        if entry.get("alias") != "OS-EXT-STS":
            right.append(entry)
        elif ours is None:
            ours = entry | {"namespace": NAMESPACE, "updated": UPDATED}
            right.append(ours)
    return right if ours else [*right, ENTRY]


@given(EXTENSIONS, st.sampled_from([None, 1]), st.booleans())
def test_any_json_list_has_one_right_entry(
    extensions: list[dict[str, str]], indent: int | None, ascii_only: bool
) -> None:
    body = json.dumps(
        {"extensions": extensions, "links": []},
        indent=indent,
        ensure_ascii=ascii_only,
    )
    assert json.loads(in_json(body)) == {
        "extensions": expected(extensions),
        "links": [],
    }


@given(EXTENSIONS, st.sampled_from(["utf-8", "utf-16", "iso-8859-1"]))
def test_any_xml_list_has_one_right_entry(
    extensions: list[dict[str, str]], encoding: str
) -> None:
    root = ElementTree.Element(f"{{{COMMON}}}extensions")
    for entry in extensions:
        ElementTree.SubElement(root, f"{{{COMMON}}}extension", entry)
    after = in_xml(ElementTree.tostring(root, "unicode"), encoding)
    entries = ElementTree.fromstring(after)  # noqa: S314
    names = ("alias", "name", "namespace", "updated")
    assert [entry.attrib for entry in entries] == [
        {name: entry[name] for name in names if name in entry}
        for entry in expected(extensions)
    ]
