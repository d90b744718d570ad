# SPDX-License-Identifier: Apache-2.0
"""The settings of one filter, from its options.

An option can be set in ``[extended_status]`` of an oslo.config file, or in the
filter's section of the paste file, which takes precedence for that filter.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import re
from typing import TYPE_CHECKING, Any

from oslo_config import cfg
from oslo_db import options as db_options

from nova_ext_sts import requirements
from nova_ext_sts.opts import GROUP, OPTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: The options of oslo.middleware's base class, in the filter's section or in
#: [DEFAULT].
PASTE_OPTIONS = frozenset(
    ("oslo_config_project", "oslo_config_file", "oslo_config_program")
)


class ConfigurationError(ValueError):
    """The configuration is invalid. The message names option and fix."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Database:
    """The settings of one database; ``repr`` hides the secrets of the URL."""

    name: str
    #: The filter's option for its URL.
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
    """The settings of one filter."""

    calls: frozenset[str]
    announce: bool
    record_source: str
    #: The instances' database; None if it is not configured.
    database: Database | None
    #: Nova's API database; None if it is not configured.
    api_database: Database | None
    #: For every cell that uses the URL in its mapping.
    mapped_cell: Database
    #: The URLs in ``cell_connection``, by the cell's name or uuid.
    cell_connections: Mapping[str, str] = dataclasses.field(repr=False)
    timeout: float
    on_error: str
    missing_record: str
    overwrite: bool
    max_body_size: int
    server_timing: bool
    #: For record sources with options that are not the filter's.
    conf: cfg.ConfigOpts = dataclasses.field(repr=False)


def read(conf: cfg.ConfigOpts, local: Mapping[str, Any]) -> Settings:
    """Return the settings of one filter.

    :param conf: the configuration with ``[extended_status]``, ``[database]``
        and ``[api_database]``
    :param local: the options in the filter's section of the paste file, as
        text or as values
    :raises ConfigurationError: an option is unknown or invalid, or a library
        is too old
    """
    if old := ", ".join(requirements.unsuitable()):
        raise ConfigurationError(
            f"The installed libraries are too old: {old}. Install "
            "nova-ext-sts with the constraints of Nova's release."
        )
    conf.register_opts(OPTS, group=GROUP)
    values = _values(conf, local)
    url, api_url = values.pop("connection"), values.pop("api_connection")
    cells = values.pop("cell_connection")
    limits = values.pop("max_connections"), values["timeout"]
    nova = _nova_database(conf, "database", *limits)
    database = _with_url(nova, url)
    api_database = _with_url(
        _nova_database(conf, "api_database", *limits), api_url
    )
    if not values["record_source"]:
        is_single = (url and not api_url and not cells) or not api_database
        values["record_source"] = "database" if is_single else "cells"
    return Settings(
        **values | {"calls": frozenset(values["calls"])},
        database=database,
        api_database=api_database,
        mapped_cell=dataclasses.replace(
            nova, url="", option="database_connection of its cell mapping"
        ),
        cell_connections=_cell_connections(cells),
        conf=conf,
    )


def _values(conf: cfg.ConfigOpts, local: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of all options; ``local`` takes precedence."""
    options = {opt.name: opt for opt in OPTS}
    unknown = local.keys() - options.keys() - PASTE_OPTIONS
    if unknown:
        raise ConfigurationError(
            f"Unknown option {', '.join(sorted(unknown))} in the filter's "
            f"section: the options are {', '.join(options)}."
        )
    values = {}
    for name, opt in options.items():
        try:
            # Not set_override: other filters share the configuration.
            values[name] = _value(opt, conf, local.get(name))
        except (AttributeError, TypeError, ValueError, cfg.Error) as error:
            place = (
                "in the filter's section" if name in local else f"of [{GROUP}]"
            )
            # The error's text repeats the value, which may be a password.
            reason = "write $ as $$" if opt.secret else reason_of(error)
            raise ConfigurationError(
                f"Bad value for the option {name} {place}: {reason}."
            ) from None
    return values


def reason_of(error: Exception) -> str:
    """Return the text of oslo.config's error without secrets."""
    if isinstance(error, cfg.ConfigFileParseError):
        # The text repeats the line.
        line = re.search(r"at \S*?:(\d+)", str(error))
        where = f" at line {line[1]}" if line else ""
        return f"{error.config_file} does not parse{where}"
    # The location's detail is the name of the file.
    return re.sub(r"LocationInfo\(.*?, detail='(.*?)'\)", r"\1", str(error))


def _value(opt: cfg.Opt, conf: cfg.ConfigOpts, local: Any) -> Any:
    """Return the value of one option.

    :param local: the value in the filter's section, or None
    """
    if local is None:
        value = conf[GROUP][opt.name]
    elif opt.multi:
        lines = local.splitlines() if isinstance(local, str) else local
        value = [line.strip() for line in lines if line.strip()]
    else:
        # The types of oslo.config parse text; Python code passes values.
        is_scalar = isinstance(local, bool | int | float)
        value = opt.type(str(local) if is_scalar else local)
    if value is None and opt.default is not None:
        raise ValueError("it is empty")
    if isinstance(value, float) and math.isnan(value):
        # It is neither below the minimum nor above the maximum.
        raise ValueError("it is not a number")
    return value


def _nova_database(
    conf: cfg.ConfigOpts, group: str, max_connections: int, timeout: float
) -> Database:
    """Return the settings in one of Nova's groups; the URL may be empty."""
    if group not in conf or "connection" not in conf[group]:
        # Nova has not registered its options. Each group has a copy, because
        # an option caches its deprecated names.
        conf.register_opts(
            copy.deepcopy(db_options.database_opts), group=group
        )

    def value(option: str, default: Any = None) -> Any:
        if option not in conf[group]:
            return default
        try:
            return conf[group][option]
        except (cfg.Error, ValueError):
            # The error's text may repeat the URL.
            raise ConfigurationError(
                f"Bad value for the option {option} of [{group}]: write $ as "
                "$$, and use a value of the option's type."
            ) from None

    is_api = group == "api_database"
    return Database(
        name="API database" if is_api else "instances' database",
        option="api_connection" if is_api else "connection",
        url=value("connection") or "",
        parameters=value("connection_parameters") or "",
        recycle=value("connection_recycle_time", 3600),
        wsrep_sync_wait=value("mysql_wsrep_sync_wait"),
        max_connections=max_connections,
        timeout=timeout,
    )


def _with_url(nova: Database, url: str | None) -> Database | None:
    """Return a database with the URL in the filter's option, if any.

    ``connection_parameters`` apply only to the URL in the same group.
    """
    if url:
        return dataclasses.replace(nova, url=url, parameters="")
    return nova if nova.url else None


def _cell_connections(entries: Iterable[str]) -> dict[str, str]:
    connections = {}
    for entry in entries:
        cell, _, url = (part.strip() for part in entry.partition("="))
        # A URL without a name can have a = in its query.
        if not cell or not url or "://" in cell:
            raise ConfigurationError(
                f"Bad value for the option cell_connection of [{GROUP}]: "
                "write NAME_OR_UUID=URL."
            )
        connections[cell] = url
    return connections
