# SPDX-License-Identifier: Apache-2.0
"""The command ``nova-ext-sts-status upgrade check``.

It exits as ``nova-status`` does: with 0, with 1 for warnings, with 2 for
failures, and with 255 if the configuration cannot be read.
"""

from __future__ import annotations

import difflib
import functools
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oslo_config import cfg
from oslo_middleware import base
from oslo_upgradecheck import upgradecheck
from oslo_upgradecheck.upgradecheck import Code

from nova_ext_sts import policy, records, settings
from nova_ext_sts.cmd.paste import FACTORY, PasteFile
from nova_ext_sts.opts import GROUP, OPTS
from nova_ext_sts.printable import printable
from nova_ext_sts.records.engine import new_engine
from nova_ext_sts.records.mappings import NO_SUCH_CELL, URLS
from nova_ext_sts.settings import ConfigurationError, said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nova_ext_sts.records import (
        Checked,
        Reading,
        RecordSource,
        RecordsUnavailable,
    )
    from nova_ext_sts.settings import Settings

    #: What a sentence makes of its check, and the sentence.
    Finding = tuple[Code, str]

SUCCESS, WARNING, FAILURE = Code

CLI_OPTS = [
    cfg.StrOpt(
        "paste-file",
        help="The paste file with the filter; by default Nova's own, which "
        "[wsgi] api_paste_config names.",
    ),
]
#: Nova's own option, where Nova has not registered it.
WSGI_OPTS = [cfg.StrOpt("api_paste_config", default="api-paste.ini")]

#: libpq was told another process than this, if there is a pooler.
_BACKEND = "SELECT pg_backend_pid()"

#: What to do about an error of a database.
_ADVICE: dict[type[Exception], str] = {
    records.Unreachable: "check that it runs, and its URL (option {option})",
    records.AccessDenied: "grant its user SELECT on {columns}",
    records.SchemaMismatch: "bring Nova's schema up to date with nova-manage",
}


def main(
    argv: Sequence[str] | None = None, conf: cfg.ConfigOpts | None = None
) -> int:
    """Run the command, and return its exit code.

    :param argv: the arguments, if not those of the process
    :param conf: what to read the configuration with, if not the global one
    """
    conf = conf or cfg.CONF
    # The findings are printed; Python would print the log messages, too.
    logging.getLogger().addHandler(logging.NullHandler())
    conf.register_cli_opts(CLI_OPTS)
    conf.register_opts(WSGI_OPTS, group="wsgi")
    arguments = list(sys.argv[1:] if argv is None else argv)
    stdout: Any = sys.stdout
    if hasattr(stdout, "reconfigure"):
        # A cell may have a name that the terminal cannot show.
        stdout.reconfigure(errors="backslashreplace")
    try:
        return upgradecheck.main(conf, "nova", Checks(conf), arguments)
    except (cfg.Error, OSError, UnicodeError) as error:
        is_text = not isinstance(error, UnicodeError)
        why = said(error).rstrip(".") if is_text else "it is not in UTF-8"
        print(f"The configuration cannot be read: {why}.", file=sys.stderr)
        return 255


class Site:
    """A site's paste file, and the record sources of its filters."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self.paste_file: PasteFile | None = None
        #: By the section that configures the filter.
        self.sources: dict[str, tuple[Settings, RecordSource]] = {}
        #: What cannot work.
        self.faults: list[str] = []
        path = conf.paste_file or conf.find_file(conf.wsgi.api_paste_config)
        try:
            self.paste_file = file = PasteFile(path) if path else None
        except ConfigurationError as error:
            self.faults.append(str(error))
            file = None
        for name in (file and file.filters) or [""]:
            title = f"[filter:{name}]" if name else f"[{GROUP}]"
            try:
                options = file.options(name) if file and name else {}
                # As oslo.middleware chooses it.
                is_own = "oslo_config_project" in options
                own = base.ConfigurableMiddleware(None, options).oslo_conf
                found = settings.read(own if is_own else conf, options)
                self.sources[title] = found, records.load(found)
            except (ConfigurationError, cfg.Error) as error:
                self.faults.append(f"{title}: {said(error)}")
        #: The oslo.config objects that the filters read.
        self.confs = [each.conf for each, _ in self.sources.values()] or [conf]


def _reported(
    check: Callable[[Checks], Iterator[Finding]],
) -> Callable[[Checks], upgradecheck.Result]:
    """Return a check whose result is all of its findings."""

    def run(checks: Checks) -> upgradecheck.Result:
        try:
            findings = list(check(checks))
        except Exception as error:
            # Its text may hold a password.
            findings = [_unchecked(f"{type(error).__name__} was raised")]
        # The worst first, and each once.
        findings = sorted(dict.fromkeys(findings), key=lambda each: -each[0])
        details = " ".join(printable(text) for _, text in findings)
        return upgradecheck.Result(findings[0][0], details)

    return run


def _unchecked(why: str) -> Finding:
    return WARNING, f"Not checked: {why}."


class Checks(upgradecheck.UpgradeCommands):
    """The checks of ``upgrade check``.

    :param conf: the configuration, which is read after the command line
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf

    @functools.cached_property
    def _site(self) -> Site:
        return Site(self._conf)

    @functools.cached_property
    def _checked(self) -> list[Checked]:
        return [
            checked
            for each, source in self._site.sources.values()
            for checked in records.check(source, each.timeout)
        ]

    def _configuration(self) -> Iterator[Finding]:
        site = self._site
        if not self._conf.config_file and not self._conf.config_dir:
            code = WARNING if site.faults else SUCCESS
            yield code, "No configuration file was found: see --config-file."
        for fault in site.faults:
            yield FAILURE, fault
        for title, (each, _) in site.sources.items():
            yield SUCCESS, f"{title}: the record source {each.record_source}."
        for conf in site.confs:
            yield from _unknown_options(conf)

    def _databases(self) -> Iterator[Finding]:
        if not self._checked:
            yield _unchecked("there is no record source, see Configuration")
        for checked in self._checked:
            if checked.errors:
                yield from _failures(checked)
            else:
                yield SUCCESS, f"{_title(checked.reading)} can be read."
                yield from _pooler(checked.reading)

    def _cells(self) -> Iterator[Finding]:
        cells = {
            each.reading.name: each
            for each in self._checked
            if each.reading.option == "cell_connection"
            and each.reading.fault != NO_SUCH_CELL
        }
        down = {name: each for name, each in cells.items() if each.errors}
        for name, each in down.items():
            reasons = _reasons(each, each.errors)
            yield FAILURE, f"Servers in {name} get no states: {reasons}."
        options = {each.reading.option for each in self._checked}
        if cells:
            readable = len(cells) - len(down)
            yield SUCCESS, f"{readable} of {len(cells)} cells can be read."
        elif "api_connection" in options:
            yield (
                FAILURE,
                "No cell is known: see Databases, and nova-manage cell_v2 "
                "list_cells.",
            )
        elif options:
            yield SUCCESS, "The record source reads no cells."
        else:
            yield _unchecked("there is no record source, see Configuration")

    def _policy(self) -> Iterator[Finding]:
        for conf in self._site.confs:
            yield from _policy_of(conf)

    def _pipeline(self) -> Iterator[Finding]:
        if self._site.paste_file:
            yield from _places(self._site.paste_file)
        else:
            yield _unchecked("no paste file was read, see --paste-file")

    _upgrade_checks = (
        ("Configuration", _reported(_configuration)),
        ("Databases", _reported(_databases)),
        ("Cells", _reported(_cells)),
        ("Policy", _reported(_policy)),
        ("Pipeline", _reported(_pipeline)),
    )


def _unknown_options(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """Yield the options of [extended_status] that oslo.config ignores."""
    conf.register_opts(OPTS, group=GROUP)
    # A record source may have options there, too.
    known = list(conf[GROUP])
    files = [Path(file) for file in conf.config_file]
    for directory in conf.config_dir:
        files += sorted(Path(directory).glob("*.conf"))
    for file in files:
        sections: dict[str, dict[str, list[str]]] = {}
        cfg.ConfigParser(str(file), sections).parse()
        for name in sorted(sections.get(GROUP, {}).keys() - set(known)):
            near = difflib.get_close_matches(name, known, 1, 0.75)
            advice = f"write {near[0]}" if near else "remove it"
            text = f"Unknown option {name} in [{GROUP}] of {file}: {advice}."
            yield FAILURE, text


def _title(reading: Reading) -> str:
    title = reading.database.title if reading.database else reading.name
    return f"{title[:1].upper()}{title[1:]}"


def _reasons(checked: Checked, errors: Sequence[RecordsUnavailable]) -> str:
    """Return the reasons of errors, without the name that they begin with."""
    database = checked.reading.database
    name = f"{database.settings.name}: " if database else ""
    reasons = (each.reason.removeprefix(name).rstrip(".") for each in errors)
    return "; ".join(dict.fromkeys(reasons))


def _failures(checked: Checked) -> Iterator[Finding]:
    """Yield what is wrong with a database, and what to do."""
    reading, errors = checked
    columns = ", ".join(
        f"{select.table} ({', '.join(select.columns)})"
        for select in reading.selects
    )
    if URLS in reading.selects:
        columns += ", or set cell_connection for every cell"
    for kind in dict.fromkeys(map(type, errors)):
        reasons = _reasons(checked, [e for e in errors if type(e) is kind])
        advice = _ADVICE.get(kind, "find the cause there")
        advice = advice.format(option=reading.option, columns=columns)
        advice = "" if reading.fault else f": {advice}"
        yield (
            FAILURE,
            f"{_title(reading)} cannot be read: {reasons}{advice}.",
        )


def _pooler(reading: Reading) -> Iterator[Finding]:
    """Yield whether a pooler between the filter and PostgreSQL will do."""
    database = reading.database
    if database is None or database.url.get_backend_name() != "postgresql":
        return
    engine = new_engine(database.settings, database.url)
    with engine.connect() as one, engine.connect() as other:
        connection: Any = one.connection.dbapi_connection
        told = connection.info.backend_pid
        pids = {
            (
                one.exec_driver_sql(_BACKEND).scalar(),
                other.exec_driver_sql(_BACKEND).scalar(),
            )
            for _ in range(3)
        }
    first, second = next(iter(pids))
    title = _title(reading)
    if len(pids) > 1 or first == second:
        yield (
            WARNING,
            f"{title} is behind a pooler that shares server connections "
            "between clients, so that the settings of a session reach others: "
            "set its pool_mode to session.",
        )
    elif first != told:
        yield SUCCESS, f"{title} is behind a pooler in session mode."


def _policy_of(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    enforcer = policy.new_enforcer(conf)
    try:
        enforcer.load_rules()
    except Exception as error:
        reason = " ".join(str(error).split())
        yield FAILURE, f"Nobody gets states: {reason}"
        return
    names = (enforcer.policy_file, *conf.oslo_policy.policy_dirs)
    found = ", ".join(filter(None, map(conf.find_file, names)))
    source = f"set in {found}" if found else f"no {names[0]} found"
    check = str(enforcer.rules[policy.RULE])
    who = ": everybody gets states" if check == "@" else ""
    yield SUCCESS, f'{policy.RULE} is "{check}" ({source}){who}.'
    for name, rule in enforcer.file_rules.items():
        if str(rule.check) == "!" != rule.check_str:
            yield (
                FAILURE,
                f"The policy rule {name} cannot be parsed and denies: "
                f'"{rule.check_str}".',
            )
        elif (
            "extended_status" in name.replace("-", "_") and name != policy.RULE
        ):
            text = (
                f"The policy rule {name} has no effect: write {policy.RULE}."
            )
            yield WARNING, text
    if not enforcer.check_rules():
        yield (
            WARNING,
            "A policy rule refers to an undefined rule, or to itself, and "
            "denies: oslopolicy-validator names it.",
        )


def _places(file: PasteFile) -> Iterator[Finding]:
    """Yield where the filter is in each pipeline, and where it is not."""
    if not file.filters:
        yield (
            FAILURE,
            f"No section of {file.path} creates the filter: add "
            f"[filter:extended_status] with paste.filter_factory = {FACTORY}.",
        )
    last = "right before the application"
    extended = []
    for title, filters, is_novas in file.pipelines:
        inner = [name for name in filters if name in file.filters][-1:]
        if inner:
            extended.append(title)
        # Nova ships pipelines without Keystone beside those with it.
        elif is_novas and "noauth" not in title:
            yield WARNING, f"{title} lacks the filter: add it {last}."
        if inner and filters[-1:] != inner:
            yield (
                WARNING,
                f"In {title}, {filters[-1]} comes after {inner[0]}: move "
                f"{inner[0]} {last}.",
            )
    if extended:
        titles = ", ".join(extended)
        yield SUCCESS, f"The filter is in {titles} of {file.path}."
    elif file.filters:
        yield (
            FAILURE,
            f"No pipeline of {file.path} contains {file.filters[0]}: add it "
            f"{last}.",
        )
