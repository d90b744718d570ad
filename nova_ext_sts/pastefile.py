# SPDX-License-Identifier: Apache-2.0
"""A paste file: the filters of ours in it, and the pipelines.

Read, and not loaded: what else stands in the file may be importable only where
the service runs.
"""

from __future__ import annotations

import configparser
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from oslo_middleware import base
from paste.deploy import loadwsgi

from nova_ext_sts import settings
from nova_ext_sts.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oslo_config import cfg

    from nova_ext_sts.settings import Settings

#: How the factory of a section can be given, besides ``use``.
_FACTORIES = (
    "paste.filter_factory",
    "paste.filter_app_factory",
    "paste.app_factory",
    "paste.composite_factory",
    "paste.composit_factory",
)
_OURS = re.compile(r"(egg:)?nova[-_]ext[-_]sts\b")
_OUR_FACTORY = "nova_ext_sts:filter_factory"

#: The kinds of section that paste.deploy knows, by what can be named there.
_FILTERS = ("filter",)
_APPLICATIONS = (
    "app",
    "application",
    "composite",
    "composit",
    "pipeline",
    "filter-app",
)


class Stage(NamedTuple):
    """A filter or an application in a pipeline."""

    name: str
    #: What makes it, as ``module:name`` or ``egg:NAME#entry``; empty where no
    #: section says.
    factory: str
    #: Whether it is a filter of ours.
    is_ours: bool = False


class Pipeline(NamedTuple):
    """What a request passes, outermost first; the application is last."""

    name: str
    stages: tuple[Stage, ...]


class PasteFile:
    """One paste file.

    :raises ConfigurationError: it cannot be read
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._loader = loadwsgi.ConfigLoader(path)
        except (OSError, UnicodeError, configparser.Error) as error:
            why = " ".join(str(error).split())
            raise ConfigurationError(
                f"The paste file {path} cannot be read: {why}."
            ) from error
        self._parser = self._loader.parser
        #: The name of each section, by its kind and what it defines.
        self._sections: dict[tuple[str, str], str] = {}
        for section in self._parser.sections():
            kind, _, name = section.partition(":")
            self._sections[kind.strip(), name.strip()] = section

    def filters(self) -> list[str]:
        """Return the names of the sections that make a filter of ours."""
        return [
            name
            for kind, name in self._sections
            if kind in _FILTERS and _OURS.match(self._factory(kind, name))
        ]

    def settings(self, name: str, conf: cfg.ConfigOpts) -> Settings:
        """Return what a filter of ours is configured with.

        :param conf: what it reads where its section does not name a
            configuration of its own
        :raises ConfigurationError: the filter cannot be loaded
        """
        try:
            context: Any = self._loader.get_context(loadwsgi.FILTER, name)
        except Exception as error:
            # What paste.deploy raises is up to the file.
            why = " ".join(str(error).split())
            raise ConfigurationError(
                f"[filter:{name}] of {self.path} cannot be loaded ({why}): "
                f"write paste.filter_factory = {_OUR_FACTORY}."
            ) from error
        own = {
            option: value
            for option, value in context.global_conf.items()
            if option in settings.PASTE_OPTIONS
        } | context.local_conf
        if "oslo_config_project" in own:
            conf = base.ConfigurableMiddleware(None, own).oslo_conf
        return settings.read(conf, own)

    def lost_options(self, name: str) -> list[str]:
        """Return the options of a filter's section that never reach it.

        paste hands on none whose name stands in [DEFAULT], too.
        """
        raw = configparser.RawConfigParser(strict=False, default_section="")
        # As paste does: the names are those of keyword arguments.
        raw.optionxform = str  # type: ignore[assignment,method-assign]
        raw.read(self.path)
        section = raw[self._sections["filter", name]]
        return sorted(section.keys() & self._parser.defaults().keys())

    def options(self, kind: str, name: str) -> Mapping[str, str]:
        """Return a section's options, but for what [DEFAULT] gives it."""
        section = self._sections[kind, name]
        defaults = self._parser.defaults()
        return {
            option: self._value(section, option)
            for option in self._parser.options(section)
            if option not in defaults
        }

    def applications(self, factory: str) -> list[tuple[str, str]]:
        """Return kind and name of the applications that a pattern fits.

        :param factory: a regular expression for what makes them
        """
        return [
            (kind, name)
            for kind, name in self._sections
            if kind in _APPLICATIONS
            and re.match(factory, self._factory(kind, name))
        ]

    def names(self) -> list[str]:
        """Return what the sections define."""
        return [name for _, name in self._sections]

    def mount_points(self, application: str) -> list[str]:
        """Return the paths that a urlmap, or an application like it, maps."""
        return [
            option
            for kind, name in self._sections
            if name == application and kind in _APPLICATIONS
            for option in self.options(kind, name)
            if option.startswith("/")
        ]

    def pipelines(self) -> list[Pipeline]:
        """Return the pipelines that no other one goes on with."""
        named = {
            (kind, name, key): names
            for kind, name in self._sections
            for key, names in self._named(kind, name)
        }
        tails = {
            names[-1]
            for (_, name, _), names in named.items()
            if names and names[-1] != name
        }
        return [
            Pipeline(
                f"[{kind}:{name}]" + (f" {key}" if key else ""),
                tuple(self._stages(names)),
            )
            for (kind, name, key), names in named.items()
            if names and name not in tails
        ]

    def _named(self, kind: str, name: str) -> Iterator[tuple[str, list[str]]]:
        """Yield the stages that a section lists, by the option that does.

        Nova's composites list one pipeline for each way of authentication.
        """
        options = self.options(kind, name)
        use = options.get("use", "")
        if kind == "pipeline":
            yield "", options.get("pipeline", "").split()
        elif kind == "filter-app":
            yield "", [use, options.get("next", "")]
        elif kind in ("composite", "composit") and "pipeline_factory" in use:
            for key, value in options.items():
                if key not in ("use", "filter-with"):
                    yield key, value.split()
        elif "filter-with" in options and kind in _APPLICATIONS:
            yield "", [options["filter-with"], name]

    def _stages(
        self, names: list[str], seen: tuple[str, ...] = ()
    ) -> Iterator[Stage]:
        """Yield the stages of a pipeline, and of the one that it ends in."""
        *filters, last = names
        ours = self.filters()
        for name in filters:
            yield Stage(name, self._made_by(_FILTERS, name), name in ours)
        yield Stage(last, self._made_by(_APPLICATIONS, last))
        if last not in seen:
            for kind, name in self._sections:
                if name == last and kind in _APPLICATIONS:
                    for _, further in self._named(kind, name):
                        if further and further[-1] != last:
                            yield from self._stages(further, (*seen, last))

    def _made_by(self, kinds: tuple[str, ...], name: str) -> str:
        """Return what makes a stage; nothing where there is no section."""
        if ":" in name:
            return name
        for kind, section in self._sections:
            if section == name and kind in kinds:
                return self._factory(kind, name) or kind
        return ""

    def _factory(
        self, kind: str, name: str, seen: tuple[str, ...] = ()
    ) -> str:
        """Return what makes a section's filter or application."""
        options = self.options(kind, name)
        use = options.get("use", "")
        if ":" in use or use in seen:
            return use.removeprefix("call:").strip()
        if use:
            kinds = _FILTERS if kind in _FILTERS else _APPLICATIONS
            for other, section in self._sections:
                if section == use and other in kinds:
                    return self._factory(other, use, (*seen, use))
            return ""
        for option in _FACTORIES:
            if option in options:
                return options[option].strip()
        return ""

    def _value(self, section: str, option: str) -> str:
        try:
            value: str = self._parser.get(section, option)
        except configparser.Error:
            # A % that is no %%: paste says so when it loads the section.
            value = self._parser.get(section, option, raw=True)
        return value
