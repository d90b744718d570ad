"""Bodies of any content, in any spelling, against a plain implementation.

The hostile tests have bodies that are broken, too.
"""

import io
import json
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_ext_sts.calls import Call
from nova_ext_sts.documents import READERS
from nova_ext_sts.extension import ATTRIBUTES, ENTRY, NAMESPACE, corrected
from nova_ext_sts.states import States

COMPUTE = "http://docs.openstack.org/compute/api/v1.1"
COMMON = "http://docs.openstack.org/common/api/v1.0"

# How long an example takes depends on what else the machine does.
relaxed = settings(deadline=None)

# JSON: any value tree as a server.


class Members(tuple[tuple[str, Any], ...]):
    """The members of an object, in order, repeated ones included."""


TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
NAMES = st.one_of(
    TEXT,
    st.sampled_from(
        ["id", "name", "status", "servers", "server", "servers_links"]
    ),
    st.sampled_from(ATTRIBUTES),
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXT,
        st.sampled_from(["a", "b", "UNKNOWN"]),
    ),
    lambda children: st.one_of(
        st.lists(children, max_size=3),
        # Pairs, so that a name may occur twice.
        st.lists(st.tuples(NAMES, children), max_size=4).map(Members),
    ),
    max_leaves=12,
)
STATES = st.builds(
    States,
    st.none() | TEXT,
    st.none() | TEXT,
    st.none() | st.integers(-(2**31), 2**31),
)

SERVERS = st.one_of(
    VALUES,
    st.lists(
        st.one_of(
            st.tuples(NAMES, VALUES),
            st.tuples(st.just("id"), st.sampled_from(["a", "b", "c"])),
            st.tuples(st.sampled_from(ATTRIBUTES), VALUES),
        ),
        max_size=6,
    ).map(Members),
)


@st.composite
def written(draw, value):
    """Write a value tree as JSON, with any spacing and escapes."""

    def space():
        return draw(st.text(" \t\n\r", max_size=2))

    def text(value):
        style = draw(st.sampled_from(["plain", "ascii", "escaped"]))
        if style == "escaped":
            units = value.encode("utf-16-be")
            escapes = (
                f"\\u{units[at : at + 2].hex()}"
                for at in range(0, len(units), 2)
            )
            return f'"{"".join(escapes)}"'
        return json.dumps(value, ensure_ascii=style == "ascii")

    def write(value):
        if isinstance(value, Members):
            members = (
                f"{space()}{text(name)}{space()}:{space()}{write(member)}"
                f"{space()}"
                for name, member in value
            )
            return f"{{{','.join(members) or space()}}}"
        if isinstance(value, list):
            elements = (f"{space()}{write(item)}{space()}" for item in value)
            return f"[{','.join(elements) or space()}]"
        return text(value) if isinstance(value, str) else json.dumps(value)

    return space() + write(value) + space()


@st.composite
def json_documents(draw):
    """Draw a list or a show, with other members around it."""
    call = draw(st.sampled_from([Call.DETAIL, Call.SHOW]))
    if call is Call.SHOW:
        ours = ("server", draw(SERVERS))
    else:
        ours = ("servers", draw(st.lists(SERVERS, max_size=4)))
    others = st.lists(st.tuples(NAMES, VALUES), max_size=2)
    members = [*draw(others), ours, *draw(others)]
    return draw(written(Members(members))), call


def reference(text, call, records, overwrite):
    """Return the document as a plain load and update makes it.

    Or None, if it holds no servers.
    """
    document = json.loads(text)
    if call is Call.SHOW:
        servers = [document["server"]]
        if not isinstance(servers[0], dict):
            return None
    else:
        servers = document["servers"]
        if not isinstance(servers, list):
            return None
    for server in servers:
        if (
            not isinstance(server, dict)
            or not isinstance(server.get("id"), str)
            or (server.get("status") == "UNKNOWN" and "name" not in server)
        ):
            continue
        states = records.get(server["id"])
        for name, state in zip(ATTRIBUTES, states or (), strict=False):
            if overwrite or name not in server:
                server[name] = state
    return document


@relaxed
@given(
    json_documents(),
    st.dictionaries(st.sampled_from("abc"), STATES),
    st.booleans(),
)
def test_json_is_spliced_as_load_and_update_do(drawn, records, overwrite):
    text, call = drawn
    body = text.encode()
    expected = reference(text, call, records, overwrite)
    if expected is None:
        with pytest.raises(ValueError):  # noqa: PT011 - any will do
            READERS["json"](body, call, overwrite=overwrite)
        return
    document = READERS["json"](body, call, overwrite=overwrite)
    result = document.splice(records)
    assert json.loads(result) == expected
    if not overwrite:
        # Every byte of the body is there, in order.
        rest = iter(result)
        assert all(byte in rest for byte in body)


# XML: lists of servers, and the same with states.


ATTRIBUTE_VALUES = st.text("aé中\U0001f600д <>&\"'=/:\n", max_size=6)
XML_IDS = st.sampled_from(["a", "b", "c", "d&", "é"])
ALL_STATES = st.builds(
    States,
    st.text("aé中\U0001f600<&\"'\n ", max_size=4),
    st.none() | st.text("bд>", max_size=3),
    st.none() | st.integers(),
)
STRANGE = [
    "",
    "text &lt; &#x41; ]] >",
    '<!-- <server id="a"> -->',
    '<![CDATA[<server id="a">]]>',
    "<?server id='a'>?>",
    '<server xmlns="urn:x" id="a"/>',
    f'<x xmlns:e="{NAMESPACE}" e:vm_state=">"><y/></x>',
]


@st.composite
def attributes(draw, named):
    text = ""
    for name in draw(st.permutations(sorted(named))):
        space = draw(st.sampled_from([" ", "\n  ", "\t", "\r\n"]))
        equals = draw(st.sampled_from(["=", " = ", "\n="]))
        quote = draw(st.sampled_from("\"'"))
        value = named[name].replace("&", "&amp;").replace("<", "&lt;")
        value = value.replace("\n", "&#10;")
        value = value.replace(quote, f"&#{ord(quote)};")
        text += f"{space}{name}{equals}{quote}{value}{quote}"
    return text


@st.composite
def xml_documents(draw):
    """Draw a list of servers without states, and make it with them."""
    records = draw(st.dictionaries(XML_IDS, ALL_STATES))
    element = draw(st.sampled_from(["", "c:", "é:"]))
    bound = {f"xmlns{':' if element else ''}{element[:-1]}": COMPUTE}
    own = draw(st.sampled_from(["", NAMESPACE, "urn:x"]))
    if own:
        bound["xmlns:OS-EXT-STS"] = own
    prefix = "OS-EXT-STS2" if own == "urn:x" else "OS-EXT-STS"
    start = f"{draw(attributes(bound))}>"
    before = after = ""
    is_declared = own == NAMESPACE
    declaration = ""
    for server_id in draw(st.lists(XML_IDS, max_size=4)):
        named = {
            "id": server_id,
            "name": draw(ATTRIBUTE_VALUES),
            "x-é": draw(ATTRIBUTE_VALUES),
        }
        added = ""
        if server_id in records:
            if not is_declared:
                declaration = f' xmlns:{prefix}="{NAMESPACE}"'
            added = "".join(
                f' {prefix}:{name}="{escaped(value)}"'
                for name, value in records[server_id]._asdict().items()
            )
        rest = draw(attributes(named))
        inside = "".join(draw(st.lists(st.sampled_from(STRANGE), max_size=2)))
        rest += f">{inside}</{element}server>" if inside else "/>"
        rest += draw(st.sampled_from(STRANGE))
        before += f"<{element}server{rest}"
        after += f"<{element}server{added}{rest}"
    head = draw(st.sampled_from(["", "\ufeff", "<?xml version='1.0'?>\n"]))
    return (
        f"{head}<{element}servers{start}{before}</{element}servers>",
        f"{head}<{element}servers{declaration}{start}{after}"
        f"</{element}servers>",
        records,
    )


def escaped(value):
    text = str(value).replace("&", "&amp;").replace("<", "&lt;")
    text = text.replace(">", "&gt;").replace('"', "&quot;")
    return text.replace("'", "&#39;").replace("\n", "&#10;")


def canonical(body):
    """Return a body as a second parser reads it, without states."""
    names = {f"{{{NAMESPACE}}}{name}" for name in States._fields}
    text: str = ElementTree.canonicalize(
        from_file=io.BytesIO(body), with_comments=True, exclude_attrs=names
    )
    return text


@relaxed
@given(xml_documents(), st.booleans())
def test_xml_keeps_every_byte_and_gets_its_states(drawn, overwrite):
    before, expected, records = drawn
    body = before.encode()
    after = READERS["xml"](body, Call.DETAIL, overwrite=overwrite).splice(
        records
    )
    assert after.decode() == expected
    assert canonical(after) == canonical(body)
    for server in ElementTree.fromstring(after):  # noqa: S314
        if server.tag == f"{{{COMPUTE}}}server":
            states = records.get(server.attrib["id"], ())
            found = [
                server.get(f"{{{NAMESPACE}}}{name}")
                for name in States._fields[: len(states)]
            ]
            assert found == list(map(str, states))


# Lists of extensions.


ENTRY_VALUES = st.sampled_from(
    [
        NAMESPACE,
        ENTRY["updated"],
        "http://docs.openstack.org/compute/ext/fake_xml",
        ">'\"/\té<&",
    ]
)
EXTENSIONS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "alias": st.sampled_from(["NMN", "OS-EXT-STS", "os-ext-sts"]),
            "name": ENTRY_VALUES,
            "namespace": ENTRY_VALUES,
            "updated": ENTRY_VALUES,
        },
    ),
    max_size=5,
)


@relaxed
@given(EXTENSIONS)
def test_list_of_extensions_gets_a_correct_entry(entries):
    expected: list[dict[str, Any]] = []
    own = False
    for entry in entries:
        if entry.get("alias") != "OS-EXT-STS":
            expected.append(entry)
        elif not own:
            own = True
            changes = {"namespace": NAMESPACE, "updated": ENTRY["updated"]}
            expected.append(entry | changes)
    if not own:
        expected.append(ENTRY)
    body = json.dumps({"extensions": entries}).encode()
    found = json.loads(corrected(body, "json", "extensions"))
    assert found == {"extensions": expected}
    root = ElementTree.Element(f"{{{COMMON}}}extensions")
    for entry in entries:
        ElementTree.SubElement(root, f"{{{COMMON}}}extension", entry)
    body = corrected(ElementTree.tostring(root), "xml", "extensions")
    elements = ElementTree.fromstring(body)  # noqa: S314
    # In XML, the description is an element, and there are no links.
    assert [entry.attrib for entry in elements] == [
        {
            name: value
            for name, value in entry.items()
            if name not in ("description", "links")
        }
        for entry in expected
    ]
