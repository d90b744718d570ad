"""The filter in front of a real HTTP server, by Paste's proxy."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import openstack
import pytest

from nova_ext_sts import extension
from nova_ext_sts.demo import api
from tests.clients.serving import served
from tests.servers.pipelines import APPLICATION, EXTENDED, loaded
from tests.servers.traffic import IDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import (
        StartResponse,
        WSGIApplication,
        WSGIEnvironment,
    )

#: So few servers that clients have to ask for more.
PAGE = 7
PAGES = -(-len(IDS) // PAGE)

OPENSTACK = Path(sysconfig.get_path("scripts"), "openstack")


class Site(NamedTuple):
    """A server that encodes its responses, and the proxy in front of it."""

    endpoint: str
    #: The URL of the server behind, which no client is to know.
    behind: str
    #: What each of the two was asked: path, and the coding of the response.
    asked: list[tuple[str, str]]
    asked_behind: list[tuple[str, str]]


def watched(
    application: WSGIApplication, asked: list[tuple[str, str]]
) -> WSGIApplication:
    """Return an application that writes down what it is asked."""

    def watching(
        environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        path = f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}"

        def start(
            status: str, headers: list[tuple[str, str]], *error: object
        ) -> object:
            names = {name.lower(): value for name, value in headers}
            asked.append((path, names.get("content-encoding", "")))
            return start_response(status, headers, *error)  # type: ignore[arg-type]

        return application(environ, start)  # type: ignore[arg-type]

    return watching


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(api, "MAX_LIMIT", PAGE)
    asked: list[tuple[str, str]] = []
    asked_behind: list[tuple[str, str]] = []
    coded = loaded(tmp_path, "gzip", APPLICATION)
    with served(watched(coded, asked_behind)) as behind:
        host = behind.removeprefix("http://")
        proxy = loaded(
            tmp_path,
            EXTENDED,
            "proxy",
            sections="[app:proxy]\n"
            "use = egg:Paste#transparent_proxy\n"
            f"force_host = {host}\n",
        )
        with served(watched(proxy, asked)) as front:
            yield Site(f"{front}/v2.1", behind, asked, asked_behind)


def assert_never_left(site: Site, calls: int) -> None:
    """Assert that whatever came to the server came by the proxy."""
    assert len(site.asked) == len(site.asked_behind) >= calls
    assert [path for path, _ in site.asked] == [
        path for path, _ in site.asked_behind
    ]
    servers = [
        (front, behind)
        for (path, front), (_, behind) in zip(
            site.asked, site.asked_behind, strict=True
        )
        if path.startswith("/v2.1/servers")
    ]
    # The server encodes what clients accept, but the filter did not ask.
    assert servers == [("", "")] * calls


def test_openstacksdk_never_leaves_the_proxy(site: Site) -> None:
    compute = openstack.connect(
        auth_type="none", endpoint=site.endpoint
    ).compute
    for details in (True, False):
        servers = list(compute.servers(details=details))
        assert [server.id for server in servers] == IDS
        assert all(server.vm_state for server in servers)
        assert all(isinstance(server.power_state, int) for server in servers)
    assert compute.get_server(IDS[0]).vm_state == "active"

    assert_never_left(site, 2 * PAGES + 1)


def test_openstackclient_never_leaves_the_proxy(
    site: Site, tmp_path: Path
) -> None:
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("OS_")
    } | {
        "HOME": str(tmp_path),
        "OS_AUTH_TYPE": "none",
        "OS_ENDPOINT": site.endpoint,
        "OS_IDENTITY_API_VERSION": "3",
    }

    def said(*arguments: str) -> str:
        return subprocess.run(
            [OPENSTACK, "server", *arguments, "-f", "json"],
            check=True,
            env=environ,
            stdout=subprocess.PIPE,
            text=True,
            timeout=120,
        ).stdout

    listed = json.loads(said("list", "--long"))
    assert [server["ID"] for server in listed] == IDS
    assert all(isinstance(server["Power State"], int) for server in listed)
    shown = json.loads(said("show", IDS[0]))
    assert shown[extension.ATTRIBUTES[0]] == "active"

    assert_never_left(site, PAGES + 1)


def test_links_in_responses_lead_to_the_proxy(site: Site) -> None:
    for path in ("/servers?limit=2", "/servers/detail?limit=2"):
        with urllib.request.urlopen(  # noqa: S310
            f"{site.endpoint}{path}", timeout=30
        ) as response:
            body = response.read()
        document = json.loads(body)

        assert document["servers_links"][0]["href"].startswith(site.endpoint)
        assert site.behind.encode() not in body
