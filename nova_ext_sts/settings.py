# SPDX-License-Identifier: Apache-2.0
"""What one filter is configured with.

An option may stand in ``[extended_status]`` of an oslo.config file or in the
filter's own section of the paste file, which wins for that filter alone.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import re
from typing import TYPE_CHECKING, Any

from oslo_config import cfg
from oslo_db import options as db_options

from nova_ext_sts.opts import GROUP, OPTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Read by oslo.middleware's base class, in the filter's section or [DEFAULT].
PASTE_OPTIONS = frozenset(
    ("oslo_config_project", "oslo_config_file", "oslo_config_program")
)


#: How an error calls it.
OWN_SECTION = "in the section of the filter"


class ConfigurationError(ValueError):
    """The filter's configuration cannot work; the message says what to do."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Database:
    """How one database is to be read; ``repr`` keeps the URL's secrets."""

    name: str
    #: The filter's option that can name its URL.
    option: str = "connection"
    url: str = dataclasses.field(repr=False)
    #: Appended to the URL's query, ``a=1&b=2``.
    parameters: str = dataclasses.field(default="", repr=False)
    recycle: int = 3600
    wsrep_sync_wait: int | None = None
    max_connections: int = 5
    timeout: float = 5.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What one filter was configured with. Nothing here changes later."""

    calls: frozenset[str]
    announce: bool
    record_source: str
    #: The instances' database, or None where none is configured.
    database: Database | None
    #: Nova's API database, or None where none is configured.
    api_database: Database | None
    #: What holds for every cell that is read with the URL in its mapping.
    mapped_cell: Database
    #: The cells that are read with a URL of the operator's: {name or uuid:
    #: URL}.
    cell_connections: Mapping[str, str] = dataclasses.field(repr=False)
    timeout: float
    on_error: str
    missing_record: str
    overwrite: bool
    max_body_size: int
    server_timing: bool
    #: The oslo.config object, for a record source that has options of its
    #: own.
    conf: cfg.ConfigOpts = dataclasses.field(repr=False)


def read(conf: cfg.ConfigOpts, local: Mapping[str, Any]) -> Settings:
    """Return the settings of one filter.

    :param conf: where ``[extended_status]``, ``[database]`` and
        ``[api_database]`` are read
    :param local: the filter's own options, as text or as values, from its
        section of the paste file
    :raises ConfigurationError: an option is unknown or its value is bad
    """
    conf.register_opts(OPTS, group=GROUP)
    values = _values(conf, local)
    own, api = values["connection"], values["api_connection"]
    nova = _nova_database(conf, "database", "instances' database", values)
    nova_api = _nova_database(conf, "api_database", "API database", values)
    database = _owned(nova, own) if own else nova
    api_database = _owned(nova_api, api) if api else nova_api
    return Settings(
        calls=frozenset(values["calls"]),
        announce=values["announce"],
        record_source=values["record_source"]
        or _record_source(own, api or values["cell_connection"], api_database),
        database=database if database.url else None,
        api_database=api_database if api_database.url else None,
        mapped_cell=dataclasses.replace(
            nova, url="", option="cell_connection"
        ),
        cell_connections=_cell_connections(values["cell_connection"]),
        timeout=values["timeout"],
        on_error=values["on_error"],
        missing_record=values["missing_record"],
        overwrite=values["overwrite"],
        max_body_size=values["max_body_size"],
        server_timing=values["server_timing"],
        conf=conf,
    )


def _values(conf: cfg.ConfigOpts, local: Mapping[str, Any]) -> dict[str, Any]:
    """Return every option's value, the filter's own before the file's."""
    options = {opt.name: opt for opt in OPTS}
    unknown = local.keys() - options.keys() - PASTE_OPTIONS
    if unknown:
        raise ConfigurationError(
            f"Unknown option {_enumeration(unknown)} {OWN_SECTION}: the "
            f"options are {_enumeration(options)}."
        )
    values = {}
    for name, opt in options.items():
        try:
            # Never set_override: the configuration is shared, and a second
            # filter would inherit it.
            values[name] = _value(opt, conf, local.get(name))
        except (
            AttributeError,
            OverflowError,
            TypeError,
            ValueError,
            cfg.Error,
        ) as error:
            place = OWN_SECTION if name in local else f"of [{GROUP}]"
            # A secret may stand in the value that the error repeats.
            why = "write a $ as $$" if opt.secret else said(error)
            raise ConfigurationError(
                f"Bad value for the option {name} {place}: {why}."
            ) from None
    return values


def said(error: Exception) -> str:
    """Return what an error of oslo.config's says, without what a file does.

    A line that does not parse may hold a password.
    """
    if isinstance(error, cfg.ConfigFileParseError):
        line = re.search(r"at \S*?:(\d+)", str(error))
        where = f" at line {line[1]}" if line else ""
        return f"{error.config_file} does not parse{where}"
    # Of where a value stands, the file.
    return re.sub(r"LocationInfo\(.*?, detail='(.*?)'\)", r"\1", str(error))


def _value(opt: cfg.Opt, conf: cfg.ConfigOpts, given: Any) -> Any:
    """Return one option's value, from the filter's own section or the file.

    :param given: what the filter's own section says, or None
    """
    if given is None:
        value = conf[GROUP][opt.name]
    elif opt.multi:
        lines = given.splitlines() if isinstance(given, str) else given
        value = [line.strip() for line in lines if line.strip()]
    else:
        # oslo.config's types parse text; a keyword may be a value.
        is_scalar = isinstance(given, bool | int | float)
        value = opt.type(str(given) if is_scalar else given)
    if value is None and opt.default is not None:
        raise ValueError("it is empty")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no number of seconds")
    return value


def _nova_database(
    conf: cfg.ConfigOpts, group: str, name: str, values: Mapping[str, Any]
) -> Database:
    """Return what a database group of Nova's says; its URL may be empty."""
    if group not in conf or "connection" not in conf[group]:
        # Nova has not registered it. A copy for each group, since oslo.config
        # resolves an option's deprecated names once for each object.
        conf.register_opts(
            copy.deepcopy(db_options.database_opts), group=group
        )

    def value(option: str, default: Any = None) -> Any:
        if option not in conf[group]:
            return default
        try:
            return conf[group][option]
        except (cfg.Error, ValueError):
            # What the error says may repeat a URL.
            raise ConfigurationError(
                f"Bad value for the option {option} of [{group}]: write a $ "
                "as $$, and mind the option's type."
            ) from None

    return Database(
        name=name,
        option="connection" if group == "database" else "api_connection",
        url=value("connection") or "",
        parameters=value("connection_parameters") or "",
        recycle=value("connection_recycle_time", 3600),
        wsrep_sync_wait=value("mysql_wsrep_sync_wait"),
        max_connections=values["max_connections"],
        timeout=values["timeout"],
    )


def _owned(nova: Database, url: str) -> Database:
    """Return a database with a URL of the operator's own.

    ``connection_parameters`` belong to the URL beside which they stand.
    """
    return dataclasses.replace(nova, url=url, parameters="")


def _record_source(
    own: str | None, cells: str | list[str] | None, api_database: Database
) -> str:
    """Return the source to choose where none is named.

    :param cells: what is set here that only the source ``cells`` reads
    """
    if own and not cells:
        return "database"
    return "cells" if api_database.url else "database"


def _cell_connections(entries: Iterable[str]) -> dict[str, str]:
    connections = {}
    for entry in entries:
        cell, equals, url = entry.partition("=")
        # A URL without a name may have an = in its query.
        is_named = cell.strip() and "://" not in cell
        if not (is_named and equals and url.strip()):
            raise ConfigurationError(
                f"Bad value for the option cell_connection of [{GROUP}]: "
                "write NAME_OR_UUID=URL."
            )
        connections[cell.strip()] = url.strip()
    return connections


def _enumeration(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
