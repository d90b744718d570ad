# SPDX-License-Identifier: Apache-2.0
"""The URLs of databases, as operators write them."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import URL, make_url

from nova_ext_sts.records.systems import DRIVERS
from nova_ext_sts.settings import ConfigurationError

if TYPE_CHECKING:
    from nova_ext_sts.settings import Database

#: Parameters that name files: some drivers' errors do not name them.
_FILES = ("ssl_ca", "ssl_cert", "ssl_key", "sslrootcert", "sslcert", "sslkey")

_USUAL = (
    "mysql+pymysql, mysql+mysqldb, postgresql+psycopg (with SQLAlchemy 2), "
    "postgresql+psycopg2 or sqlite"
)


def url_of(settings: Database) -> URL:
    """Return the URL of a database, with all its parameters.

    :raises ConfigurationError: the URL does not parse, or names an unknown
        database system, a driver that is not installed, no database or a
        file that cannot be read
    """

    def wrong(text: str) -> ConfigurationError:
        url = f"The URL of the {settings.name} ({settings.option})"
        return ConfigurationError(f"{url} {text}")

    malformed = wrong(
        "does not parse: write DIALECT+DRIVER://USER:PASSWORD@HOST/NAME, with "
        "every special character of the password %-encoded."
    )
    try:
        url = make_url(settings.url)
        if settings.parameters:
            url = url.update_query_string(settings.parameters, append=True)
    except (exc.ArgumentError, ValueError):
        # The text may hold a password.
        raise malformed from None
    # A password may be taken for another part, as with one slash too many.
    if url.get_backend_name() == "sqlite":
        is_malformed = bool(url.username or url.host) or bool(
            # Neither a URI nor a path of Windows.
            re.match(r"(?!file:|[A-Za-z]:[\\/])[^/\\]+:.*@", f"{url.database}")
        )
    else:
        is_malformed = bool(
            not url.database
            or re.search("[@;=]", f"{url.host}{url.database}")
            # Not the name of an abstract socket.
            or re.search(".@", f"{url.query.get('host')}")
            # Without a value, it is not in the URL's query.
            or re.match(
                "[^=]*@", settings.url.partition("@")[2].partition("?")[2]
            )
        )
    if is_malformed:
        raise malformed
    for name in {"password", "passwd"}.intersection(url.query):
        # As the password, SQLAlchemy hides it.
        url = url.set(password=str(url.query[name]))
        url = url.difference_update_query([name])
    try:
        dialect = url.get_dialect()
        driver = DRIVERS[dialect.driver]
    except (exc.NoSuchModuleError, KeyError):
        raise wrong(
            f"names {url.drivername}, which is not supported with SQLAlchemy "
            f"{sa.__version__}: use {_USUAL}."
        ) from None
    try:
        # SQLAlchemy 1.4 has the second name.
        names = ("import_dbapi", "dbapi")
        next(getattr(dialect, n) for n in names if hasattr(dialect, n))()
    except ImportError:
        raise wrong(
            f"names the driver {url.drivername}, which is not installed: "
            f"install {driver.package}, or use {_USUAL}."
        ) from None
    for name in _FILES:
        path = str(url.query.get(name, "system"))
        # libpq has "system" for the certificates of the system.
        if path != "system" and not os.access(path, os.R_OK):
            raise wrong(
                f"names the file {path} in {name}, which cannot be read."
            )
    return url


def place_of(url: URL) -> str:
    """Return a URL without user, password and parameters."""
    return URL.create(
        url.get_backend_name(),
        host=url.host,
        port=url.port,
        database=url.database,
    ).render_as_string()
