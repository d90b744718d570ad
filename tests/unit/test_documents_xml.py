"""States spliced into XML bodies.

The hostile suite has bodies of any content, and compares every byte.
"""

import pytest

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


def attributes(vm_state, task_state, power_state):
    return (
        f' OS-EXT-STS:vm_state="{vm_state}" OS-EXT-STS:task_state='
        f'"{task_state}" OS-EXT-STS:power_state="{power_state}"'
    )


# A null is written as None.
ADDED_A = attributes("active", "None", 1)
ADDED_B = attributes("resized", "resize_reverting", 4)


def servers(body, call=Call.DETAIL, overwrite=False):
    return Servers(body.encode(), call, overwrite=overwrite)


def assert_spliced(template, *texts, call=Call.DETAIL, records=RECORDS):
    """Assert that texts are added where a template has braces."""
    before = template.format(*[""] * len(texts))
    after = servers(before, call).splice(records).decode()
    assert after == template.format(*texts)


@pytest.mark.parametrize("call", [Call.LIST, Call.DETAIL])
def test_each_server_of_a_list_gets_its_states(call):
    template = (
        f"<?xml version='1.0' encoding='UTF-8'?>\n<servers{{}}{XMLNS}>"
        '<server{} id="a" name="x"><metadata/></server>\n'
        '<server{} id="b" name="y"/><server{} id="a"/></servers>\n'
    )
    added = (DECLARED, ADDED_A, ADDED_B, ADDED_A)
    assert_spliced(template, *added, call=call)


@pytest.mark.parametrize(
    "template",
    [
        f'<server{{}}{XMLNS} id="a"><image id="b"/></server>',
        f'<server{{}}{XMLNS} id="a" status="UNKNOWN" name=""/>',
    ],
)
def test_show_gets_the_states_of_its_server(template):
    assert_spliced(template, DECLARED + ADDED_A, call=Call.SHOW)


@pytest.mark.parametrize(
    "content",
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
def test_list_without_servers_to_extend_stays_unchanged(content):
    body = f"<servers{XMLNS}>{content}</servers>"
    for overwrite in (False, True):
        document = servers(body, overwrite=overwrite)
        assert document.server_ids == []
        assert document.splice(RECORDS).decode() == body
    assert_spliced(f'<servers{XMLNS}>{content}<server id="c"/></servers>')


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
        pytest.param(
            f"<servers{{}}{XMLNS}>{'<a>' * 100_000}{'</a>' * 100_000}"
            '<server{} id="a"/>',
            id="depth",
        ),
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
    complete = servers(
        f"<servers{DECLARED}{XMLNS}><server{ADDED_B} id='a'/></servers>"
    )
    assert complete.server_ids == []
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
        'xmlns:x="urn:x" xmlnsx="" OS-EXT-STS:vm_state="{}" vm_state="x"/>'
        "</servers>"
    )
    document = servers(
        template.format("", COMPUTE, "0", "&quot;'"), overwrite=True
    )
    assert document.server_ids == ["b"]
    assert document.splice(RECORDS).decode() == template.format(
        ' OS-EXT-STS:task_state="resize_reverting"', COMPUTE, "4", "resized"
    )


def test_overwrite_needs_no_declaration_where_nothing_is_added():
    template = (
        f"<servers{XMLNS}><server id='a' xmlns:e='{NAMESPACE}'{{}}/></servers>"
    )
    before, after = (
        template.format(states.replace("OS-EXT-STS", "e"))
        for states in (ADDED_B, ADDED_A)
    )
    document = servers(before, overwrite=True)
    assert document.splice(RECORDS).decode() == after


@pytest.mark.parametrize(
    ("states", "written"),
    [
        (NO_STATES, ("None", "None", "None")),
        (
            States("<a href=\"x\" id='y'>&\t\r\n</a>", "é中\U0001f600", -7),
            (
                "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;&#9;&#13;"
                "&#10;&lt;/a&gt;",
                "é中\U0001f600",
                "-7",
            ),
        ),
        # What XML cannot hold is replaced.
        (
            States("\0\ud800\ufffe", "\x0b", 0),
            ("\ufffd\ufffd\ufffd", "\ufffd", "0"),
        ),
    ],
)
def test_states_are_written_as_attributes(states, written):
    assert_spliced(
        f"<server{{}}{XMLNS} id='a'/>",
        DECLARED + attributes(*written),
        call=Call.SHOW,
        records={"a": states},
    )


@pytest.mark.parametrize(
    "head",
    [
        "<?xml version='1.0' encoding='utf-8'?>",
        "\ufeff",
        '\ufeff<?xml version="1.0" encoding="UTF-8"?>',
    ],
)
def test_utf_8_is_read(head):
    template = (
        f"{head}<é:servers{{}} xmlns:é='{COMPUTE}'>"
        "<é:server{} x='中\U0001f600' id='a'>\U0001f600</é:server>"
        "</é:servers>"
    )
    assert_spliced(template, DECLARED, ADDED_A)


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("", "utf-16"),
        ("", "iso-8859-1"),
        ("utf-16", "utf-8"),
        ("iso-8859-1", "utf-8"),
        ("none", "utf-8"),
    ],
)
def test_other_encodings_are_refused(declared, encoding):
    body = f"<servers{XMLNS} a='é'><server id='a'/></servers>"
    if declared:
        body = f"<?xml version='1.0' encoding='{declared}'?>{body}"
    with pytest.raises(ValueError):  # noqa: PT011 - any will do
        Servers(body.encode(encoding), Call.DETAIL, overwrite=False)


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
    with pytest.raises(ValueError):  # noqa: PT011 - any will do
        servers(body)
