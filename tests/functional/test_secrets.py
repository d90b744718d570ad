"""Passwords that stand in URLs, and all the places where they must not."""

from __future__ import annotations

import logging
import pprint
import traceback
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from oslo_config import cfg

from nova_ext_sts import ExtendedStatus, settings
from nova_ext_sts.records import RecordsUnavailable, systems
from nova_ext_sts.settings import ConfigurationError
from tests.support.applications import Client, answering
from tests.support.cells import Cells, source
from tests.support.databases import Database

if TYPE_CHECKING:
    from pathlib import Path

#: In each password, however it is written.
MARK = "Hush"
PASSWORDS = {
    "plain": f"{MARK}1",
    "%-encoded": f"{MARK}%40%2F%3A",
    # An @ and a / that are not encoded, as they happen to be written.
    "raw": f"{MARK}@/x",
}
LIST = b'{"servers": [{"id": "a"}, {"id": "b"}]}'

#: What can go wrong with a database, but for its password.
URLS = {
    "refused": "mysql+pymysql://u:{password}@127.0.0.1:1/x",
    "denied": "mysql+pymysql://nobody:{password}@127.0.0.1:3306/x",
    "no such database": "postgresql+psycopg://nobody:{password}@127.0.0.1/x",
    "no such host": "postgresql+psycopg://u:{password}@no.such.host.invalid/x",
    "bad port": "mysql+pymysql://u:{password}@127.0.0.1:x/x",
    "bad driver": "mysql+nosuch://u:{password}@127.0.0.1/x",
    "bad parameter": "mysql+pymysql://u:{password}@h/x?read_timeout=x",
    "unknown parameter": "mysql+pymysql://u:{password}@127.0.0.1/x?nosuch=1",
    "in the query": "postgresql+psycopg://u@127.0.0.1:1/x?password={password}",
    "no URL": "u:{password}@127.0.0.1/x",
    "one slash too many": "mysql+pymysql:///u:{password}@127.0.0.1/x",
    "one slash too few": "mysql+pymysql:/u:{password}@127.0.0.1/x",
    "no @": "mysql+pymysql://u:{password}",
}


def objects(start: object) -> list[object]:
    """Return all objects of this package that an object holds."""
    found: list[object] = []
    todo = [start]
    while todo:
        each = todo.pop()
        if any(each is other for other in found):
            continue
        if isinstance(each, dict):
            todo += each.values()
        elif isinstance(each, list | tuple | set | frozenset):
            todo += each
        elif type(each).__module__.startswith(("nova_ext_sts", "sqlalchemy")):
            found.append(each)
            todo += getattr(each, "__dict__", {}).values()
    return found


@pytest.mark.parametrize("password", PASSWORDS.values(), ids=PASSWORDS)
@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
@pytest.mark.parametrize(
    "option", ["connection", "api_connection", "cell_connection", "mapping"]
)
def test_no_password_is_told(
    option: str,
    url: str,
    password: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = url.format(password=password)
    paths = iter(("api", "cell0", "cell1"))
    cells = Cells(
        lambda: Database(
            sa.engine.make_url(f"sqlite:///{tmp_path}/{next(paths)}")
        )
    )
    cells.add("a", 1)
    cells.add("b", 2)
    options: dict[str, Any] = {"api_connection": cells.api.url, "timeout": 2}
    if option == "mapping":
        cells.api.execute(
            "UPDATE cell_mappings SET database_connection = :url WHERE id = 2",
            url=url,
        )
    elif option == "cell_connection":
        options[option] = f"cell1={url}"
    elif option == "connection":
        options = {option: url, "timeout": 2}
    else:
        options[option] = url
    conf = cfg.ConfigOpts()
    said: list[str] = []
    # With DEBUG on everywhere.
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "sqlalchemy")
    try:
        extended = ExtendedStatus(answering(LIST), options)
        conf = extended.oslo_conf
        assert Client(extended).get("/servers").body == LIST
        said += map(repr, objects(extended))
        said.append(pprint.pformat(vars(extended)))
        with pytest.raises(RecordsUnavailable) as raised:
            extended._source.lookup(["a", "b"])
        said += traceback.format_exception(raised.value)
    except ConfigurationError as error:
        said += traceback.format_exception(error)
    conf.log_opt_values(logging.getLogger("conf"), logging.DEBUG)
    said += (record.getMessage() for record in caplog.records)
    said.append(caplog.text)
    assert said
    assert [line for line in said if MARK in line] == []


@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
def test_password_that_is_the_users_name_is_not_told(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    url = url.replace("//u", f"//{MARK}").replace("//nobody", f"//{MARK}")
    said: list[str] = []
    try:
        records = source(connection=url.format(password=MARK), timeout=2)
        with pytest.raises(RecordsUnavailable) as raised:
            records.lookup(["a"])
        said += traceback.format_exception(raised.value)
    except ConfigurationError as error:
        said += traceback.format_exception(error)
    said.append(caplog.text)
    assert [line for line in said if MARK in line] == []


@pytest.mark.parametrize("name", ["mysql+pymysql", "postgresql+psycopg"])
def test_password_of_one_letter_is_not_told_by_what_is_hidden(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    port = 3306 if "mysql" in name else 5432
    records = source(connection=f"{name}://u:a@127.0.0.1:{port}/x", timeout=2)
    with pytest.raises(RecordsUnavailable) as raised:
        records.lookup(["a"])
    # Not "***ccess denied".
    assert "***" not in raised.value.reason.replace("'***'", "").replace(
        '"***"', ""
    )


@pytest.mark.parametrize(
    "url",
    [
        "mysql+pymysql://u:Hush1@h/x",
        "mysql+pymysql://u@h/x?passwd=Hush1",
        "postgresql+psycopg://u@h/x?password=Hush1",
    ],
)
def test_password_in_an_error_is_masked(url: str) -> None:
    parsed = systems.url_of(settings.Database(name="x", url=url))
    error = ValueError("no entry for 'Hush1'\nbut")
    assert systems.reason_of(error, parsed) == "no entry for '***'"
    assert systems.place_of(parsed).endswith("://h/x")
