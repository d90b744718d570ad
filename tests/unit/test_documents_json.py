"""States spliced into JSON bodies.

The hostile suite has bodies that are cut short, changed or nested deeply.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_ext_sts.calls import Call
from nova_ext_sts.documents import json_body
from nova_ext_sts.documents.json_body import Servers
from nova_ext_sts.extension import ATTRIBUTES
from nova_ext_sts.states import States

RECORDS = {
    "a": States("active", None, 1),
    "b": States("resized", "resize_reverting", 4),
}
ADDED_A = (
    b', "OS-EXT-STS:vm_state": "active", "OS-EXT-STS:task_state": null, '
    b'"OS-EXT-STS:power_state": 1'
)
ADDED_B = (
    b', "OS-EXT-STS:vm_state": "resized", "OS-EXT-STS:task_state": '
    b'"resize_reverting", "OS-EXT-STS:power_state": 4'
)


def spliced(body, call=Call.DETAIL, *, overwrite=False, records=RECORDS):
    return Servers(body, call, overwrite=overwrite).splice(records)


def server_ids(body, call=Call.DETAIL, *, overwrite=False):
    return list(Servers(body, call, overwrite=overwrite).server_ids)


@pytest.mark.parametrize("call", [Call.LIST, Call.DETAIL])
def test_each_server_of_a_list_gets_its_states(call):
    body = b'{"servers": [{"id": "a"}, {"id": "b", "name": "x"}, {"id": "a"}]}'
    assert server_ids(body, call) == ["a", "b"]
    assert spliced(body, call) == (
        b'{"servers": [{"id": "a"%b}, {"id": "b", "name": "x"%b}, '
        b'{"id": "a"%b}]}' % (ADDED_A, ADDED_B, ADDED_A)
    )


@pytest.mark.parametrize(
    "template",
    [
        b' \n{ "servers" :\t[ {"id":"a" @}\r\n,\t{ "id" : "b"@} ] } \n',
        b'{"servers": [{"id": "a"@}, {"id": "b"@}]\n,\n"servers_links":[{}]}',
        b'{"x": {"servers": [{"id": "a"}]}, "servers": [{"id": "a"@},'
        b'{"id": "b"@}], "y": "servers"}',
        # Of repeated members, the last counts.
        b'{"servers": [{"id": "a"}, 7], "servers_links": [], '
        b'"servers": [{"id": "z", "id": "a"@}, {"id": "b"@}]}',
        b'{"servers": [{"id": "a"@}, null, 3, "a", [{"id": "a"}], {}, '
        b'{"id": 3}, {"id": null}, {"id": "c"}, {"id": "b"@}]}',
        b'{"servers": [{"x": {"id": "b"}, "id": "a"@}, {"id": "b", "m": '
        b'"}], \\"servers_links\\": [{"@}]}',
        b'{"x": %b, "servers": [{"id": "a"@}, {"id": "b"@}]}' % (b"9" * 5000),
    ],
)
def test_list_keeps_every_byte(template):
    first, second, third = template.split(b"@")
    assert spliced(first + second + third) == (
        first + ADDED_A + second + ADDED_B + third
    )


@pytest.mark.parametrize(
    "template",
    [
        b'{"server": {"id": "a", "tags": []@}}',
        b'{"x": 1, "server": {"id": "a"@}, "y": {"server": {"id": "a"}}}',
        b'{"server": {"id": "b"}, "server": {"server": {"id": "b"}, "id": '
        b'"a"@}}',
        b'{"server": {"id": "a", "status": "UNKNOWN", "name": null@}}',
        # UTF-8 is checked in parts.
        f'{{"server": {{"id": "a", "name": "{"☃" * 50_000}"@}}}}'.encode(),
    ],
)
def test_show_keeps_every_byte(template):
    first, second = template.split(b"@")
    assert server_ids(first + second, Call.SHOW) == ["a"]
    assert spliced(first + second, Call.SHOW) == first + ADDED_A + second


@pytest.mark.parametrize(
    ("body", "call"),
    [
        (b'{"server": {"id": "a"}}\n', Call.SHOW),
        (
            b'{"servers": [{"id": "a"}], "servers_links": [{"href": "%b", '
            b'"rel": "next"}]}' % (b"x" * 4000),
            Call.DETAIL,
        ),
    ],
)
def test_usual_body_takes_the_short_way(monkeypatch, body, call):
    monkeypatch.delattr(json_body, "_span")  # ten times slower
    assert spliced(body, call).count(ADDED_A) == 1


def test_fields_of_the_application_stay():
    body = (
        b'{"servers": [{"id": "a", "OS-EXT-STS:vm_state": "error", '
        b'"OS-EXT-STS:task_state": "x", "OS-EXT-STS:power_state": null}, '
        b'{"OS-EXT-STS:task_state": null, "id": "b"}]}'
    )
    assert server_ids(body) == ["b"]
    assert spliced(body) == (
        body[:-3] + b', "OS-EXT-STS:vm_state": "resized", '
        b'"OS-EXT-STS:power_state": 4' + body[-3:]
    )


def test_overwrite_replaces_values_and_adds_the_missing():
    template = (
        b'{"servers": [{"id": "a", "metadata": {"OS-EXT-STS:vm_state": "x"}, '
        b'"OS-EXT-STS:vm_state" :\t%b , "n": 1, "OS-EXT-STS:vm_state": %b%b},'
        b'\n {"OS-EXT-STS\\u003atask_state": %b, "id": "b", '
        b'"OS-EXT-STS:power_state": %b, "OS-EXT-STS:vm_state": %b}, '
        b'{"id": "z", "OS-EXT-STS:vm_state": 1}]}'
    )
    body = template % (b'["x"]', b"1", b"", b"1e3", b"{}", b'"\\""')
    assert server_ids(body, overwrite=True) == ["a", "b", "z"]
    assert spliced(body, overwrite=True) == template % (
        b'"active"',
        b'"active"',
        b', "OS-EXT-STS:task_state": null, "OS-EXT-STS:power_state": 1',
        b'"resize_reverting"',
        b"4",
        b'"resized"',
    )


@pytest.mark.parametrize("overwrite", [False, True])
def test_stand_in_of_a_server_in_a_down_cell_is_left_alone(overwrite):
    stand_in = (
        b'{"server": {"id": "a", "status": "UNKNOWN", '
        b'"OS-EXT-STS:power_state": 0}}'
    )
    assert server_ids(stand_in, Call.SHOW, overwrite=overwrite) == []
    assert spliced(stand_in, Call.SHOW, overwrite=overwrite) == stand_in


def test_states_are_written_in_ascii():
    states = States('"é\\☃\n', "\ud800", -7)
    body = spliced(
        b'{"server": {"id": "a"}}', Call.SHOW, records={"a": states}
    )
    assert body.isascii()
    server = json.loads(body)["server"]
    assert tuple(server[name] for name in ATTRIBUTES) == states


@pytest.mark.parametrize("states", [(b"active", None, 1), ("active", None)])
def test_other_states_are_a_type_error(states):
    with pytest.raises(TypeError):
        spliced(b'{"server": {"id": "a"}}', Call.SHOW, records={"a": states})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n" * 9999,
        b"[]",
        b'{"server": {"id": "a"}}',
        b'{"servers": {"id": "a"}}',
        b'{"servers": [{"id": "a"}]',
        b'{"servers": [{"id": "a"}]} x',
        b'{"servers": [{"id": "a"}] "servers_links": []}',
        b'{"servers": [{"id": "a"}], "servers_links": [}',
        b'{"servers": [{"id": "a"}], "x": {"servers_links": []}',
        b'{"servers": [{"id": "a", "x": NaN}]}',
        b'{"servers": [{"id": "a", "x": "\xff"}]}',
        b'\xef\xbb\xbf{"servers": [{"id": "a"}]}',
        '{"servers": [{"id": "a"}]}'.encode("utf-16"),
    ],
)
def test_other_bodies_are_refused(body):
    with pytest.raises(ValueError):  # noqa: PT011 - any will do
        Servers(body, Call.DETAIL, overwrite=False)


# Properties: any value tree as a server, in any spelling.


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
def documents(draw):
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


@given(
    documents(), st.dictionaries(st.sampled_from("abc"), STATES), st.booleans()
)
def test_splice_does_what_load_and_update_do(drawn, records, overwrite):
    text, call = drawn
    body = text.encode()
    expected = reference(text, call, records, overwrite)
    if expected is None:
        with pytest.raises(ValueError):  # noqa: PT011 - any will do
            Servers(body, call, overwrite=overwrite)
        return
    result = spliced(body, call, records=records, overwrite=overwrite)
    assert json.loads(result) == expected
    if not overwrite:
        # Every byte of the body is there, in order.
        rest = iter(result)
        assert all(byte in rest for byte in body)
