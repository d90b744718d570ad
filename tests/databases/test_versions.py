"""Proxies that announce another version than that of the server behind.

ProxySQL does so: 5.5.30, and 8.0.11 since its version 2.6. A session has to
be told its settings in words that the server and ProxySQL understand: each
SET statement sets one variable to a literal value.
"""

import re

import pytest

from tests.databases.accounts import MYSQL, account_of
from tests.databases.sites import SOURCES, Fleet, Site
from tests.support.proxies import Proxy

#: As each server announces itself, and as ProxySQL does.
VERSIONS = ("9.7.4", "5.5.5-10.11.6-MariaDB", "8.0.11", "5.5.30")

TRACKED = re.compile(
    r"SET (?:"
    r"NAMES \w+"
    r"|SESSION TRANSACTION ISOLATION LEVEL READ (?:UN)?COMMITTED"
    r"|SESSION TRANSACTION READ ONLY"
    r"|(?:SESSION )?\w+ ?= ?(?:\d+(?:\.\d+)?|'\w+'|ON|OFF)"
    r")",
    re.IGNORECASE,
)


# Without TLS, statements can be read on the way.
@pytest.fixture(scope="module", params=("mariadb", "mysql_without_tls"))
def server(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def site(server, tmp_path_factory):
    with Site(server, tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("driver", MYSQL)
@pytest.mark.parametrize("version", VERSIONS)
def test_proxy_announces_another_version(
    server, site, version, driver, source, caplog
):
    account = account_of(f"{server} as {version}", driver)
    fleet = Fleet(20)
    with Proxy(("127.0.0.1", server.port), version) as proxy:
        options = site.options(source, driver, port=proxy.port)
        client = fleet.client(**options)
        for _ in range(3):
            assert account.get(client).body == fleet.extended
        settings = [
            statement
            for statement in proxy.statements
            if statement.upper().startswith("SET ")
        ]
    assert settings
    assert [each for each in settings if not TRACKED.fullmatch(each)] == []
    assert not caplog.records
