"""Passwords in URLs, and all the places where they must not appear."""

import logging
import pprint
import traceback

import pytest

from nova_ext_sts import filter_factory
from nova_ext_sts.records import RecordsUnavailable
from nova_ext_sts.records.systems import Select
from nova_ext_sts.settings import ConfigurationError
from tests.support.applications import Client, answering
from tests.support.cells import Cells, source
from tests.support.databases import PSYCOPG

#: In each password, however it is written.
MARK = "Hush"
PASSWORDS = {
    "plain": f"{MARK}1",
    "%-encoded": f"{MARK}%40%2F%3A",
    # An @ and a / that are not encoded, as they happen to be written.
    "raw": f"{MARK}@/x",
    "the user's name": MARK,
}
LIST = b'{"servers": [{"id": "a"}, {"id": "b"}]}'

#: What can go wrong with a database, but for its password.
URLS = {
    "refused": "mysql+pymysql://{user}:{password}@127.0.0.1:1/x",
    "denied": "mysql+pymysql://{user}:{password}@127.0.0.1:3306/x",
    "no such database": "postgresql+psycopg://{user}:{password}@127.0.0.1/x",
    "no such host": "postgresql+psycopg://{user}:{password}@no.host.invalid/x",
    "bad port": "mysql+pymysql://{user}:{password}@127.0.0.1:x/x",
    "bad driver": "mysql+nosuch://{user}:{password}@127.0.0.1/x",
    "bad parameter": "mysql+pymysql://{user}:{password}@h/x?read_timeout=x",
    "unknown parameter": "mysql+pymysql://{user}:{password}@127.0.0.1/x?no=1",
    "in the query": "postgresql+psycopg://u@127.0.0.1:1/x?password={password}",
    "in MySQL's query": "mysql+pymysql://u@127.0.0.1:1/x?passwd={password}",
    "no URL": "{user}:{password}@127.0.0.1/x",
    "one slash too many": "mysql+pymysql:///{user}:{password}@127.0.0.1/x",
    "one slash too few": "mysql+pymysql:/{user}:{password}@127.0.0.1/x",
    "no @": "mysql+pymysql://{user}:{password}",
    "an @ and a /": "mysql+pymysql://u:a@{password}/b@127.0.0.1/x",
    "an @ and a ?": "mysql+pymysql://u:a@x/{password}?b@127.0.0.1/x",
    "SQLite with a host": "sqlite://{user}:{password}@127.0.0.1/x",
    "SQLite's scheme": "sqlite:///{user}:{password}@127.0.0.1/x",
    "libpq's own form": "postgresql+psycopg:///dbname=x password={password}",
    "in the host": "postgresql+psycopg:///x?host=u:{password}@127.0.0.1",
}


def objects(start):
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
def test_no_password_is_told(option, url, password, tmp_path, caplog):
    url = url.format(
        user=MARK if password == MARK else "nobody", password=password
    )
    cells = Cells.in_sqlite(tmp_path)
    cells.add("a", 1)
    cells.add("b", 2)
    options = {"api_connection": cells.api.url}
    if option == "mapping":
        cells.move_cell(2, url)
    elif option == "cell_connection":
        options[option] = f"cell1={url}"
    else:
        options = {option: url}
    factory = filter_factory({}, timeout=2, **options)
    said = [repr(factory)]
    # With DEBUG on everywhere. SQLAlchemy writes the user's name then, and in
    # its objects: they do not tell that it is the password.
    is_name = password == MARK
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO if is_name else logging.DEBUG, "sqlalchemy")
    try:
        extended = factory(answering(LIST))
        extended.oslo_conf.log_opt_values(logging.getLogger(), logging.DEBUG)
        assert Client(extended).get_list().body == LIST
        if not is_name:
            said += map(repr, objects(extended))
            said.append(pprint.pformat(vars(extended)))
        with pytest.raises(RecordsUnavailable) as raised:
            extended._source.lookup(["a", "b"])
        said += traceback.format_exception(raised.value)
    except ConfigurationError as error:
        said += traceback.format_exception(error)
    said += (record.getMessage() for record in caplog.records)
    said.append(caplog.text)
    assert [line for line in said if MARK in line] == []


def test_query_does_not_show_its_rows(tmp_path):
    cells = Cells.in_sqlite(tmp_path)
    cells.move_cell(2, f"mysql+pymysql://u:{MARK}@127.0.0.1:1/x")
    reading, *_ = cells.source().databases()
    assert reading.database
    query = reading.database.query(
        Select("cell_mappings", ("database_connection",))
    )
    assert MARK in str(query.rows())
    assert MARK not in repr(query)


@pytest.mark.parametrize(
    "server",
    [
        "mysql+pymysql://u:a@127.0.0.1:3306",
        f"postgresql+{PSYCOPG}://u:a@127.0.0.1:5432",
    ],
)
def test_password_of_one_letter_is_not_told_by_what_is_hidden(server):
    with pytest.raises(RecordsUnavailable) as raised:
        source(connection=f"{server}/x", timeout=2).lookup(["a"])
    # Not "***ccess denied".
    reason = raised.value.reason.replace("'***'", "").replace('"***"', "")
    assert "***" not in reason
