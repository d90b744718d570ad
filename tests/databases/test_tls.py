"""TLS to each database system, with each driver.

The table says which servers the URLs accept; the documentation has those that
accept only the right one.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING

import pymysql
import pytest

from nova_ext_sts.settings import ConfigurationError
from tests.databases.certificates import HOST, OTHER_HOST, Certificates
from tests.databases.sites import Site
from tests.support.checks import upgrade_check
from tests.support.fleets import Fleet
from tests.support.mysql import MySQL
from tests.support.proxies import Proxy
from tests.support.servers import MariaDB, PostgreSQL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.account import Account
    from tests.support.servers import Server

RIGHT, WRONG_CA, WRONG_NAME = ("right", "wrong CA", "wrong name")

#: By driver: the parameters of the URL, and the wrong servers to which they
#: let the driver connect. The first are those to use.
PARAMETERS: dict[str, dict[str, set[str]]] = {
    "mysql+pymysql": {
        "ssl_ca={ca}": set(),
        "ssl_ca={ca}&ssl_check_hostname=false": {WRONG_NAME},
    },
    "mysql+mysqldb": {
        "ssl_ca={ca}&ssl_mode=VERIFY_IDENTITY": set(),
        "ssl_ca={ca}": {WRONG_NAME},
    },
    "postgresql+psycopg": {
        "sslmode=verify-full&sslrootcert={ca}": set(),
        "sslmode=verify-ca&sslrootcert={ca}": {WRONG_NAME},
        "sslmode=require": {WRONG_CA, WRONG_NAME},
    },
}
PARAMETERS["postgresql+psycopg2"] = PARAMETERS["postgresql+psycopg"]

#: PostgreSQL's question whether the server has TLS.
SSL_REQUEST = bytes.fromhex("0000000804d2162f")

#: The servers, and the fixtures with the same one without TLS.
WITHOUT_TLS = {
    MariaDB: "mariadb",
    MySQL: "mysql_without_tls",
    PostgreSQL: "postgresql",
}
#: Each finds its files from the directory of its data.
OPTIONS: dict[type[Server], tuple[str, ...]] = {
    PostgreSQL: (
        "ssl=on",
        "ssl_cert_file=../server.pem",
        "ssl_key_file=../server.key",
        f"listen_addresses={HOST},{OTHER_HOST}",
    ),
    MariaDB: (
        "--ssl-cert=../server.pem",
        "--ssl-key=../server.key",
        f"--bind-address={HOST},{OTHER_HOST}",
    ),
}
OPTIONS[MySQL] = OPTIONS[MariaDB]

ROWS = [
    (kind, driver, parameters)
    for kind in WITHOUT_TLS
    for driver in PARAMETERS
    if driver.startswith("postgresql") == (kind is PostgreSQL)
    for parameters in PARAMETERS[driver]
]
VERIFYING = [row for row in ROWS if not PARAMETERS[row[1]][row[2]]]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def site_on(
    certificates: Certificates,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[type[Server], bool], Site]]:
    """Return the site on a kind of server, with TLS or without."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def site(kind: type[Server], tls: bool) -> Site:
            files = (certificates.certificate, certificates.key)
            server: Server = (
                stack.enter_context(kind(*OPTIONS[kind], files=files))
                if tls
                else request.getfixturevalue(WITHOUT_TLS[kind])
            )
            directory = tmp_path_factory.mktemp("site")
            return stack.enter_context(Site(server, directory))

        yield site


@pytest.mark.parametrize("situation", [RIGHT, WRONG_CA, WRONG_NAME])
@pytest.mark.parametrize(("kind", "driver", "parameters"), ROWS)
def test_certificate_is_verified(
    site_on: Callable[[type[Server], bool], Site],
    certificates: Certificates,
    kind: type[Server],
    driver: str,
    parameters: str,
    situation: str,
    account_of: Callable[[str, str], Account],
    caplog: pytest.LogCaptureFixture,
) -> None:
    ca = (
        certificates.other_authority
        if situation == WRONG_CA
        else certificates.authority
    )
    host = OTHER_HOST if situation == WRONG_NAME else HOST
    site = site_on(kind, True)
    fleet = Fleet(20)
    url = site.url(site.database, driver, host=host)
    client = fleet.client(connection=f"{url}?{parameters.format(ca=ca)}")
    if situation in {RIGHT, *PARAMETERS[driver][parameters]}:
        account = account_of(f"{site.server} with TLS", driver)
        response = account.get(client.get_list)
        assert response.body == fleet.extended
        assert not caplog.records
    else:
        assert client.get_list().body == fleet.plain
        (record,) = caplog.records
        assert "certificate" in record.getMessage()


@pytest.mark.parametrize(("kind", "driver", "parameters"), VERIFYING)
def test_server_without_tls_learns_no_password(
    site_on: Callable[[type[Server], bool], Site],
    certificates: Certificates,
    kind: type[Server],
    driver: str,
    parameters: str,
) -> None:
    if driver == "mysql+pymysql" and pymysql.VERSION < (1, 2):
        pytest.skip("PyMySQL before 1.2 does not insist on TLS")
    site = site_on(kind, False)
    fleet = Fleet(1)
    with contextlib.closing(Proxy((HOST, site.server.port))) as proxy:
        url = site.url(site.database, driver, port=proxy.port)
        with_ca = parameters.format(ca=certificates.authority)
        client = fleet.client(connection=f"{url}?{with_ca}")
        assert client.get_list().body == fleet.plain
        assert proxy.received in ([], [SSL_REQUEST])


def test_mysqlclient_insists_on_tls_with_ssl_mode_only(
    site_on: Callable[[type[Server], bool], Site], certificates: Certificates
) -> None:
    site = site_on(MariaDB, False)
    url = site.url(site.database, "mysql+mysqldb")
    fleet = Fleet(1)
    client = fleet.client(connection=f"{url}?ssl_ca={certificates.authority}")
    assert client.get_list().body == fleet.extended


@pytest.mark.parametrize(("kind", "driver", "parameters"), VERIFYING)
def test_missing_file_is_named(
    site_on: Callable[[type[Server], bool], Site],
    certificates: Certificates,
    kind: type[Server],
    driver: str,
    parameters: str,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    site = site_on(kind, True)
    url = site.url(site.database, driver)
    url = f"{url}?{parameters.format(ca=certificates.missing)}"
    try:
        Fleet(1).client(connection=url).get_list()
        said = caplog.text
    except ConfigurationError as error:
        said = str(error)
    assert str(certificates.missing) in said
    checks = upgrade_check(tmp_path, connection=url)
    assert str(certificates.missing) in "".join(
        check.details for check in checks.values()
    )
