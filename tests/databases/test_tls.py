"""TLS to each database system, with each driver."""

import contextlib
import functools
import shutil
import subprocess

import pymysql
import pytest

from nova_ext_sts.settings import ConfigurationError
from tests.databases.accounts import MYSQL, POSTGRESQL, account_of
from tests.databases.mysql import MySQL
from tests.databases.sites import Fleet, Site
from tests.support.checks import upgrade_check
from tests.support.proxies import Proxy
from tests.support.servers import MariaDB, PostgreSQL, missing

#: The only name that the server's certificate holds, and another one of the
#: same machine.
HOST, OTHER_HOST = ("127.0.0.1", "127.0.0.2")

RIGHT, WRONG_CA, WRONG_NAME = ("right", "wrong CA", "wrong name")

#: The servers that each driver connects to.
KINDS = {"mysql": (MariaDB, MySQL), "postgresql": (PostgreSQL,)}

PYMYSQL, MYSQLCLIENT = MYSQL
#: Drivers, parameters of a URL, and the wrong servers to which they let a
#: driver connect. The documentation has those that let it connect to none.
TABLE = (
    ((PYMYSQL,), "ssl_ca={ca}", ()),
    ((PYMYSQL,), "ssl_ca={ca}&ssl_check_hostname=false", (WRONG_NAME,)),
    ((MYSQLCLIENT,), "ssl_ca={ca}&ssl_mode=VERIFY_IDENTITY", ()),
    ((MYSQLCLIENT,), "ssl_ca={ca}", (WRONG_NAME,)),
    (POSTGRESQL, "sslmode=verify-full&sslrootcert={ca}", ()),
    (POSTGRESQL, "sslmode=verify-ca&sslrootcert={ca}", (WRONG_NAME,)),
    (POSTGRESQL, "sslmode=require", (WRONG_CA, WRONG_NAME)),
)
ROWS = [
    (kind, driver, parameters, accepted)
    for drivers, parameters, accepted in TABLE
    for driver in drivers
    for kind in KINDS[driver.partition("+")[0]]
]
VERIFYING = [row[:3] for row in ROWS if not row[3]]

#: The fixtures with the same servers without TLS.
WITHOUT_TLS = {
    MariaDB: "mariadb",
    MySQL: "mysql_without_tls",
    PostgreSQL: "postgresql",
}
#: Each finds its files from the directory of its data.
OPTIONS = {
    PostgreSQL: (
        "--ssl=on",
        "--ssl_cert_file=../server.pem",
        "--ssl_key_file=../server.key",
        f"--listen_addresses={HOST},{OTHER_HOST}",
    ),
    MariaDB: (
        "--ssl-cert=../server.pem",
        "--ssl-key=../server.key",
        f"--bind-address={HOST},{OTHER_HOST}",
    ),
}
OPTIONS[MySQL] = OPTIONS[MariaDB]

#: PostgreSQL's question whether the server has TLS.
SSL_REQUEST = bytes.fromhex("0000000804d2162f")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """Make a server's certificate, its authority's, and another authority's.

    Each has its key beside it.
    """
    if not shutil.which("openssl"):
        missing("openssl is not installed")
    directory = tmp_path_factory.mktemp("certificates")
    of_server = (
        "-CA authority.pem -CAkey authority.key "
        f"-addext subjectAltName=IP:{HOST} "
        "-addext basicConstraints=critical,CA:FALSE"
    )
    kinds = {"authority": "", "other": "", "server": of_server}
    for name, options in kinds.items():
        command = (
            "openssl req -x509 -newkey rsa:2048 -nodes -days 2 "
            f"-subj /CN={name} -keyout {name}.key -out {name}.pem {options}"
        )
        subprocess.run(
            command.split(), cwd=directory, check=True, capture_output=True
        )
    return directory


@pytest.fixture(scope="module")
def site_on(certificates, request, tmp_path_factory):
    """Return the site on a kind of server, with TLS or without."""
    files = [certificates / "server.pem", certificates / "server.key"]
    with contextlib.ExitStack() as stack:

        def site(kind, tls):
            server = (
                stack.enter_context(kind(*OPTIONS[kind], files=files))
                if tls
                else request.getfixturevalue(WITHOUT_TLS[kind])
            )
            directory = tmp_path_factory.mktemp("site")
            return stack.enter_context(Site(server, directory))

        yield functools.cache(site)


@pytest.mark.parametrize("situation", [RIGHT, WRONG_CA, WRONG_NAME])
@pytest.mark.parametrize(("kind", "driver", "parameters", "accepted"), ROWS)
def test_certificate_is_verified(
    site_on,
    certificates,
    kind,
    driver,
    parameters,
    accepted,
    situation,
    caplog,
):
    name = "other.pem" if situation == WRONG_CA else "authority.pem"
    host = OTHER_HOST if situation == WRONG_NAME else HOST
    site = site_on(kind, True)
    fleet = Fleet(20)
    url = site.url(site.database, driver, host=host)
    with_ca = parameters.format(ca=certificates / name)
    client = fleet.client(connection=f"{url}?{with_ca}")
    if situation in (RIGHT, *accepted):
        account = account_of(f"{site.server} with TLS", driver)
        assert account.get(client).body == fleet.extended
        assert not caplog.records
    else:
        assert client.get_list().body == fleet.plain
        (record,) = caplog.records
        assert "certificate" in record.getMessage()


@pytest.mark.parametrize(("kind", "driver", "parameters"), VERIFYING)
def test_server_without_tls_learns_no_password(
    site_on, certificates, kind, driver, parameters
):
    if driver == PYMYSQL and pymysql.VERSION < (1, 2):
        pytest.skip("PyMySQL before 1.2 does not insist on TLS")
    site = site_on(kind, False)
    fleet = Fleet(1)
    parameters = parameters.format(ca=certificates / "authority.pem")
    with Proxy((HOST, site.server.port)) as proxy:
        url = site.url(site.database, driver, port=proxy.port)
        client = fleet.client(connection=f"{url}?{parameters}")
        assert client.get_list().body == fleet.plain
        assert proxy.received in ([], [SSL_REQUEST])


@pytest.mark.parametrize(("kind", "driver", "parameters"), VERIFYING)
def test_missing_file_is_named(
    site_on, kind, driver, parameters, caplog, tmp_path
):
    site = site_on(kind, True)
    absent = f"{tmp_path}/absent.pem"
    url = site.url(site.database, driver)
    url = f"{url}?{parameters.format(ca=absent)}"
    try:
        Fleet(1).client(connection=url).get_list()
        said = caplog.text
    except ConfigurationError as error:
        said = str(error)
    assert absent in said
    assert absent in str(upgrade_check(tmp_path, connection=url))
