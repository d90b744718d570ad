# SPDX-License-Identifier: Apache-2.0
"""A paste file: the filters of ours in it, and the pipelines.

Read, and not loaded: what else stands in the file may be importable only where
the service runs.
"""

from __future__ import annotations

import configparser
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from oslo_config import cfg
from oslo_middleware import base
from paste.deploy import loadwsgi

from nova_ext_sts import settings
from nova_ext_sts.settings import ConfigurationError, said

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nova_ext_sts.settings import Settings

#: How the factory of a section can be given, besides ``use``.
_FACTORIES = (
    "paste.filter_factory",
    "paste.filter_app_factory",
    "paste.app_factory",
    "paste.composite_factory",
    "paste.composit_factory",
)
_OURS = re.compile(r"(egg:)?nova[-_]ext[-_]sts\b", re.IGNORECASE)
FACTORY = "nova_ext_sts:filter_factory"

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
            self._loader.parser.defaults()
        except OSError as error:
            raise _unreadable(path, str(error.strerror)) from error
        except UnicodeError as error:
            raise _unreadable(path, "it is not in UTF-8") from error
        except configparser.Error as error:
            # from None: it repeats the line, which may hold a password.
            raise _unreadable(path, _place_of(error)) from None
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
        section = f"[filter:{name}] of {self.path}"
        try:
            context: Any = self._loader.get_context(loadwsgi.FILTER, name)
        except configparser.InterpolationError as error:
            # from None: it repeats the value, which may hold a password.
            raise ConfigurationError(
                f"{section} has a % that stands for nothing in "
                f"{error.option}: write each % as %%."
            ) from None
        except Exception as error:
            # What paste.deploy raises is up to the file.
            why = " ".join(str(error).split())
            raise ConfigurationError(
                f"{section} cannot be loaded ({why}): write "
                f"paste.filter_factory = {FACTORY}."
            ) from error
        own = {
            option: value
            for option, value in context.global_conf.items()
            if option in settings.PASTE_OPTIONS
        } | context.local_conf
        try:
            return settings.read(configuration_of(own, conf), own)
        except (ConfigurationError, cfg.Error) as error:
            raise ConfigurationError(f"{section}: {said(error)}") from None

    def factories(self) -> dict[str, str]:
        """Return what makes each filter."""
        return {
            name: self._factory(kind, name)
            for kind, name in self._sections
            if kind in _FILTERS
        }

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

    def is_there(self, name: str, *, filter: bool) -> bool:
        """Say whether a section defines a filter, or an application."""
        kinds = _FILTERS if filter else _APPLICATIONS
        return any((kind, name) in self._sections for kind in kinds)

    def mounted(self, application: str) -> dict[str, str]:
        """Return what a urlmap, or an application like it, maps, by path."""
        return {
            option: value
            for kind in _APPLICATIONS
            if (kind, application) in self._sections
            for option, value in self.options(kind, application).items()
            if option.startswith("/")
        }

    def behind(
        self, application: str, seen: frozenset[str] = frozenset()
    ) -> Iterator[Pipeline]:
        """Yield every pipeline that an application leads to."""
        if application in seen:
            return
        seen |= {application}
        for kind in _APPLICATIONS:
            if (kind, application) in self._sections:
                for key, names in self._named(kind, application):
                    yield self._pipeline(kind, application, key, names)
                    yield from self.behind(names[-1], seen)
        for mounted in self.mounted(application).values():
            yield from self.behind(mounted, seen)

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
            if names[-1] != name
        }
        return [
            self._pipeline(kind, name, key, names)
            for (kind, name, key), names in named.items()
            if name not in tails
        ]

    def _pipeline(
        self, kind: str, name: str, key: str, names: list[str]
    ) -> Pipeline:
        title = f"[{kind}:{name}]" + (f" {key}" if key else "")
        return Pipeline(title, tuple(self._stages(names)))

    def _named(self, kind: str, name: str) -> Iterator[tuple[str, list[str]]]:
        """Yield the stages that a section lists, by the option that does.

        Nova's composites list one pipeline for each way of authentication.
        """
        options = self.options(kind, name)
        use = options.get("use", "")
        names = options.get("pipeline", "").split()
        if kind == "pipeline" and names:
            yield "", names
        elif kind == "filter-app":
            # What it uses has a name of its own, or is the section's.
            factory = use or options.get("paste.filter_factory", "")
            yield "", [factory, options.get("next", "")]
        elif kind in ("composite", "composit") and "pipeline_factory" in use:
            for key, value in options.items():
                names = value.split()
                if names and key not in ("use", "filter-with"):
                    yield key, names
        elif "filter-with" in options and kind in _APPLICATIONS:
            yield "", [options["filter-with"], name]

    def _stages(
        self, names: list[str], seen: tuple[str, ...] = ()
    ) -> Iterator[Stage]:
        """Yield the stages of a pipeline, and of the one that it ends in."""
        *filters, last = names
        for name in filters:
            factory = self._made_by(_FILTERS, name)
            yield Stage(name, factory, bool(_OURS.match(factory)))
        yield Stage(last, self._made_by(_APPLICATIONS, last))
        if last not in seen:
            for kind, name in self._sections:
                if name == last and kind in _APPLICATIONS:
                    for _, further in self._named(kind, name):
                        if further[-1] != last:
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


def configuration_of(
    options: Mapping[str, Any], conf: cfg.ConfigOpts
) -> cfg.ConfigOpts:
    """Return what a section's filter or application reads.

    :param conf: that, unless the section names a configuration of its own
    """
    if "oslo_config_project" in options:
        return base.ConfigurableMiddleware(None, dict(options)).oslo_conf
    return conf


def _unreadable(path: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The paste file {path} cannot be read: {why}: mend it, or name "
        "another one."
    )


def _place_of(error: configparser.Error) -> str:
    """Return where an error is, without the text that stands there."""
    lines = [number for number, _ in getattr(error, "errors", ())]
    lines = lines or [getattr(error, "lineno", None)]
    numbers = ", ".join(map(str, lines))
    if isinstance(error, configparser.InterpolationError):
        return f"the % in {error.option} of [DEFAULT] stands for nothing"
    return {
        configparser.DuplicateOptionError: f"line {numbers} sets an option "
        "that its section has already",
        configparser.DuplicateSectionError: f"line {numbers} begins a section "
        "that there is already",
        configparser.MissingSectionHeaderError: f"line {numbers} stands "
        "before every [section]",
    }.get(type(error), f"line {numbers} is none of a configuration file")
