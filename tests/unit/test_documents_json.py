"""States spliced into JSON bodies.

The hostile suite has bodies of any content, and compares every byte.
"""

import json

import pytest

from nova_ext_sts.calls import Call
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


def servers(body, call=Call.DETAIL, overwrite=False):
    return Servers(body, call, overwrite=overwrite)


def spliced(body, call=Call.DETAIL, overwrite=False, records=RECORDS):
    return servers(body, call, overwrite).splice(records)


def assert_spliced(template, call=Call.DETAIL):
    """Assert that states are added at each @ and # of a template."""
    body = template.replace(b"@", b"").replace(b"#", b"")
    assert spliced(body, call) == (
        template.replace(b"@", ADDED_A).replace(b"#", ADDED_B)
    )


@pytest.mark.parametrize("call", [Call.LIST, Call.DETAIL])
def test_each_server_of_a_list_gets_its_states(call):
    template = (
        b'{"servers": [{"id": "a"@}, {"id": "b", "x": 1#}, {"id": "a"@}]}'
    )
    assert_spliced(template, call)


def test_each_id_is_looked_up_once():
    body = b'{"servers": [{"id": "a"}, {"id": "b"}, {"id": "a"}, {"id": 3}]}'
    assert servers(body).server_ids == ["a", "b"]


@pytest.mark.parametrize(
    "template",
    [
        b' \n{ "servers" :\t[ {"id":"a" @}\r\n,\t{ "id" : "b"#} ] } \n',
        b'{"servers": [{"id": "a"@}, {"id": "b"#}]\n,\n"servers_links":[{}]}',
        b'{"x": {"servers": [{"id": "a"}]}, "servers": [{"id": "a"@},'
        b'{"id": "b"#}], "y": "servers"}',
        # Of repeated members, the last counts.
        b'{"servers": [{"id": "a"}, 7], "servers_links": [], '
        b'"servers": [{"id": "z", "id": "a"@}, {"id": "b"#}]}',
        b'{"servers": [{"id": "a"@}, null, 3, "a", [{"id": "a"}], {}, '
        b'{"id": 3}, {"id": null}, {"id": "c"}, {"id": "b"#}]}',
        b'{"servers": [{"x": {"id": "b"}, "id": "a"@}, {"id": "b", "m": '
        b'"}], \\"servers_links\\": [{"#}]}',
        b'{"x": %b, "servers": [{"id": "a"@}]}' % (b"9" * 5000),
    ],
)
def test_list_keeps_every_byte(template):
    assert_spliced(template)


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
    assert_spliced(template, Call.SHOW)


def test_fields_of_the_application_stay():
    body = (
        b'{"servers": [{"id": "a", "OS-EXT-STS:vm_state": "error", '
        b'"OS-EXT-STS:task_state": "x", "OS-EXT-STS:power_state": null}, '
        b'{"OS-EXT-STS:task_state": null, "id": "b"}]}'
    )
    assert servers(body).server_ids == ["b"]
    assert spliced(body) == (
        body[:-3] + b', "OS-EXT-STS:vm_state": "resized", '
        b'"OS-EXT-STS:power_state": 4' + body[-3:]
    )


def test_overwrite_replaces_values_and_adds_the_missing():
    template = (
        b'{"servers": [{"id": "a", "metadata": {"OS-EXT-STS:vm_state": "x"}, '
        b'"OS-EXT-STS:vm_state" :\t%b , "\xc3\xa9": 1, '
        b'"OS-EXT-STS:vm_state": %b%b},'
        b'\n {"OS-EXT-STS\\u003atask_state": %b, "id": "b", '
        b'"OS-EXT-STS:power_state": %b, "OS-EXT-STS:vm_state": %b}, '
        b'{"id": "z", "OS-EXT-STS:vm_state": 1}]}'
    )
    body = template % (b'["x"]', b"1", b"", b"1e3", b"{}", b'"\\""')
    assert servers(body, overwrite=True).server_ids == ["a", "b", "z"]
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
    assert servers(stand_in, Call.SHOW, overwrite).server_ids == []
    assert spliced(stand_in, Call.SHOW, overwrite) == stand_in


def test_states_are_written_in_ascii():
    states = States('"é\\☃\n', "\ud800", -7)
    body = spliced(b'{"servers": [{"id": "a"}]}', records={"a": states})
    assert body.isascii()
    (server,) = json.loads(body)["servers"]
    assert tuple(server[name] for name in ATTRIBUTES) == states


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
        servers(body)
