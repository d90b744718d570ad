# SPDX-License-Identifier: Apache-2.0
"""Filters and pipelines in a paste file.

The file is parsed and not loaded, because most of what it names can be
imported only where the service runs. Pipelines are the ``[pipeline:…]``
sections, and the lines of Nova's composites, one per ``auth_strategy``.
"""

from __future__ import annotations

import configparser
import itertools
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from paste.deploy import loadwsgi

from nova_ext_sts.settings import PASTE_OPTIONS, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

FACTORY = "nova_ext_sts:filter_factory"

_FILTER = re.compile(r"((egg|call):)?nova[-_]ext[-_]sts\b", re.IGNORECASE)
_NOVA_API = re.compile(r"nova\.api\.openstack\.compute:APIRouter")


class Pipeline(NamedTuple):
    """The filters in front of an application, outermost first."""

    title: str
    filters: list[str]
    #: Whether the application is Nova's Compute API.
    is_nova: bool


class PasteFile:
    """A paste file.

    :raises ConfigurationError: it cannot be read
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._loader = loadwsgi.ConfigLoader(path)
            self._parser = self._loader.parser
            self.pipelines = list(self._pipelines())
            #: The names of this package's filters.
            self.filters = self._filters()
        except (OSError, UnicodeError, configparser.Error) as error:
            # from None: the parser's error may contain a password.
            raise ConfigurationError(
                f"The paste file {path} cannot be read: {_reason(error)}."
            ) from None

    def options(self, name: str) -> dict[str, Any]:
        """Return a filter's options, as paste passes them to it.

        :raises ConfigurationError: paste cannot load the filter
        """
        try:
            context = self._loader.get_context(loadwsgi.FILTER, name)
        except Exception as error:
            # Paste raises many types of errors.
            raise ConfigurationError(
                f"paste cannot load it ({_reason(error)}): write "
                f"paste.filter_factory = {FACTORY}, and % as %%."
            ) from None
        shared = context.global_conf
        options = {name: shared[name] for name in PASTE_OPTIONS & set(shared)}
        return {**options, **context.local_conf}

    def _pipelines(self) -> Iterator[Pipeline]:
        for title in self._parser.sections():
            section = self._parser[title]
            lines = {}
            if title.startswith("pipeline:"):
                lines = {f"[{title}]": section.get("pipeline", "")}
            elif "pipeline_factory" in section.get("use", ""):
                # Its other options contain no filter.
                lines = {
                    f"[{title}] {option}": line
                    for option, line in section.items()
                }
            for name, line in lines.items():
                *filters, application = line.split() or [""]
                factory = self._factory(loadwsgi.APP, application)
                is_nova = bool(_NOVA_API.match(factory))
                yield Pipeline(name, filters, is_nova)

    def _filters(self) -> list[str]:
        titles = [title.partition(":") for title in self._parser.sections()]
        names = [name.strip() for kind, _, name in titles if kind == "filter"]
        # A pipeline can name a factory directly, as egg:nova-ext-sts#….
        names += itertools.chain(*(each.filters for each in self.pipelines))
        return [
            name
            for name in dict.fromkeys(names)
            if _FILTER.match(self._factory(loadwsgi.FILTER, name))
        ]

    def _factory(self, kind: Any, name: str) -> str:
        """Return the factory of a filter or an application.

        :param kind: paste's FILTER or APP
        """
        try:
            title = self._loader.find_config_section(kind, name)
        except LookupError:
            return name
        section = self._parser[title]
        options = ("use", *itertools.chain(*kind.egg_protocols))
        factories = (section[each] for each in options if each in section)
        return self._factory(kind, next(factories, ""))


def _reason(error: Exception) -> str:
    """Return an error as one line without text of the file."""
    if isinstance(error, configparser.InterpolationError):
        return f"bad % in {error.option} of [{error.section}]"
    if isinstance(error, configparser.Error):
        lines = [line for line, _ in getattr(error, "errors", ())]
        line = (lines or [getattr(error, "lineno", "?")])[0]
        return f"{type(error).__name__} at line {line}"
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split())
