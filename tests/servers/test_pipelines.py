"""The filter among those that stand around it in Nova's pipeline."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from keystonemiddleware.fixture import AuthTokenFixture
from osprofiler import notifier, profiler, web

from nova_ext_sts import extension
from tests.servers.pipelines import (
    APPLICATION,
    EXTENDED,
    FILTERS,
    ORIGIN,
    PROFILER_KEY,
    application,
    loaded,
)
from tests.servers.traffic import ABSENT, IDS
from tests.support.applications import Client, Response

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "token"  # noqa: S105
PATHS = (
    "/v2.1/servers",
    "/v2.1/servers/detail",
    "/v2.1/servers.xml",
    f"/v2.1/servers/{IDS[1]}",
    f"/v2.1/servers/{IDS[1]}.xml",
    "/v2.1/extensions",
    f"/v2.1/extensions/{extension.ALIAS}",
    f"/v2.1/servers/{ABSENT}",
    "/v2.1/flavors",
)


@pytest.fixture
def token() -> Iterator[None]:
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
def plain(tmp_path: Path) -> Client:
    """The filter and the API, and nothing else."""
    directory = tmp_path / "plain"
    directory.mkdir()
    return Client(loaded(directory, EXTENDED, APPLICATION))


def own(response: Response) -> dict[str, str]:
    """Return the headers that the API and the filter have written."""
    names = ("content-length", "content-type", "openstack-api-version")
    headers = [(name.lower(), value) for name, value in response.headers]
    found = [header for header in headers if header[0] in names]
    assert len(found) == len(names)
    return dict(found)


def assert_same(response: Response, expected: Response) -> None:
    assert response.status == expected.status
    assert response.body == expected.body
    assert own(response) == own(expected)
    assert own(response)["content-length"] == str(len(response.body))


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("place", range(len(FILTERS) + 1))
def test_any_place_in_the_pipeline_does(
    place: int, plain: Client, tmp_path: Path
) -> None:
    stages = [*FILTERS[:place], EXTENDED, *FILTERS[place:]]
    client = Client(loaded(tmp_path, *stages, APPLICATION))
    for path in PATHS:
        response = client.get(
            path, HTTP_X_AUTH_TOKEN=TOKEN, HTTP_ORIGIN=ORIGIN
        )

        assert_same(response, plain.get(path))
        headers = dict(response.headers)
        assert headers["Access-Control-Allow-Origin"] == ORIGIN
        assert headers["x-openstack-request-id"].startswith("req-")


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("place", range(len(FILTERS) + 1))
def test_refusal_without_a_token_stays(place: int, tmp_path: Path) -> None:
    stages = [*FILTERS[:place], EXTENDED, *FILTERS[place:]]
    client = Client(loaded(tmp_path, *stages, APPLICATION))
    for path in ("/v2.1/servers", f"/v2.1/extensions/{extension.ALIAS}"):
        response = client.get(path)

        assert response.status == "401 Unauthorized"
        assert b"The request you have made requires" in response.body
        assert (
            "WWW-Authenticate",
            'Keystone uri="http://identity.test"',
        ) in response.headers


@pytest.mark.usefixtures("token")
def test_links_are_those_of_the_proxy_in_front(
    plain: Client, tmp_path: Path
) -> None:
    client = Client(loaded(tmp_path, *FILTERS, EXTENDED, APPLICATION))
    response = client.get(
        "/v2.1/servers",
        HTTP_X_AUTH_TOKEN=TOKEN,
        HTTP_X_FORWARDED_PROTO="https",
        HTTP_X_FORWARDED_HOST="compute.test",
    )

    assert response.body == plain.get("/v2.1/servers").body.replace(
        b"http://127.0.0.1/", b"https://compute.test/"
    )


@pytest.fixture
def traced() -> Iterator[list[Any]]:
    """What osprofiler tells of."""
    events: list[Any] = []
    before = notifier.get()
    notifier.set(lambda event, **_: events.append(event))
    yield events
    notifier.set(before)
    profiler.clean()


@pytest.mark.usefixtures("token")
def test_traced_request_is_extended_and_told_of(
    traced: list[Any], plain: Client, tmp_path: Path
) -> None:
    client = Client(loaded(tmp_path, *FILTERS, EXTENDED, APPLICATION))
    profiler.init(PROFILER_KEY)
    headers = web.get_trace_id_headers()
    profiler.clean()
    response = client.get(
        "/v2.1/servers",
        HTTP_X_AUTH_TOKEN=TOKEN,
        **{
            f"HTTP_{name.upper().replace('-', '_')}": (
                value.decode() if isinstance(value, bytes) else value
            )
            for name, value in headers.items()
        },
    )

    assert_same(response, plain.get("/v2.1/servers"))
    assert [event["name"] for event in traced] == ["wsgi-start", "wsgi-stop"]


def test_second_copy_adds_nothing_and_breaks_nothing(
    plain: Client, tmp_path: Path
) -> None:
    client = Client(loaded(tmp_path, EXTENDED, EXTENDED, APPLICATION))
    for path in PATHS:
        assert client.get(path) == plain.get(path)


def test_healthcheck_beside_the_pipeline_answers(
    plain: Client, tmp_path: Path
) -> None:
    client = Client(
        application(
            tmp_path,
            "[composite:main]\n"
            "use = egg:Paste#urlmap\n"
            "/: demo\n"
            "/healthcheck: healthcheck\n",
        )
    )
    healthy = client.get("/healthcheck")

    assert healthy.status == "200 OK"
    assert healthy.body == b"OK"
    for path in PATHS:
        assert_same(client.get(path), plain.get(path))


def urlmap(name: str, path: str, app: str) -> str:
    return f"[composite:{name}]\nuse = egg:Paste#urlmap\n{path}: {app}\n"


def test_mount_point_in_front_of_the_filter_makes_no_difference(
    plain: Client, tmp_path: Path
) -> None:
    client = Client(application(tmp_path, urlmap("main", "/compute", "demo")))
    for path in PATHS:
        response = client.get(f"/compute{path}")
        expected = plain.get(path)

        assert response.status == expected.status
        assert response.body == expected.body.replace(
            b"http://127.0.0.1/", b"http://127.0.0.1/compute/"
        )


def test_filter_in_front_of_a_urlmap_extends_what_is_mapped_to_the_root(
    plain: Client, tmp_path: Path
) -> None:
    client = Client(
        loaded(
            tmp_path,
            EXTENDED,
            "mapped",
            sections=urlmap("mapped", "/", APPLICATION),
        )
    )
    for path in PATHS:
        assert_same(client.get(path), plain.get(path))


def test_filter_in_front_of_a_mount_point_lets_everything_pass(
    tmp_path: Path,
) -> None:
    """It knows an API by its path: the mount point has to be before it."""
    mapped = urlmap("mapped", "/compute", APPLICATION)
    bare = Client(loaded(tmp_path, "mapped", sections=mapped))
    client = Client(loaded(tmp_path, EXTENDED, "mapped", sections=mapped))
    for path in PATHS:
        said = bare.get(f"/compute{path}")

        assert client.get(f"/compute{path}") == said


def test_states_are_there_to_be_lost(tmp_path: Path, plain: Client) -> None:
    """What all of the above rests on."""
    bare = Client(loaded(tmp_path, APPLICATION))
    for path in ("/v2.1/servers", "/v2.1/servers/detail"):
        servers = json.loads(plain.get(path).body)["servers"]
        assert len(servers) == len(IDS)
        assert all(
            name in server
            for server in servers
            for name in extension.ATTRIBUTES
        )
        assert b"OS-EXT-STS:" not in bare.get(path).body
