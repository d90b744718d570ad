"""Options: where they are read, and what is said of bad ones."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import pytest
from oslo_config import cfg
from oslo_db import options as db_options

from nova_ext_sts import ExtendedStatus, filter_factory, opts, settings
from nova_ext_sts.settings import ConfigurationError
from tests.support.applications import answering

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def configured(tmp_path: Path) -> Callable[[str], cfg.ConfigOpts]:
    """Read a configuration file."""

    def read(text: str) -> cfg.ConfigOpts:
        path = tmp_path / "x.conf"
        path.write_text(text)
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[str(path)])
        return conf

    return read


def test_defaults_are_those_of_the_documentation() -> None:
    chosen = settings.read(cfg.ConfigOpts(), {"connection": "sqlite://"})
    assert chosen.calls == {"list", "detail", "show"}
    assert chosen.record_source == "database"
    assert chosen.cell_connections == {}
    assert chosen.timeout == 5.0
    assert chosen.on_error == "omit"
    assert chosen.missing_record == "omit"
    assert chosen.overwrite is False
    assert chosen.max_body_size == 67_108_864
    assert chosen.server_timing is False
    database = chosen.database
    assert database
    assert database.max_connections == 5


def test_file_is_read_and_the_filters_own_section_wins(
    configured: Callable[[str], cfg.ConfigOpts],
) -> None:
    conf = configured(
        "[extended_status]\n"
        "calls = detail\n"
        "timeout = 2\n"
        "connection = sqlite:////file\n"
        "cell_connection = a=sqlite:////a\n"
        "cell_connection = b=sqlite:////b=c\n"
    )
    chosen = settings.read(conf, {"timeout": "0.5", "calls": None})
    assert chosen.calls == {"detail"}
    assert chosen.timeout == 0.5
    assert chosen.cell_connections == {
        "a": "sqlite:////a",
        "b": "sqlite:////b=c",
    }
    # Nothing was written back.
    assert settings.read(conf, {}).timeout == 2.0


def test_cell_connections_stand_one_a_line_in_a_paste_file() -> None:
    local = {"cell_connection": "\n a = sqlite:////a\n cell 2=x://y=z\n"}
    chosen = settings.read(cfg.ConfigOpts(), local)
    assert chosen.cell_connections == {
        "a": "sqlite:////a",
        "cell 2": "x://y=z",
    }


@pytest.mark.parametrize(
    ("own", "nova", "name"),
    [
        ({"connection": "a"}, {}, "database"),
        ({"connection": "a"}, {"api_database": "b"}, "database"),
        ({"connection": "a", "api_connection": "b"}, {}, "cells"),
        (
            {"connection": "a", "cell_connection": "c=d"},
            {"api_database": "b"},
            "cells",
        ),
        ({"api_connection": "b"}, {}, "cells"),
        ({}, {"api_database": "b"}, "cells"),
        ({}, {"database": "a", "api_database": "b"}, "cells"),
        ({}, {"database": "a"}, "database"),
        ({}, {}, "database"),
        ({"record_source": "x", "connection": "a"}, {}, "x"),
    ],
)
def test_record_source_is_chosen_by_what_is_known(
    configured: Callable[[str], cfg.ConfigOpts],
    own: dict[str, str],
    nova: dict[str, str],
    name: str,
) -> None:
    conf = configured(
        "\n".join(
            f"[{group}]\nconnection = {url}" for group, url in nova.items()
        )
    )
    assert settings.read(conf, own).record_source == name


def test_novas_database_options_are_honoured(
    configured: Callable[[str], cfg.ConfigOpts],
) -> None:
    conf = configured(
        "[database]\n"
        "connection = mysql+pymysql://main\n"
        "slave_connection = mysql+pymysql://slave\n"
        "connection_parameters = charset=utf8\n"
        "connection_recycle_time = 60\n"
        "mysql_wsrep_sync_wait = 1\n"
        "[api_database]\n"
        "connection = mysql+pymysql://api\n"
    )
    chosen = settings.read(conf, {"timeout": 1, "max_connections": 2})
    assert chosen.database == settings.Database(
        name="instances' database",
        url="mysql+pymysql://main",
        parameters="charset=utf8",
        recycle=60,
        wsrep_sync_wait=1,
        max_connections=2,
        timeout=1.0,
    )
    assert chosen.api_database == settings.Database(
        name="API database",
        option="api_connection",
        url="mysql+pymysql://api",
        max_connections=2,
        timeout=1.0,
    )
    assert chosen.mapped_cell.parameters == "charset=utf8"
    # They belong to the URL beside which they stand.
    own = settings.read(conf, {"connection": "mysql+pymysql://own"}).database
    assert own
    assert (own.url, own.parameters) == ("mysql+pymysql://own", "")


@pytest.mark.parametrize("first", ["nova", "filter"])
def test_novas_registration_is_not_disturbed(first: str) -> None:
    conf = cfg.ConfigOpts()
    if first == "filter":
        settings.read(conf, {})
    for group in ("database", "api_database"):
        conf.register_opts(db_options.database_opts, group=group)
    settings.read(conf, {})


def test_secrets_are_in_no_repr() -> None:
    chosen = settings.read(
        cfg.ConfigOpts(),
        {
            "connection": "mysql+pymysql://u:s3cret@h/x",
            "api_connection": "mysql+pymysql://u:s3cret@h/x",
            "cell_connection": "a=mysql+pymysql://u:s3cret@h/x",
        },
    )
    assert "s3cret" not in repr(chosen)


#: A filter's own options, and the words that its error must have.
BAD: list[tuple[dict[str, Any], list[str]]] = [
    ({"conection": "sqlite://"}, ["conection", "connection", "timeout"]),
    ({"calls": "list,shows"}, ["calls", "shows", "list, detail, show"]),
    ({"timeout": "soon"}, ["timeout", "soon"]),
    ({"timeout": ""}, ["timeout", "empty"]),
    ({"max_body_size": " "}, ["max_body_size", "empty"]),
    ({"timeout": float("nan")}, ["timeout", "nan"]),
    ({"timeout": float("inf")}, ["timeout", "3600"]),
    ({"max_connections": []}, ["max_connections", "list"]),
    ({"cell_connection": 1}, ["cell_connection", "$$"]),
    ({"max_connections": 0}, ["max_connections", "1"]),
    ({"on_error": "ignore"}, ["on_error", "omit, fail", "ignore"]),
    ({"cell_connection": "s3cret"}, ["cell_connection", "NAME_OR_UUID=URL"]),
    ({}, ["connection in [extended_status]", "[database] connection"]),
    (
        {"record_source": "cells", "connection": "sqlite://"},
        ["api_connection in [extended_status]", "[api_database] connection"],
    ),
    ({"record_source": "redis"}, ["record_source", "cells, database"]),
    (
        {"cell_connection": "mysql://u:s3cret@h/x?charset=utf8"},
        ["cell_connection", "NAME_OR_UUID=URL"],
    ),
    *(
        ({option: url}, ["URL", f"({option})", word])
        for option, url, word in (
            ("connection", "mysql+pymysql://u:tail@s3cret@h/x", "parse"),
            ("connection", "mysql+pymysql://u:pa@ss/s3cret@h/x", "parse"),
            ("connection", "mysql+pymysql:///u:s3cret@h/x", "parse"),
            ("connection", "mysql+pymysql://u:s3cret@h", "parse"),
            ("connection", "s3cret", "parse"),
            ("api_connection", "mysql+pymysql://u:s3cret@h:None/x", "parse"),
            ("connection", "mysequel://u:s3cret@h/x", "mysql+pymysql"),
            ("connection", "oracle://u:s3cret@h/x", "mysql+pymysql"),
            ("connection", "postgresql+pg8000://u:s3cret@h/x", "sqlite"),
            (
                "connection",
                "mysql+pymysql://u:s3cret@h/x?ssl_ca=/no/such.pem",
                "/no/such.pem",
            ),
        )
    ),
    (
        {
            "api_connection": "sqlite://",
            "cell_connection": "c=mysql+aiomysql://u:s3cret@h/x",
        },
        ["cell c", "(cell_connection)", "mysql+aiomysql"],
    ),
]


@pytest.mark.parametrize(("local", "words"), BAD)
def test_bad_configuration_is_one_sentence_at_load(
    local: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        filter_factory({}, **local)(answering(b""))
    message = str(raised.value)
    assert [word for word in words if word not in message] == []
    assert message.endswith(".")
    assert "\n" not in message
    assert local.get("record_source") or "s3cret" not in message


def test_values_may_be_given_as_they_are() -> None:
    chosen = settings.read(
        cfg.ConfigOpts(),
        {
            "overwrite": 1,
            "server_timing": True,
            "announce": 0,
            "timeout": 1,
            "calls": ("show",),
        },
    )
    assert chosen.overwrite is chosen.server_timing is True
    assert chosen.announce is False
    assert chosen.timeout == 1.0
    assert chosen.calls == {"show"}


@pytest.mark.parametrize("group", ["extended_status", "database"])
def test_dollar_in_a_url_of_the_file_is_one_sentence(
    configured: Callable[[str], cfg.ConfigOpts], group: str
) -> None:
    conf = configured(f"[{group}]\nconnection = x://u:a$b@h/x\n")
    with pytest.raises(ConfigurationError) as raised:
        settings.read(conf, {})
    assert str(raised.value).startswith(
        f"Bad value for the option connection of [{group}]: write a $ as $$"
    )


def test_bad_value_of_novas_is_one_sentence(
    configured: Callable[[str], cfg.ConfigOpts],
) -> None:
    conf = configured("[database]\nconnection_recycle_time = soon\n")
    with pytest.raises(ConfigurationError) as raised:
        settings.read(conf, {})
    assert str(raised.value) == (
        "Bad value for the option connection_recycle_time of [database]: "
        "write a $ as $$, and mind the option's type."
    )


def test_database_group_may_have_few_options() -> None:
    conf = cfg.ConfigOpts()
    conf.register_opt(cfg.StrOpt("connection"), group="database")
    conf.set_override("connection", "sqlite://", group="database")
    database = settings.read(conf, {}).database
    assert database == settings.Database(
        name="instances' database", url="sqlite://"
    )


def test_repr_of_a_factory_shows_no_secret() -> None:
    factory = filter_factory({}, connection="sqlite:////s3cret")
    assert "s3cret" not in repr(factory)
    assert "s3cret" not in repr(vars(factory(answering(b""))))


def test_bad_value_in_the_file_is_one_sentence(
    configured: Callable[[str], cfg.ConfigOpts],
) -> None:
    conf = configured("[extended_status]\nmax_body_size = big\n")
    with pytest.raises(ConfigurationError) as raised:
        settings.read(conf, {})
    (file,) = conf.config_file
    assert str(raised.value) == (
        "Bad value for the option max_body_size of [extended_status]: Value "
        f"for option max_body_size from {file} is not valid: invalid literal "
        "for int() with base 10: 'big'."
    )


@pytest.mark.parametrize(
    ("module", "url", "package"),
    [
        ("pymysql", "mysql+pymysql://h/x", "nova-ext-sts[mysql]"),
        ("MySQLdb", "mysql://h/x", "nova-ext-sts[mysqlclient]"),
        ("psycopg", "postgresql+psycopg://h/x", "nova-ext-sts[postgresql]"),
        ("psycopg2", "postgresql+psycopg2://h/x", "psycopg2"),
    ],
)
def test_absent_driver_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, module: str, url: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        ConfigurationError,
        match=rf"is not installed: install {re.escape(package)}, or use ",
    ):
        filter_factory({}, connection=url)(answering(b""))


def test_only_the_filters_own_section_is_checked() -> None:
    others = {"here": "/etc/nova", "timeout": "soon", "connection": "x"}
    filter_factory(others, connection="sqlite://")(answering(b""))


def test_oslo_config_project_reads_the_named_file(tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.write_text(
        "[extended_status]\nconnection = sqlite://\ncalls = show\n"
    )
    project = {"oslo_config_project": "x", "oslo_config_program": "x"}
    extended = filter_factory(project, oslo_config_file=str(path))(
        answering(b"")
    )
    assert extended.settings.calls == {"show"}


def test_oslo_config_object_can_be_given() -> None:
    conf = cfg.ConfigOpts()
    conf.register_opts(opts.OPTS, group=opts.GROUP)
    conf.set_override("connection", "sqlite://", group=opts.GROUP)
    assert ExtendedStatus(answering(b""), conf).settings.conf is conf
