"""States spliced into XML bodies."""

from __future__ import annotations

import io
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_ext_sts.calls import Call
from nova_ext_sts.documents.markup import MAX_SIZE
from nova_ext_sts.documents.xml import Servers
from nova_ext_sts.extension import NAMESPACE
from nova_ext_sts.states import NO_STATES, States

COMPUTE = "http://docs.openstack.org/compute/api/v1.1"
ACTIVE = States("active", None, 1)
RESIZING = States("resized", "resize_reverting", 4)
RECORDS = {"a": ACTIVE, "b": RESIZING}
XMLNS = f' xmlns="{COMPUTE}"'
DECLARED = f' xmlns:OS-EXT-STS="{NAMESPACE}"'
ADDED_A = (
    ' OS-EXT-STS:vm_state="active" OS-EXT-STS:task_state="None"'
    ' OS-EXT-STS:power_state="1"'
)
ADDED_B = (
    ' OS-EXT-STS:vm_state="resized" OS-EXT-STS:task_state="resize_reverting"'
    ' OS-EXT-STS:power_state="4"'
)


def spliced(
    body: str,
    call: Call = Call.DETAIL,
    *,
    overwrite: bool = False,
    records: dict[str, States] = RECORDS,
    encoding: str = "utf-8",
    charset: str | None = None,
) -> str:
    document = Servers(
        body.encode(encoding), call, overwrite=overwrite, charset=charset
    )
    return document.splice(records).decode(encoding)


def server_ids(
    body: str, call: Call = Call.DETAIL, *, overwrite: bool = False
) -> list[str]:
    return list(Servers(body.encode(), call, overwrite=overwrite).server_ids)


def assert_refused(
    body: bytes, call: Call = Call.DETAIL, charset: str | None = None
) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        Servers(body, call, overwrite=True, charset=charset)


@pytest.mark.parametrize("call", [Call.LIST, Call.DETAIL])
def test_each_server_of_a_list_gets_its_states(call: Call) -> None:
    body = (
        f"<?xml version='1.0' encoding='UTF-8'?>\n<servers{XMLNS}>"
        '<server id="a" name="x"><metadata/></server>\n'
        '<server id="b" name="y"/></servers>\n'
    )
    assert server_ids(body, call) == ["a", "b"]
    assert spliced(body, call) == (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        f"<servers{DECLARED}{XMLNS}>"
        f'<server{ADDED_A} id="a" name="x"><metadata/></server>\n'
        f'<server{ADDED_B} id="b" name="y"/></servers>\n'
    )


def test_show_gets_the_states_of_its_server() -> None:
    body = f'<server{XMLNS} id="a"><image id="b"/></server>'
    assert server_ids(body, Call.SHOW) == ["a"]
    assert spliced(body, Call.SHOW) == (
        f'<server{DECLARED}{ADDED_A}{XMLNS} id="a"><image id="b"/></server>'
    )


def test_nulls_are_written_none() -> None:
    body = f'<server{XMLNS} id="a"/>'
    assert spliced(body, Call.SHOW, records={"a": NO_STATES}) == (
        f'<server{DECLARED} OS-EXT-STS:vm_state="None"'
        ' OS-EXT-STS:task_state="None" OS-EXT-STS:power_state="None"'
        f'{XMLNS} id="a"/>'
    )


@pytest.mark.parametrize(
    "servers",
    [
        "",
        '<server id="unknown"/>',
        '<server name="no id"/>',
        '<!-- <server id="a"/> -->',
        '<![CDATA[<server id="a"/>]]>',
        '<?x <server id="a"/>?>',
        '<x:server xmlns:x="urn:x" id="a"/>',
        '<server xmlns="" id="a"/>',
        '<server xmlns="http://docs.rackspacecloud.com/servers/api/v1.0" '
        'id="a"/>',
        '<x><server id="a"/></x>',
        '<unbound:server id="a"/>',
        '<Server id="a"/>',
    ],
)
def test_a_list_without_servers_to_extend_stays_as_it_is(servers: str) -> None:
    body = f"<servers{XMLNS}>{servers}</servers>"
    assert spliced(body) == body


def test_an_empty_list_stays_as_it_is() -> None:
    body = f"<servers{XMLNS}/>"
    assert server_ids(body) == []
    assert spliced(body) == body


def test_only_direct_children_are_servers() -> None:
    body = (
        f'<servers{XMLNS}>{{}}<server{{}} id="a">'
        '<server id="b"><server id="b"/></server><x><server id="b"/></x>'
        '</server><x><server id="a"/></x><server{} id="b"></server></servers>'
    )
    assert server_ids(body.format("", "", "")) == ["a", "b"]
    assert spliced(body.format("", "", "")) == body.format(
        "", ADDED_A, ADDED_B
    ).replace("<servers", f"<servers{DECLARED}")


def test_a_list_within_a_server_is_not_the_list() -> None:
    body = (
        f"<servers{XMLNS}><server{{}} id='a'><servers><server id='b'/>"
        "</servers><server id='b'/></server></servers>"
    )
    assert spliced(body.format("")) == body.format(ADDED_A).replace(
        "<servers xmlns", f"<servers{DECLARED} xmlns"
    )


def test_show_looks_at_the_root_only() -> None:
    body = f'<server{XMLNS} id="z"><server id="a"/></server>'
    assert server_ids(body, Call.SHOW) == ["z"]
    assert spliced(body, Call.SHOW) == body


def test_an_id_is_looked_up_once() -> None:
    body = (
        f'<servers{XMLNS}><server id="b"/><server id="a"/>'
        '<server id="b"/></servers>'
    )
    assert server_ids(body) == ["b", "a"]
    assert spliced(body, records={"b": RESIZING}) == (
        f'<servers{DECLARED}{XMLNS}><server{ADDED_B} id="b"/>'
        f'<server id="a"/><server{ADDED_B} id="b"/></servers>'
    )


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_server_in_a_cell_that_is_down_stays_as_it_is(
    overwrite: bool,
) -> None:
    body = (
        f'<servers{XMLNS}><server id="a" status="UNKNOWN"/>'
        '<server id="b" status="UNKNOWN" name=""/></servers>'
    )
    assert server_ids(body, overwrite=overwrite) == ["b"]


def test_prefixed_elements_are_extended() -> None:
    body = (
        f'<c:servers{{}} xmlns:c="{COMPUTE}" xmlns="urn:x">'
        f'<server id="b"/><c:server{{}} id="a"/>'
        f'<d:server{{}} xmlns:d="{COMPUTE}" id="b"/></c:servers>'
    )
    assert spliced(body.format("", "", "")) == body.format(
        DECLARED, ADDED_A, ADDED_B
    )


def test_the_extensions_prefix_is_reused() -> None:
    body = f"<servers{DECLARED}{XMLNS}><server{{}} id='a'/></servers>"
    assert spliced(body.format("")) == body.format(ADDED_A)


def test_another_prefix_of_the_namespace_is_used() -> None:
    body = (
        f"<servers xmlns:e='{NAMESPACE}'{XMLNS}><server{{}} id='a'/></servers>"
    )
    assert spliced(body.format("")) == body.format(
        ADDED_A.replace("OS-EXT-STS", "e")
    )


def test_the_extensions_own_prefix_is_preferred() -> None:
    body = (
        f"<servers xmlns:e='{NAMESPACE}'{DECLARED}{XMLNS}>"
        "<server{} id='a'/></servers>"
    )
    assert spliced(body.format("")) == body.format(ADDED_A)


def test_a_default_namespace_is_no_prefix() -> None:
    body = (
        f'<c:servers{{}} xmlns="{NAMESPACE}" xmlns:c="{COMPUTE}">'
        '<c:server{} id="a"/></c:servers>'
    )
    assert spliced(body.format("", "")) == body.format(DECLARED, ADDED_A)


def test_a_free_prefix_is_chosen_where_the_usual_one_is_taken() -> None:
    body = (
        f'<servers{{}} xmlns:OS-EXT-STS="urn:x"{XMLNS}>'
        '<server{} id="a" OS-EXT-STS:vm_state="?"/>'
        '<server{} id="b" xmlns:OS-EXT-STS2="urn:y"/></servers>'
    )
    assert spliced(body.format("", "", "")) == body.format(
        DECLARED.replace("STS", "STS3", 1),
        ADDED_A.replace("STS", "STS3"),
        ADDED_B.replace("STS", "STS3"),
    )


def test_a_declaration_on_the_server_is_used_there() -> None:
    body = (
        f'<servers{{}}{XMLNS}><server{{}} id="a"{DECLARED}/>'
        '<server{} id="b"/></servers>'
    )
    assert spliced(body.format("", "", "")) == body.format(
        DECLARED, ADDED_A, ADDED_B
    )
    assert spliced(body.format("", "", ""), records={"a": ACTIVE}) == (
        body.format("", ADDED_A, "")
    )


def test_a_prefix_that_a_server_rebinds_is_not_used_there() -> None:
    body = (
        f'<servers{{}} xmlns:e="{NAMESPACE}"{XMLNS}>'
        '<server{} xmlns:e="urn:x" id="a"/><server{} id="b"/></servers>'
    )
    assert spliced(body.format("", "", "")) == body.format(
        DECLARED, ADDED_A, ADDED_B.replace("OS-EXT-STS", "e")
    )


@pytest.mark.parametrize(
    "tag",
    [
        "<server{} id='a' name='it is \"quoted\"'/>",
        '<server{}\n\tname = "->"\r\n\tid\n=\n"a"\n/>',
        '<server{} id="&#97;"></server\n>',
        '<server{}\tn="/>" xmlnsx="" id="a">><![CDATA[</server>]]></server>',
    ],
)
def test_start_tags_may_be_written_in_any_way(tag: str) -> None:
    body = f"<servers{XMLNS}>{tag}</servers>"
    assert spliced(body.format("")) == body.format(ADDED_A).replace(
        "<servers", f"<servers{DECLARED}"
    )


def test_a_server_that_has_all_states_is_not_looked_up() -> None:
    body = f"<server{DECLARED}{ADDED_B}{XMLNS} id='a'/>"
    assert server_ids(body, Call.SHOW) == []
    assert spliced(body, Call.SHOW) == body


def test_only_missing_states_are_added() -> None:
    body = (
        f"<server{{}} id='a' e:task_state='own'{XMLNS} xmlns:e='{NAMESPACE}' "
        "task_state='not ours' e:power_state=''/>"
    )
    assert server_ids(body.format(""), Call.SHOW) == ["a"]
    assert spliced(body.format(""), Call.SHOW) == body.format(
        ' e:vm_state="active"'
    )


def test_overwrite_replaces_values_and_keeps_their_quotes() -> None:
    body = (
        f"<servers{XMLNS} xmlns:e='{NAMESPACE}'{DECLARED}><server{{}} id='b' "
        "name='e:task_state=\"\">' e:power_state = '{}'\n"
        'OS-EXT-STS:vm_state="{}" vm_state="x"/></servers>'
    )
    before = body.format("", "0", "&quot;'")
    assert server_ids(before, overwrite=True) == ["b"]
    assert spliced(before, overwrite=True) == body.format(
        ' OS-EXT-STS:task_state="resize_reverting"', "4", "resized"
    )


def test_overwrite_needs_no_declaration_where_nothing_is_added() -> None:
    body = (
        f"<servers{XMLNS}><server id='a'{DECLARED}{{}}/>"
        "<server id='z'/></servers>"
    )
    assert spliced(body.format(ADDED_B), overwrite=True) == body.format(
        ADDED_A
    )


def test_values_are_escaped() -> None:
    states = States("<a href=\"x\" id='y'>&\t\r\n</a>", "é中\U0001f600", 1)
    body = f"<server{{}}{XMLNS} id='a'/>"
    after = spliced(body.format(""), Call.SHOW, records={"a": states})
    assert after == body.format(
        f"{DECLARED} OS-EXT-STS:vm_state="
        '"&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;&#9;&#13;&#10;'
        '&lt;/a&gt;" OS-EXT-STS:task_state="é中\U0001f600"'
        ' OS-EXT-STS:power_state="1"'
    )
    given_states = ElementTree.fromstring(after).attrib  # noqa: S314
    assert given_states[f"{{{NAMESPACE}}}vm_state"] == states.vm_state
    assert given_states[f"{{{NAMESPACE}}}task_state"] == states.task_state


def test_what_xml_cannot_hold_is_replaced() -> None:
    states = States("\0\ud800\ufffe", "\x0b", 0)
    body = f"<server{{}}{XMLNS} id='a'/>"
    after = spliced(body.format(""), Call.SHOW, records={"a": states})
    assert after == body.format(
        f'{DECLARED} OS-EXT-STS:vm_state="\ufffd\ufffd\ufffd"'
        ' OS-EXT-STS:task_state="\ufffd" OS-EXT-STS:power_state="0"'
    )


@pytest.mark.parametrize(
    ("encoding", "declared", "charset"),
    [
        ("utf-8", None, None),
        ("utf-8", None, "UTF8"),
        ("utf-8", "utf8", None),
        ("utf-8-sig", None, None),
        ("utf-8-sig", "iso-8859-1", "koi8-r"),
        ("utf-16", None, None),
        ("utf-16", "UTF-16", "utf-16"),
        ("utf-16", "utf-8", "iso-8859-1"),
        ("utf-16-le", "UTF-16", None),
        ("utf-16-be", "utf-16", None),
        ("utf-16-be", None, "utf-16"),
        ("utf-16-le", None, "UTF-16LE"),
        ("iso-8859-1", "ISO-8859-1", None),
        ("iso-8859-1", "utf-8", "ISO-8859-1"),
        ("cp1252", "windows-1252", None),
        ("iso-8859-15", None, "iso-8859-15"),
        ("mac-roman", "macintosh", None),
        ("us-ascii", "us-ascii", None),
    ],
)
def test_states_are_written_in_the_bodys_encoding(
    encoding: str, declared: str | None, charset: str | None
) -> None:
    name = "é" if encoding != "us-ascii" else "e"
    wide = "中\U0001f600" if encoding.startswith("utf") else "&#20013;"
    text = (
        f"<{name}:servers xmlns:{name}='{COMPUTE}'{{}}>"
        f"<{name}:server{{}} xmlns:{name}s='{NAMESPACE}' {name}='{wide}' "
        f"{name}s:power_state='{{}}' id='a'>{wide}</{name}:server>"
        f"<{name}:server{{}} id='b'/></{name}:servers>"
    )
    if declared:
        text = f'<?xml version="1.0" encoding="{declared}"?>' + text
    records = {"a": States("é中", None, 6), "b": RESIZING}
    document = Servers(
        text.format("", "", "0", "").encode(encoding),
        Call.LIST,
        overwrite=True,
        charset=charset,
    )
    after = text.format(
        "",
        f' {name}s:vm_state="é中" {name}s:task_state="None"',
        "6",
        ADDED_B,
    ).replace(f"{name}:servers xmlns", f"{name}:servers{DECLARED} xmlns")
    assert document.server_ids == ["a", "b"]
    assert document.splice(records) == after.encode(
        encoding, "xmlcharrefreplace"
    )


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        (f"<?xml version='1.0' encoding='utf-16'?><servers{XMLNS}/>", None),
        (f"<?xml version='1.0' encoding='none'?><servers{XMLNS}/>", None),
        (f"<?xml version='1.0' encoding='cp999'?><servers{XMLNS}/>", None),
        (f"<?xml version='1.0' encoding='cp932'?><servers{XMLNS}/>", None),
        (f"<?xml version='1.0' encoding='cp037'?><servers{XMLNS}/>", None),
        (f"<?xml version='1.0' encoding='hz'?><servers{XMLNS}/>", None),
        (f"<?xml version='1.0' encoding=''?><servers{XMLNS}/>", None),
        (f"<servers{XMLNS}/>", "utf-16"),
        (f"<servers{XMLNS}/>", "utf-32"),
        (f"<servers{XMLNS}/>", "unicode_escape"),
        (f"<servers{XMLNS}/>", "idna"),
        (f"<servers{XMLNS}/>", "base64"),
        (f"<servers{XMLNS}/>", ""),
        (f"<servers{XMLNS}/>", "a\0é" * 10000),
        (f"<servers{XMLNS} a='é'/>", "us-ascii"),
    ],
)
def test_an_encoding_that_cannot_be_is_refused(
    body: str, charset: str | None
) -> None:
    assert_refused(body.encode(), charset=charset)


def test_wrong_bytes_of_an_encoding_are_refused() -> None:
    body = f"<servers{XMLNS} a='é'/>"
    assert_refused(body.encode("iso-8859-1"))
    assert_refused(body.encode("utf-16")[:-1])
    assert_refused(body.encode("utf-16").replace(b"\xe9\0", b"\0\xd8"))
    assert_refused(body.encode("utf-16-le"))
    assert_refused(body.encode("utf-16-le"), charset="utf-8")
    assert_refused(body.encode("utf-32"))


@pytest.mark.parametrize(
    "body",
    [
        "",
        " ",
        "{}",
        "<",
        "<?",
        "<!--",
        "<servers/>",
        "<servers xmlns='urn:x'/>",
        f"<server{XMLNS}/>",
        f"<extensions{XMLNS}/>",
        f"<c:servers{XMLNS}/>",
        f"<servers{XMLNS}>",
        f"<servers{XMLNS}></server>",
        f"<servers{XMLNS}/><servers/>",
        f"<servers{XMLNS}><server id='a'></servers>",
        f"<servers{XMLNS}><server id='a' id='b'/></servers>",
        f"<servers{XMLNS}><server id='a'>&e;</server></servers>",
        f"<servers{XMLNS}><server id='<'/></servers>",
        f"<servers{XMLNS}>\0</servers>",
        f" <?xml version='1.0'?><servers{XMLNS}/>",
        f"<?xml version='1.0' encoding?><servers{XMLNS}/>",
    ],
)
def test_a_body_that_is_no_list_of_servers_is_refused(body: str) -> None:
    assert_refused(body.encode())


def test_a_list_is_no_single_server() -> None:
    assert_refused(f"<servers{XMLNS}/>".encode(), Call.SHOW)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE servers>",
        '<!DOCTYPE servers SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE servers [<!ENTITY e "e">]>',
    ],
)
@pytest.mark.parametrize(
    "prolog", ["", "<?xml version='1.0'?>\n", "<!-- - --> <?x ?>\n<?y?>"]
)
def test_a_doctype_is_refused(
    prolog: str, doctype: str, encoding: str
) -> None:
    body = f"{prolog}{doctype}<servers{XMLNS}><server id='a'/></servers>"
    assert_refused(body.encode(encoding))


def test_what_looks_like_a_doctype_is_none() -> None:
    body = (
        "<!-- <!DOCTYPE servers> --><?x <!DOCTYPE servers>?>"
        f"<server{{}}{XMLNS} id='a'><![CDATA[<!DOCTYPE servers>]]></server>"
    )
    assert spliced(body.format(""), Call.SHOW) == body.format(
        DECLARED + ADDED_A
    )


def test_an_entity_bomb_is_refused() -> None:
    entities = "<!ENTITY e0 'ha'>"
    for number in range(1, 12):
        ten = f"&e{number - 1};" * 10
        entities += f"<!ENTITY e{number} '{ten}'>"
    body = f"<!DOCTYPE x [{entities}]><servers{XMLNS}>&e11;</servers>"
    assert_refused(body.encode())  # expanded, it would take 100 gigabytes


def test_servers_may_each_declare_the_same_namespace() -> None:
    server = f'<x:server{{}} xmlns:x="{COMPUTE}" id="a"/>'
    body = f"<servers{{}}{XMLNS}>{server}{server}</servers>"
    assert spliced(body.format("", "", "")) == body.format(
        DECLARED, ADDED_A, ADDED_A
    )


def test_a_body_above_the_limit_is_refused() -> None:
    body = f"<servers{XMLNS}/>".encode()
    assert_refused(body + b" " * (MAX_SIZE + 1 - len(body)))


@pytest.mark.parametrize(
    "servers",
    [
        "<a>" * 100_000 + "</a>" * 100_000,
        "<server id='a'>" * 100_000 + "</server>" * 100_000,
        "<a" + "".join(f" a{n}=''" for n in range(100_000)) + "/>",
        f"<a x='{'y' * 1_000_000}'/>",
        f"<a xmlns:p='{'u' * 500_000}'"
        + "".join(f" p:a{n}=''" for n in range(50_000))
        + "/>",
        f"<{'a' * 1_000_000}/>",
    ],
    ids=[
        "elements in elements",
        "servers in servers",
        "attributes",
        "one large attribute",
        "attributes in one large namespace",
        "one large name",
    ],
)
def test_a_hostile_body_does_not_keep_a_server_from_its_states(
    servers: str,
) -> None:
    body = f"<servers{XMLNS}>{servers}<server{{}} id='b'/></servers>"
    after = spliced(body.format(""), records={"b": RESIZING})
    assert after == body.format(ADDED_B).replace(
        "<servers", f"<servers{DECLARED}", 1
    )


def test_too_many_namespaces_in_one_tag_are_refused() -> None:
    many = "".join(f" xmlns:p{n}='u'" for n in range(21))
    assert_refused(f"<servers{XMLNS}{many}/>".encode())
    assert_refused(
        f"<servers{XMLNS}><server id='a'{many}/></servers>".encode()
    )
    body = f"<servers{XMLNS}><x><x{many}/></x></servers>"
    assert spliced(body) == body


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "koi8-r"])
def test_a_body_that_is_cut_short_is_refused(encoding: str) -> None:
    body = (
        f'<?xml version="1.0" encoding="{encoding}"?><!-- x --><servers{XMLNS}'
        f"{DECLARED}><server id=\"a\" name='>'><![CDATA[<]]><x/></server>"
        '<server OS-EXT-STS:vm_state="д" id="b"/></servers>'
    ).encode(encoding)
    for end in range(len(body)):
        assert_refused(body[:end])


class Written(NamedTuple):
    """A document before and after, but for how it is encoded."""

    before: str
    after: str
    records: dict[str, States]


QUOTES = st.sampled_from("\"'")
SPACES = st.sampled_from([" ", "\n  ", "\t", "\r\n"])
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
    "<x><server id='a'/></x>",
    f'<x xmlns:OS-EXT-STS="{NAMESPACE}" OS-EXT-STS:vm_state=">"/>',
]


@st.composite
def attributes(draw: st.DrawFn, named: dict[str, str]) -> str:
    text = ""
    for name in draw(st.permutations(sorted(named))):
        quote = draw(QUOTES)
        value = named[name].replace("&", "&amp;").replace("<", "&lt;")
        value = value.replace("\n", "&#10;")
        value = value.replace(quote, f"&#{ord(quote)};")
        equals = draw(st.sampled_from(["=", " = ", "\n="]))
        text += f"{draw(SPACES)}{name}{equals}{quote}{value}{quote}"
    return text


@st.composite
def documents(draw: st.DrawFn) -> Written:
    """Make a list of servers of which none has states of its own."""
    records = draw(st.dictionaries(IDS, ALL_STATES))
    element = draw(st.sampled_from(["", "c:", "é:"]))
    own = draw(st.sampled_from(["OS-EXT-STS", "e", ""]))
    bound = {f"xmlns{':' if element else ''}{element[:-1]}": COMPUTE}
    if own:
        bound[f"xmlns:{own}"] = NAMESPACE
    elif draw(st.booleans()):
        bound["xmlns:OS-EXT-STS"] = "urn:x"
    free = "OS-EXT-STS2" if "xmlns:OS-EXT-STS" in bound else "OS-EXT-STS"
    prefix = own or free
    start = f"{draw(attributes(bound))}>"
    before = after = ""
    extended = False
    for id_ in draw(st.lists(IDS, max_size=4)):
        named = {"id": id_, "name": draw(VALUES), "x-é": draw(VALUES)}
        added = ""
        if id_ in records:
            extended = True
            added = "".join(
                f' {prefix}:{name}="{escaped(value)}"'
                for name, value in records[id_]._asdict().items()
            )
        rest = draw(attributes(named))
        inside = "".join(draw(st.lists(st.sampled_from(STRANGE), max_size=2)))
        if draw(st.booleans()):  # or in an element of the very same name
            inside += f"<{element}server id='a'>{inside}</{element}server>"
        rest += f">{inside}</{element}server>" if inside else "/>"
        rest += draw(st.sampled_from(STRANGE))
        before += f"<{element}server{rest}"
        after += f"<{element}server{added}{rest}"
    declared = f' xmlns:{free}="{NAMESPACE}"' if extended and not own else ""
    return Written(
        f"<{element}servers{start}{before}</{element}servers>",
        f"<{element}servers{declared}{start}{after}</{element}servers>",
        records,
    )


def escaped(value: str | int | None) -> str:
    text = str(value).replace("&", "&amp;").replace("<", "&lt;")
    text = text.replace(">", "&gt;").replace('"', "&quot;")
    return text.replace("'", "&#39;").replace("\n", "&#10;")


def canonical(body: bytes) -> str:
    """Return a body as a second parser has it, without states."""
    names = {f"{{{NAMESPACE}}}{name}" for name in States._fields}
    text: str = ElementTree.canonicalize(
        from_file=io.BytesIO(body), with_comments=True, exclude_attrs=names
    )
    return text


@given(
    documents(),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "cp1252"]),
    st.booleans(),
)
def test_any_list_keeps_every_byte_and_gets_its_states(
    written: Written, encoding: str, overwrite: bool
) -> None:
    name = encoding.removesuffix("-sig")
    head = f'<?xml version="1.0" encoding="{name}"?>\n'
    before = (head + written.before).encode(encoding, "xmlcharrefreplace")
    document = Servers(before, Call.DETAIL, overwrite=overwrite)
    after = document.splice(written.records)
    assert after == (head + written.after).encode(
        encoding, "xmlcharrefreplace"
    )
    assert canonical(after) == canonical(before)
    for server in ElementTree.fromstring(after):  # noqa: S314
        if server.tag == f"{{{COMPUTE}}}server":
            states = written.records.get(server.attrib["id"])
            assert [
                server.get(f"{{{NAMESPACE}}}{name}") for name in States._fields
            ] == ([str(state) for state in states] if states else [None] * 3)
    again = Servers(after, Call.DETAIL, overwrite=False)
    assert not set(again.server_ids) & set(written.records)
    assert again.splice(written.records) == after


@given(documents(), st.data())
def test_a_broken_list_is_refused_or_right(
    written: Written, data: st.DataObject
) -> None:
    body = bytearray(written.before.encode())
    place = data.draw(st.integers(0, len(body) - 1))
    body[place : place + data.draw(st.integers(0, 3))] = data.draw(
        st.binary(max_size=3)
    )
    try:
        document = Servers(bytes(body), Call.DETAIL, overwrite=True)
    except ValueError:
        return
    after = document.splice(written.records)
    try:
        before = canonical(bytes(body))
    except ElementTree.ParseError:
        return  # an unbound prefix where prefixes are not looked at
    assert canonical(after) == before


@given(st.binary(max_size=200), st.sampled_from([Call.DETAIL, Call.SHOW]))
def test_any_bytes_are_refused(body: bytes, call: Call) -> None:
    assert_refused(body, call)


@pytest.mark.parametrize(
    "attributes",
    [
        # XML 1.0 allows a prefix that is not bound. Bound, it has a meaning.
        'OS-EXT-STS:vm_state="x"',
        'OS-EXT-STS2:vm_state="x"',
        # A name can end so, but not begin.
        f'xmlns:0="{NAMESPACE}"',
        f'xmlns:-a="{NAMESPACE}"',
    ],
)
def test_prefix_that_cannot_be_used_leaves_the_body_alone(
    attributes: str,
) -> None:
    body = f'<server xmlns="{COMPUTE}" id="a" {attributes}/>'.encode()
    with pytest.raises(ValueError, match="prefix"):
        Servers(body, Call.SHOW, overwrite=False)


def test_sets_of_namespaces_are_bounded() -> None:
    servers = "".join(
        f'<server id="a" xmlns:p="{number}"/>' for number in range(1001)
    )
    body = f'<servers xmlns="{COMPUTE}">{servers}</servers>'.encode()
    with pytest.raises(ValueError, match="1000 sets"):
        Servers(body, Call.LIST, overwrite=False)
