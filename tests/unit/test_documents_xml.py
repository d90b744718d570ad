"""States spliced into XML bodies.

The hostile suite has bodies that are cut short, changed or nested deeply.
"""

from __future__ import annotations

import io
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_ext_sts.calls import Call
from nova_ext_sts.documents.xml_body import MAX_SIZE, Servers
from nova_ext_sts.extension import NAMESPACE
from nova_ext_sts.states import NO_STATES, States

COMPUTE = "http://docs.openstack.org/compute/api/v1.1"
XMLNS = f' xmlns="{COMPUTE}"'
DECLARED = f' xmlns:OS-EXT-STS="{NAMESPACE}"'
RECORDS = {
    "a": States("active", None, 1),
    "b": States("resized", "resize_reverting", 4),
}
ADDED_A = (
    ' OS-EXT-STS:vm_state="active" OS-EXT-STS:task_state="None"'
    ' OS-EXT-STS:power_state="1"'
)
ADDED_B = (
    ' OS-EXT-STS:vm_state="resized" OS-EXT-STS:task_state="resize_reverting"'
    ' OS-EXT-STS:power_state="4"'
)


def spliced(body, call=Call.DETAIL, *, overwrite=False, records=RECORDS):
    document = Servers(body.encode(), call, overwrite=overwrite)
    return document.splice(records).decode()


def assert_spliced(template, *texts, call=Call.DETAIL, **options):
    """Assert that texts are added where a template has braces."""
    before = template.format(*[""] * len(texts))
    assert spliced(before, call, **options) == template.format(*texts)


def server_ids(body, call=Call.DETAIL, *, overwrite=False):
    return list(Servers(body.encode(), call, overwrite=overwrite).server_ids)


def assert_refused(body, call=Call.DETAIL):
    with pytest.raises(ValueError):  # noqa: PT011 - any will do
        Servers(body, call, overwrite=True)


@pytest.mark.parametrize("call", [Call.LIST, Call.DETAIL])
def test_each_server_of_a_list_gets_its_states(call):
    template = (
        f"<?xml version='1.0' encoding='UTF-8'?>\n<servers{{}}{XMLNS}>"
        '<server{} id="a" name="x"><metadata/></server>\n'
        '<server{} id="b" name="y"/><server{} id="a"/></servers>\n'
    )
    added = (DECLARED, ADDED_A, ADDED_B, ADDED_A)
    assert server_ids(template.format(*[""] * 4), call) == ["a", "b"]
    assert_spliced(template, *added, call=call)


def test_show_gets_the_states_of_its_server():
    template = f'<server{{}}{XMLNS} id="a"><image id="b"/></server>'
    assert_spliced(template, DECLARED + ADDED_A, call=Call.SHOW)
    template = f'<server{{}}{XMLNS} id="a" status="UNKNOWN" name=""/>'
    # A null is written as None.
    assert_spliced(
        template,
        f'{DECLARED} OS-EXT-STS:vm_state="None"'
        ' OS-EXT-STS:task_state="None" OS-EXT-STS:power_state="None"',
        call=Call.SHOW,
        records={"a": NO_STATES},
    )


@pytest.mark.parametrize(
    "servers",
    [
        "",
        '<server name="no id"/>',
        '<!-- <server id="a"/> --><![CDATA[<server id="a"/>]]>',
        '<x:server xmlns:x="urn:x" id="a"/>',
        '<server xmlns="" id="a"/>',
        '<x><server id="a"/></x>',
        '<server id="a" status="UNKNOWN"/>',  # in a cell that is down
    ],
)
def test_list_without_servers_to_extend_stays_unchanged(servers):
    body = f"<servers{XMLNS}>{servers}</servers>"
    for overwrite in (False, True):
        assert server_ids(body, overwrite=overwrite) == []
        assert spliced(body, overwrite=overwrite) == body
    body = f'<servers{XMLNS}>{servers}<server id="unknown"/></servers>'
    assert server_ids(body) == ["unknown"]
    assert spliced(body) == body


@pytest.mark.parametrize(
    "template",
    [
        f"<servers{{}}{XMLNS}><server{{}} id='a' n='it is \"quoted\"'/>",
        f'<servers{{}}{XMLNS}><server{{}}\n\tn = "->"\r\n\tid\n=\n"a"\n/>',
        f'<servers{{}}{XMLNS} ><server{{}}\tn="/>" xmlnsx="" id="a">><![CDATA['
        "</server>]]></server>",
        f'<servers{{}}{XMLNS}><server{{}} id="a"><x><server id="b" xmlns=""/>'
        "</x></server>",
        "<!-- <servers/> --><?x <server/>?>\n"
        f'<servers{{}}{XMLNS}><server{{}} id="a"/><!-- -->',
    ],
)
def test_list_keeps_every_byte(template):
    assert_spliced(template + "</servers>\n", DECLARED, ADDED_A)


@pytest.mark.parametrize(
    ("template", "declared", "used"),
    [
        # The prefix of the elements means nothing.
        (
            f'<c:servers{{}} xmlns:c="{COMPUTE}" xmlns="{NAMESPACE}">'
            f'<server id="b"/><c:server{{}} id="a"/>'
            f'<d:server{{}} xmlns:d="{COMPUTE}" id="b"/></c:servers>',
            DECLARED,
            "OS-EXT-STS",
        ),
        # The root has declared the usual prefix, …
        (
            f"<servers{{}}{DECLARED}{XMLNS}><server{{}} id='a'/>"
            "<server{} id='b'/></servers>",
            "",
            "OS-EXT-STS",
        ),
        # … or uses it for another namespace, …
        (
            f'<servers{{}} xmlns:OS-EXT-STS="urn:x"{XMLNS}><server{{}} id="a" '
            'OS-EXT-STS:vm_state="?"/><server{} id="b" '
            'xmlns:OS-EXT-STS2="urn:y"/></servers>',
            DECLARED.replace("STS=", "STS22="),
            "OS-EXT-STS22",
        ),
        # … or a server does.
        (
            f"<servers{{}} xmlns:e='{NAMESPACE}'{XMLNS}><server{{}} id='a'"
            f"{DECLARED}/><server{{}} id='b'/></servers>",
            DECLARED,
            "OS-EXT-STS",
        ),
        (
            f'<servers{{}}{DECLARED}{XMLNS}><server{{}} id="a"/>'
            '<server{} xmlns:OS-EXT-STS="urn:x" id="b"/></servers>',
            DECLARED.replace("STS=", "STS2="),
            "OS-EXT-STS2",
        ),
    ],
)
def test_prefix_is_declared_on_the_root_once(template, declared, used):
    assert_spliced(
        template,
        declared,
        ADDED_A.replace("OS-EXT-STS", used),
        ADDED_B.replace("OS-EXT-STS", used),
    )


def test_only_missing_states_are_added():
    complete = f"<server{DECLARED}{ADDED_B}{XMLNS} id='a'/>"
    assert server_ids(complete, Call.SHOW) == []
    assert spliced(complete, Call.SHOW) == complete
    template = (
        f"<server{{}} id='a' e:task_state='own'{XMLNS} xmlns:e='{NAMESPACE}' "
        "task_state='not ours' e:power_state=''/>"
    )
    assert_spliced(
        template, f'{DECLARED} OS-EXT-STS:vm_state="active"', call=Call.SHOW
    )


def test_overwrite_replaces_values_and_keeps_their_quotes():
    template = (
        f"<servers{XMLNS} xmlns:e='{NAMESPACE}'{DECLARED}><server{{}} id='b' "
        "name='e:task_state=\"\">' xmlns='{}' e:power_state = '{}'\n"
        'xmlns:x="urn:x" OS-EXT-STS:vm_state="{}" vm_state="x"/></servers>'
    )
    before = template.format("", COMPUTE, "0", "&quot;'")
    assert server_ids(before, overwrite=True) == ["b"]
    assert spliced(before, overwrite=True) == template.format(
        ' OS-EXT-STS:task_state="resize_reverting"', COMPUTE, "4", "resized"
    )


def test_overwrite_needs_no_declaration_where_nothing_is_added():
    body = (
        f"<servers{XMLNS}><server id='a' xmlns:e='{NAMESPACE}'{{}}/></servers>"
    )
    given_states = ADDED_B.replace("OS-EXT-STS", "e")
    assert spliced(body.format(given_states), overwrite=True) == body.format(
        ADDED_A.replace("OS-EXT-STS", "e")
    )


def test_values_are_escaped():
    states = States("<a href=\"x\" id='y'>&\t\r\n</a>", "é中\U0001f600", 1)
    template = f"<server{{}}{XMLNS} id='a'/>"
    added = (
        f"{DECLARED} OS-EXT-STS:vm_state="
        '"&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;&#9;&#13;&#10;'
        '&lt;/a&gt;" OS-EXT-STS:task_state="é中\U0001f600"'
        ' OS-EXT-STS:power_state="1"'
    )
    assert_spliced(template, added, call=Call.SHOW, records={"a": states})


def test_what_xml_cannot_hold_is_replaced():
    assert_spliced(
        f"<server{{}}{XMLNS} id='a'/>",
        f'{DECLARED} OS-EXT-STS:vm_state="\ufffd\ufffd\ufffd"'
        ' OS-EXT-STS:task_state="\ufffd" OS-EXT-STS:power_state="0"',
        call=Call.SHOW,
        records={"a": States("\0\ud800\ufffe", "\x0b", 0)},
    )


@pytest.mark.parametrize("states", [(b"active", None, 1), ("active", None)])
def test_other_states_are_a_type_error(states):
    with pytest.raises(TypeError):
        spliced(f"<server{XMLNS} id='a'/>", Call.SHOW, records={"a": states})


@pytest.mark.parametrize(
    ("declaration", "encoding"),
    [
        ("<?xml version='1.0' encoding='utf-8'?>", "utf-8"),
        ("", "utf-8-sig"),
        ('<?xml version="1.0" encoding="UTF-8"?>', "utf-8-sig"),
    ],
)
def test_utf_8_is_read(declaration, encoding):
    template = (
        f"{declaration}<é:servers{{}} xmlns:é='{COMPUTE}'>"
        "<é:server{} x='中\U0001f600' id='a'>\U0001f600</é:server>"
        "</é:servers>"
    )
    body = template.format("", "").encode(encoding)
    document = Servers(body, Call.LIST, overwrite=False)
    assert document.server_ids == ["a"]
    assert document.splice(RECORDS) == template.format(
        DECLARED, ADDED_A
    ).encode(encoding)


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("", "utf-16"),
        ("", "iso-8859-1"),
        ("utf-16", "utf-16"),
        ("utf-16", "utf-8"),
        ("iso-8859-1", "iso-8859-1"),
        ("iso-8859-1", "utf-8"),
        ("none", "utf-8"),
    ],
)
def test_other_encodings_are_refused(declared, encoding):
    body = f"<servers{XMLNS} a='é'><server id='a'/></servers>"
    if declared:
        body = f"<?xml version='1.0' encoding='{declared}'?>{body}"
    assert_refused(body.encode(encoding))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        "<servers/>",
        "<servers xmlns='urn:x'/>",
        f"<server{XMLNS}/>",
        f"<servers{XMLNS}>",
        f"<servers{XMLNS}><server id='a'>&e;</server></servers>",
        # Prefixes that are not bound, or bound twice.
        f"<servers{XMLNS}><x:server id='a'/></servers>",
        f"<servers{XMLNS}><server id='a' OS-EXT-STS:vm_state=''/></servers>",
        # Entities could expand to anything.
        f"<!DOCTYPE servers><servers{XMLNS}/>",
        f"<!DOCTYPE x [<!ENTITY e 'e'>]><servers{XMLNS}>&e;</servers>",
        # Such servers would be hard to tell apart.
        f"<servers{XMLNS}><server id='a'><server/></server></servers>",
        f"<servers{XMLNS}><server><x><server/></x></server><server/></servers>",
        f"<servers{XMLNS}>" + " " * MAX_SIZE + "</servers>",
    ],
)
def test_other_bodies_are_refused(body):
    assert_refused(body.encode("utf-8", "surrogateescape"))


def test_list_is_no_single_server():
    assert_refused(f"<servers{XMLNS}/>".encode(), Call.SHOW)


@pytest.mark.parametrize(
    "servers",
    [
        "<a>" * 100_000 + "</a>" * 100_000,
        f"<a x='{'y' * 1_000_000}'/>",
    ],
    ids=["depth", "one large attribute"],
)
def test_large_element_does_not_keep_a_server_from_its_states(servers):
    template = f"<servers{{}}{XMLNS}>{servers}<server{{}} id='b'/></servers>"
    assert_spliced(template, DECLARED, ADDED_B)


# Properties: lists of servers, in any spelling.


VALUES = st.text("aé中\U0001f600д <>&\"'=/:\n", max_size=6)
IDS = st.sampled_from(["a", "b", "c", "d&", "é"])
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
def documents(draw):
    """Draw a list of servers without states, and make it with them."""
    records = draw(st.dictionaries(IDS, ALL_STATES))
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
    for server_id in draw(st.lists(IDS, max_size=4)):
        named = {"id": server_id, "name": draw(VALUES), "x-é": draw(VALUES)}
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


@given(documents(), st.booleans())
def test_any_list_keeps_every_byte_and_gets_its_states(drawn, overwrite):
    before, expected, records = drawn
    body = before.encode()
    after = Servers(body, Call.DETAIL, overwrite=overwrite).splice(records)
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
