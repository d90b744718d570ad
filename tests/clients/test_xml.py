"""A client of API v2 reads the states in XML."""

import pytest
import webob
from lxml import etree
from webob import dec

from nova_ext_sts import extension, filter_factory
from nova_ext_sts.demo import api, servers
from tests.support import api_v2

PREFIX = f"{{{extension.NAMESPACE}}}"


def parsed(application, path):
    """Return the root of a response, from a parser that mends nothing."""
    request = webob.Request.blank(f"/v2.1/servers{path}")
    parser = etree.XMLParser(recover=False, resolve_entities=False)
    root = etree.fromstring(request.get_response(application).body, parser)
    # Breaches of the rules of namespaces are errors, too.
    assert list(parser.error_log) == []
    return root


@pytest.mark.parametrize(
    "path", ["", "/detail", f"/{servers.server_id('vm-04')}"]
)
def test_states_are_attributes_and_all_else_is_as_before(path, tmp_path):
    connection = f"sqlite:///{tmp_path}/x"
    servers.make(tmp_path / "x", servers.ALL_STATES)
    in_json = api.app_factory({}, connection=connection)

    def written(request):
        body = api_v2.written(request.get_response(in_json).json)
        return webob.Response(body, content_type="application/xml")

    in_xml = dec.wsgify(written)
    bare = parsed(in_xml, path)
    root = parsed(filter_factory({}, connection=connection)(in_xml), path)
    assert root.nsmap[extension.ALIAS] == extension.NAMESPACE
    found = {}
    for server in root.iter(f"{{{api_v2.COMPUTE}}}server"):
        assert server.nsmap == root.nsmap
        found[server.get("name")] = tuple(
            server.attrib.pop(f"{PREFIX}{name}")
            for name in ("vm_state", "task_state", "power_state")
        )
    assert found == {
        name: tuple(map(str, states))
        for name, states in servers.ALL_STATES.items()
        if name == "vm-04" or "-" not in path
    }
    etree.cleanup_namespaces(root)
    assert etree.tostring(root, method="c14n") == etree.tostring(
        bare, method="c14n"
    )
