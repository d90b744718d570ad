"""The filter among those around it in Nova's pipeline, and before a proxy."""

import openstack
import pytest
from keystonemiddleware.fixture import AuthTokenFixture
from paste import deploy
from webtest.http import StopableWSGIServer

from nova_ext_sts import extension
from tests.servers.adapters import PASTE_FILE
from tests.support.applications import Client

#: In Nova's order.
FILTERS = (
    "cors",
    "http_proxy_to_wsgi",
    "request_id",
    "sizelimit",
    "osprofiler",
    "authtoken",
)
EXTENDED = "extended_status_demo"
API = "demo_api"

ORIGIN = "https://dashboard.test"

SECTIONS = f"""\
[filter:cors]
paste.filter_factory = oslo_middleware.cors:filter_factory
allowed_origin = {ORIGIN}

[filter:http_proxy_to_wsgi]
paste.filter_factory = oslo_middleware:HTTPProxyToWSGI.factory
enable_proxy_headers_parsing = true

[filter:request_id]
paste.filter_factory = oslo_middleware:RequestId.factory

[filter:sizelimit]
paste.filter_factory = oslo_middleware:RequestBodySizeLimiter.factory

[filter:osprofiler]
paste.filter_factory = osprofiler.web:WsgiMiddleware.factory
hmac_keys = key
enabled = true

[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
auth_type = none
www_authenticate_uri = http://identity.test
service_token_roles_required = true

[filter:gzip]
use = egg:Paste#gzip

[app:healthcheck]
paste.app_factory = oslo_middleware:Healthcheck.app_factory
backends = disable_by_file
disable_by_file_path = /nonexistent
"""

TOKEN = "token"  # noqa: S105
OWN_HEADERS = ("content-length", "content-type", "openstack-api-version")


def pipeline(*stages):
    """Return the section of the application ``main``: its stages in order."""
    return f"[pipeline:main]\npipeline = {' '.join(stages)}\n"


def urlmap(name, **paths):
    """Return a section that maps paths to applications."""
    lines = [f"/{path}: {app}" for path, app in paths.items()]
    return "\n".join(
        [f"[composite:{name}]", "use = egg:Paste#urlmap", *lines, ""]
    )


def loaded(directory, *sections):
    """Return the application ``main`` of a paste file.

    :param directory: for the file and the demo's database
    :param sections: added to the file that ships and to ``SECTIONS``
    """
    file = directory / "api-paste.ini"
    file.write_text("\n".join((PASTE_FILE.read_text(), SECTIONS, *sections)))
    return deploy.loadapp(
        f"config:{file}",
        name="main",
        global_conf={"demo_connection": f"sqlite:///{directory}/demo.sqlite"},
    )


@pytest.fixture
def token():
    """Have keystonemiddleware know one token."""
    with AuthTokenFixture() as tokens:
        tokens.add_token_data(
            token_id=TOKEN,
            user_id="user",
            project_id="project",
            role_list=["reader"],
        )
        yield


@pytest.fixture
def plain(tmp_path):
    """The filter and the API alone."""
    return Client(loaded(tmp_path, pipeline(EXTENDED, API)))


def paths(plain):
    servers = plain.get("/v2.1/servers").json["servers"]
    assert all(extension.ATTRIBUTES[0] in server for server in servers)
    return [
        "/v2.1/servers",
        "/v2.1/servers/detail",
        f"/v2.1/servers/{servers[0]['id']}",
        "/v2.1/extensions",
        f"/v2.1/extensions/{extension.ALIAS}",
        "/v2.1/servers/absent",
        "/v2.1/flavors",
    ]


def assert_same(client, plain, prefix="", **headers):
    """Assert that two applications give the same responses.

    :param prefix: of the client's paths
    :param headers: of the client's requests
    """
    for path in paths(plain):
        response = client.get(f"{prefix}{path}", **headers)
        expected = plain.get(path)
        body = expected.body.replace(
            b"http://127.0.0.1/", f"http://127.0.0.1{prefix}/".encode()
        )
        assert (response.status, response.body) == (expected.status, body)
        own, theirs = (
            {
                name.lower(): value
                for name, value in each.headers
                if name.lower() in OWN_HEADERS
            }
            for each in (response, expected)
        )
        assert own == theirs | {"content-length": str(len(body))}


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("place", range(len(FILTERS) + 1))
def test_filter_works_in_any_place(place, plain, tmp_path):
    stages = [*FILTERS[:place], EXTENDED, *FILTERS[place:], API]
    client = Client(loaded(tmp_path, pipeline(*stages)))
    assert_same(client, plain, HTTP_X_AUTH_TOKEN=TOKEN)
    response = client.get(
        "/v2.1/servers", HTTP_X_AUTH_TOKEN=TOKEN, HTTP_ORIGIN=ORIGIN
    )
    headers = dict(response.headers)
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert headers["x-openstack-request-id"].startswith("req-")

    for path in ("/v2.1/servers", f"/v2.1/extensions/{extension.ALIAS}"):
        response = client.get(path)
        assert response.status == "401 Unauthorized"
        assert "WWW-Authenticate" in response.names


@pytest.mark.usefixtures("token")
def test_links_are_those_of_the_proxy_in_front(plain, tmp_path):
    client = Client(loaded(tmp_path, pipeline(*FILTERS, EXTENDED, API)))
    response = client.get(
        "/v2.1/servers",
        HTTP_X_AUTH_TOKEN=TOKEN,
        HTTP_X_FORWARDED_PROTO="https",
        HTTP_X_FORWARDED_HOST="compute.test",
    )

    assert response.body == plain.get("/v2.1/servers").body.replace(
        b"http://127.0.0.1/", b"https://compute.test/"
    )


@pytest.mark.parametrize(
    ("sections", "prefix"),
    [
        ([urlmap("main", healthcheck="healthcheck", **{"": "demo"})], ""),
        ([urlmap("main", compute="demo")], "/compute"),
        ([pipeline(EXTENDED, "mapped"), urlmap("mapped", **{"": API})], ""),
    ],
    ids=["health check beside", "urlmap in front", "urlmap behind"],
)
def test_pipeline_makes_no_difference(sections, prefix, plain, tmp_path):
    assert_same(Client(loaded(tmp_path, *sections)), plain, prefix)


def test_filter_in_front_of_a_mount_point_changes_nothing(tmp_path, plain):
    """It knows the API's paths: the mount point has to be before it."""
    mapped = urlmap("mapped", compute=API)
    bare = Client(loaded(tmp_path, pipeline("mapped"), mapped))
    client = Client(loaded(tmp_path, pipeline(EXTENDED, "mapped"), mapped))
    for path in paths(plain):
        expected = bare.get(f"/compute{path}")

        assert client.get(f"/compute{path}") == expected
        assert b"OS-EXT-STS:vm_state" not in expected.body


# Paste's proxy, in front of a real HTTP server.

#: So few servers that clients follow links to further pages.
PAGE = 3


@pytest.fixture
def endpoint(tmp_path):
    """The proxy's endpoint; the server behind compresses its responses.

    A compressed response passes without states, so states show that the
    filter asked for a plain one.
    """
    behind = StopableWSGIServer.create(loaded(tmp_path, pipeline("gzip", API)))
    proxy = (
        "[app:proxy]\n"
        "use = egg:Paste#transparent_proxy\n"
        f"force_host = {behind.effective_host}:{behind.effective_port}\n"
    )
    front = StopableWSGIServer.create(
        loaded(tmp_path, pipeline(EXTENDED, "proxy"), proxy)
    )
    yield f"{front.application_url}v2.1"
    front.shutdown()
    behind.shutdown()


@pytest.mark.parametrize("details", [True, False])
def test_openstacksdk_pages_through_the_proxy(endpoint, details):
    # Links that led past the proxy would lead to pages without states.
    compute = openstack.connect(auth_type="none", endpoint=endpoint).compute
    servers = list(compute.servers(details=details, limit=PAGE))

    assert len({server.id for server in servers}) > 2 * PAGE
    assert all(server.vm_state for server in servers)
    assert all(isinstance(server.power_state, int) for server in servers)
    shown = compute.get_server(servers[0].id)
    assert shown.vm_state == servers[0].vm_state
