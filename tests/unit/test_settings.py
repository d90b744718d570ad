"""Options: where they are read, and their errors.

The sample configuration file has their defaults.
"""

import sys

import pytest
from oslo_config import cfg
from oslo_db import options as db_options

from nova_ext_sts import ExtendedStatus, filter_factory, opts, settings
from nova_ext_sts.settings import ConfigurationError
from tests.support.applications import answering
from tests.support.databases import PSYCOPG


@pytest.fixture
def configured(tmp_path):
    """Return a function that reads a configuration file."""

    def read(text):
        path = tmp_path / "x.conf"
        path.write_text(text)
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[str(path)])
        return conf

    return read


def test_filters_section_takes_precedence_over_the_file(configured):
    conf = configured(
        "[extended_status]\n"
        "calls = detail\n"
        "timeout = 2\n"
        "connection = sqlite:////file\n"
        "cell_connection = a=sqlite:////a\n"
        "cell_connection = b=sqlite:////b=c\n"
    )
    found = settings.read(conf, {"timeout": "0.5", "calls": None})
    assert found.calls == {"detail"}
    assert found.timeout == 0.5
    assert found.cell_connections == {
        "a": "sqlite:////a",
        "b": "sqlite:////b=c",
    }
    # Other filters share the object.
    assert settings.read(conf, {}).timeout == 2.0


def test_filters_section_has_text_or_values():
    local = {
        "overwrite": 1,
        "announce": False,
        "timeout": 1,
        "calls": ("show",),
        # One per line.
        "cell_connection": "\n a = sqlite:////a\n cell 2=x://y=z\n",
    }
    found = settings.read(cfg.ConfigOpts(), local)
    assert found.overwrite is True
    assert found.announce is False
    assert found.timeout == 1.0
    assert found.calls == {"show"}
    assert found.cell_connections == {"a": "sqlite:////a", "cell 2": "x://y=z"}


@pytest.mark.parametrize(
    ("local", "nova", "name"),
    [
        ({"connection": "a"}, {"api_database": "b"}, "database"),
        ({"connection": "a", "api_connection": "b"}, {}, "cells"),
        (
            {"connection": "a", "cell_connection": "c=d"},
            {"api_database": "b"},
            "cells",
        ),
        ({}, {"database": "a", "api_database": "b"}, "cells"),
        ({}, {}, "database"),
        ({"record_source": "x", "connection": "a"}, {}, "x"),
    ],
)
def test_default_record_source_depends_on_the_known_databases(
    configured, local, nova, name
):
    sections = [
        f"[{group}]\nconnection = {url}" for group, url in nova.items()
    ]
    conf = configured("\n".join(sections))
    assert settings.read(conf, local).record_source == name


def test_novas_database_options_apply(configured):
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
    found = settings.read(conf, {"timeout": 1, "max_connections": 2})
    assert found.database == settings.Database(
        name="instances' database",
        url="mysql+pymysql://main",
        parameters="charset=utf8",
        recycle=60,
        wsrep_sync_wait=1,
        max_connections=2,
        timeout=1.0,
    )
    assert found.api_database == settings.Database(
        name="API database",
        option="api_connection",
        url="mysql+pymysql://api",
        max_connections=2,
        timeout=1.0,
    )
    assert found.mapped_cell.parameters == "charset=utf8"
    # The parameters apply to the URL in the same group.
    own = settings.read(conf, {"connection": "mysql+pymysql://own"}).database
    assert own
    assert (own.url, own.parameters) == ("mysql+pymysql://own", "")


@pytest.mark.parametrize("is_first", [True, False])
def test_nova_can_register_its_options_before_or_after(is_first):
    conf = cfg.ConfigOpts()
    if not is_first:
        settings.read(conf, {})
    for group in ("database", "api_database"):
        conf.register_opts(db_options.database_opts, group=group)
    settings.read(conf, {})


def test_database_group_can_lack_options():
    conf = cfg.ConfigOpts()
    conf.register_opt(cfg.StrOpt("connection"), group="database")
    conf.set_override("connection", "sqlite://", group="database")
    assert settings.read(conf, {}).database == settings.Database(
        name="instances' database", url="sqlite://"
    )


#: Options of a filter, and keywords of the error.
INVALID = [
    ({"conection": "sqlite://"}, ["conection", "connection", "timeout"]),
    ({"calls": "list,shows"}, ["calls", "shows", "list, detail, show"]),
    ({"timeout": ""}, ["timeout", "empty"]),
    ({"timeout": float("inf")}, ["timeout", "3600"]),
    ({"timeout": "nan"}, ["timeout", "number"]),
    ({"max_connections": []}, ["max_connections", "list"]),
    ({"max_connections": 0}, ["max_connections", "1"]),
    ({"on_error": "ignore"}, ["on_error", "omit, fail", "ignore"]),
    ({"cell_connection": 1}, ["cell_connection", "$$"]),
    (
        {"cell_connection": "mysql://u:s3cret@h/x?charset=utf8"},
        ["cell_connection", "NAME_OR_UUID=URL"],
    ),
    ({}, ["connection in [extended_status]", "[database] connection"]),
    (
        {"record_source": "cells", "connection": "sqlite://"},
        ["api_connection in [extended_status]", "[api_database] connection"],
    ),
    ({"record_source": "redis"}, ["record_source", "cells, database"]),
    *(
        ({option: url}, ["URL", f"({option})", keyword])
        for option, url, keyword in (
            ("connection", "mysql+pymysql://u:s3cret@h", "parse"),
            ("api_connection", "mysql+pymysql://u:s3cret@h:None/x", "parse"),
            ("connection", "oracle://u:s3cret@h/x", "mysql+pymysql"),
            ("connection", "postgresql+pg8000://u:s3cret@h/x", "sqlite"),
            ("connection", "mysql+pymysql://h/x?ssl_ca=/no.pem", "/no.pem"),
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


def error_of(**options):
    """Return the message with which a filter does not load."""
    with pytest.raises(ConfigurationError) as raised:
        filter_factory({}, **options)(answering(b""))
    return str(raised.value)


@pytest.mark.parametrize(("local", "keywords"), INVALID)
def test_invalid_option_ends_loading_with_one_sentence(local, keywords):
    message = error_of(**local)
    assert [each for each in keywords if each not in message] == []
    assert message.endswith(".")
    assert "\n" not in message
    assert "s3cret" not in message


@pytest.mark.parametrize(
    "url",
    [
        "mysql+pymysql://u:p?w@h/x",
        "mysql+pymysql://u:p?w@[::1]:3306/x?program_name=a?b@c",
        "mysql+pymysql://u:p%40@/x?unix_socket=/tmp/a@b",
        f"postgresql+{PSYCOPG}://u:p@/x?host=@abstract",
        f"postgresql+{PSYCOPG}://u:p@/x?host=a:5432&host=b:5432",
        "sqlite:///file:/srv/nova@1.db?mode=ro&uri=true",
        "sqlite:////srv/12:00/nova@1.db",
    ],
)
def test_urls_with_odd_characters_are_accepted(url):
    assert filter_factory({}, connection=url)(answering(b""))


@pytest.mark.parametrize(
    ("group", "option", "keyword"),
    [
        ("extended_status", "connection = x://u:a$s3cret@h/x", "$$"),
        ("database", "connection = x://u:a$s3cret@h/x", "$$"),
        ("database", "connection_recycle_time = soon", "type"),
        ("extended_status", "max_body_size = big", "big"),
    ],
)
def test_error_names_the_section_of_the_file(
    configured, group, option, keyword
):
    conf = configured(f"[{group}]\n{option}\n")
    with pytest.raises(ConfigurationError) as raised:
        settings.read(conf, {})
    message = str(raised.value)
    assert f"{option.split()[0]} of [{group}]" in message
    assert keyword in message
    assert "LocationInfo" not in message
    assert "s3cret" not in message


@pytest.mark.parametrize(
    ("module", "url", "package"),
    [
        ("MySQLdb", "mysql://h/x", "nova-ext-sts[mysqlclient]"),
        ("psycopg2", "postgresql+psycopg2://h/x", "psycopg2"),
    ],
)
def test_error_names_the_package_of_a_missing_driver(
    monkeypatch, module, url, package
):
    monkeypatch.setitem(sys.modules, module, None)
    assert f"install {package}" in error_of(connection=url)


def test_options_of_others_in_paste_defaults_are_ignored():
    others = {"here": "/etc/nova", "timeout": "soon", "connection": "x"}
    filter_factory(others, connection="sqlite://")(answering(b""))


def test_filter_can_be_created_with_an_oslo_config_object():
    conf = cfg.ConfigOpts()
    conf.register_opts(opts.OPTS, group=opts.GROUP)
    conf.set_override("connection", "sqlite://", group=opts.GROUP)
    application = answering(b"")
    extended = ExtendedStatus(application, conf)
    assert extended.settings.conf is conf
    assert extended.application is application
