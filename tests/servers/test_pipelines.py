"""The filter among those around it in Nova's pipeline."""

import pytest
from keystonemiddleware.fixture import AuthTokenFixture

from nova_ext_sts import extension
from tests.servers.pipelines import (
    API,
    EXTENDED,
    FILTERS,
    ORIGIN,
    loaded,
    pipeline,
    urlmap,
)
from tests.servers.traffic import ABSENT
from tests.support.applications import Client

TOKEN = "token"  # noqa: S105
OWN_HEADERS = ("content-length", "content-type", "openstack-api-version")


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
        f"/v2.1/servers/{ABSENT}",
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
