"""A client of API v2 reads the states in XML."""

import pytest
from lxml import etree

from nova_ext_sts import extension
from nova_ext_sts.states import States
from tests.support.applications import answering, filtered

COMPUTE = "http://docs.openstack.org/compute/api/v1.1"
ROOT = f'xmlns:atom="http://www.w3.org/2005/Atom" xmlns="{COMPUTE}"'
RECORDS = {
    "a": States("active", "rebooting", 1),
    "b": States("error", None, None),
}
#: Servers as Nova wrote them until API v2 lost its XML.
SERVER = """
  <server{} id="{}" name="x" status="ACTIVE" tenantId="openstack" progress="0">
    <image id="1"><atom:link href="http://nova/images/1" rel="self"/></image>
    <metadata><meta key="purpose">web &amp; mail</meta></metadata>
    <addresses>
      <network id="private"><ip version="4" addr="10.0.0.1"/></network>
    </addresses>
    <atom:link href="http://nova/v2/servers/1" rel="self"/>
  </server>"""
LIST = (
    f"<?xml version='1.0' encoding='UTF-8'?>\n<servers {ROOT}>"
    + "".join(SERVER.format("", server_id) for server_id in RECORDS)
    + "</servers>\n"
)
SHOW = SERVER.format(f" {ROOT}", "a").strip()


def parsed(body):
    """Return the root of a body, from a parser that mends nothing."""
    parser = etree.XMLParser(recover=False, resolve_entities=False)
    root = etree.fromstring(body, parser)
    # Breaches of the rules of namespaces are errors, too.
    assert list(parser.error_log) == []
    return root


@pytest.mark.parametrize(
    ("path", "body", "ids"),
    [("", LIST, "ab"), ("/detail", LIST, "ab"), ("/a", SHOW, "a")],
)
def test_states_are_attributes_and_all_else_is_as_before(
    path, body, ids, sqlite
):
    sqlite.insert_instances((each, *RECORDS[each]) for each in RECORDS)
    application = answering(body.encode(), ("Content-Type", "application/xml"))
    client = filtered(application, connection=sqlite.url)
    root = parsed(client.get(f"/v2/servers{path}").body)
    assert root.nsmap[extension.ALIAS] == extension.NAMESPACE
    found = {}
    for server in root.iter(f"{{{COMPUTE}}}server"):
        assert server.nsmap == root.nsmap
        found[server.get("id")] = tuple(
            server.attrib.pop(f"{{{extension.NAMESPACE}}}{name}")
            for name in States._fields
        )
    assert found == {each: tuple(map(str, RECORDS[each])) for each in ids}
    etree.cleanup_namespaces(root)
    before = parsed(body.encode())
    etree.cleanup_namespaces(before)
    assert etree.tostring(root, method="c14n") == etree.tostring(
        before, method="c14n"
    )
