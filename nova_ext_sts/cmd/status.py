# SPDX-License-Identifier: Apache-2.0
"""The command ``nova-ext-sts-status upgrade check``.

The exit codes are those of ``nova-status``: 0, 1 for warnings, 2 for failures,
and 255 if the configuration cannot be read.

What needs SQLAlchemy is imported in the checks that use it, because Site has
to say first whether the installed one is too old to be imported.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import logging
import re
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from oslo_config import cfg
from oslo_middleware import base
from oslo_upgradecheck import upgradecheck
from oslo_upgradecheck.upgradecheck import Code

from nova_ext_sts import policy, records, settings
from nova_ext_sts.cmd.paste import FACTORY, PasteFile
from nova_ext_sts.opts import GROUP, OPTS
from nova_ext_sts.printable import printable
from nova_ext_sts.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from oslo_policy.policy import Enforcer

    from nova_ext_sts.records import Checked, Reading, RecordSource
    from nova_ext_sts.settings import Settings

    Findings = Iterator["Finding"]


class Finding(NamedTuple):
    """What a check has found, and what to do about it."""

    code: Code
    text: str


success, warning, failure = (functools.partial(Finding, code) for code in Code)

CLI_OPTS = [
    cfg.StrOpt(
        "paste-file",
        help="The paste file with the filter. If unset, Nova's option [wsgi] "
        "api_paste_config names it.",
    ),
]
#: Nova's option; the command does not import Nova, which registers it.
WSGI_OPTS = [cfg.StrOpt("api_paste_config", default="api-paste.ini")]

#: The fix for an error of a database.
_FIXES: dict[type[Exception], str] = {
    records.Unreachable: "check that it runs, and its URL (option {option})",
    records.InvalidParameter: "correct its URL (option {option})",
    records.AccessDenied: "grant its user SELECT on {columns}",
    records.SchemaMismatch: "bring Nova's schema up to date with nova-manage",
}

#: The names that people and releases have given to the policy rule.
_EXTENDED_STATUS = re.compile("extended[-_]status")

_NO_SOURCE = "Not checked: there is no record source, see Configuration."


def main(
    argv: list[str] | None = None, conf: cfg.ConfigOpts | None = None
) -> int:
    """Run the command, and return its exit code.

    :param argv: the arguments; those of the process by default
    :param conf: reads the configuration; the global object by default
    """
    conf = conf or cfg.CONF
    # The results are printed; logging would print its messages to stderr.
    logging.getLogger().addHandler(logging.NullHandler())
    conf.register_cli_opts(CLI_OPTS)
    conf.register_opts(WSGI_OPTS, group="wsgi")
    stdout: Any = sys.stdout
    if hasattr(stdout, "reconfigure"):
        # The terminal may not be able to show the name of a cell.
        stdout.reconfigure(errors="backslashreplace")
    try:
        return upgradecheck.main(
            conf, "nova", Checks(conf), argv or sys.argv[1:]
        )
    except UnicodeError:
        problem = "configuration cannot be read: it is not encoded in UTF-8"
    except (cfg.Error, OSError) as error:
        # A file of the configuration has a name, the output has none.
        is_output = getattr(error, "filename", "") is None
        verb = (
            "results cannot be written"
            if is_output
            else ("configuration cannot be read")
        )
        problem = f"{verb}: {settings.reason_of(error).rstrip('.')}"
    print(f"The {problem}.", file=sys.stderr)
    return 255


class Site:
    """A site's paste file, and the record sources of its filters.

    :param conf: the configuration, read by ``upgradecheck.main``
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self.conf = conf
        self.paste_file: PasteFile | None = None
        #: By the title of the section that configures the filter.
        self.sources: dict[str, tuple[Settings, RecordSource]] = {}
        #: Errors of the configuration.
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
                # As oslo.middleware does when the filter is loaded.
                is_own = "oslo_config_project" in options
                own = base.ConfigurableMiddleware(None, options).oslo_conf
                found = settings.read(own if is_own else conf, options)
                self.sources[title] = found, records.load(found)
            except (ConfigurationError, cfg.Error) as error:
                self.faults.append(f"{title}: {settings.reason_of(error)}")
        #: The oslo.config objects of the filters.
        self.confs = [each.conf for each, _ in self.sources.values()] or [conf]

    @functools.cached_property
    def checked(self) -> list[Checked]:
        """The databases of all record sources, after a query to each."""
        return [
            checked
            for each, source in self.sources.values()
            for checked in records.check(source, each.timeout)
        ]


def _configuration(site: Site) -> Findings:
    if not site.conf.config_file and not site.conf.config_dir:
        level = warning if site.faults else success
        yield level("No configuration file was found: see --config-file.")
    for fault in site.faults:
        yield failure(fault)
    for title, (each, _) in site.sources.items():
        yield success(f"{title}: the record source {each.record_source}.")
    for conf in site.confs:
        yield from _unknown_options(conf)


def _unknown_options(conf: cfg.ConfigOpts) -> Findings:
    """Yield the options in [extended_status] that oslo.config ignores."""
    conf.register_opts(OPTS, group=GROUP)
    # Including those that a record source has registered.
    known = list(conf[GROUP])
    files = [Path(file) for file in conf.config_file]
    for directory in conf.config_dir:
        files += sorted(Path(directory).glob("*.conf"))
    for file in files:
        sections: dict[str, dict[str, list[str]]] = {}
        cfg.ConfigParser(str(file), sections).parse()
        for name in sorted(sections.get(GROUP, {}).keys() - set(known)):
            similar = difflib.get_close_matches(name, known, 1, 0.75)
            fix = f"write {similar[0]}" if similar else "remove it"
            yield failure(
                f"Unknown option {name} in [{GROUP}] of {file}: {fix}."
            )


def _databases(site: Site) -> Findings:
    if not site.checked:
        yield warning(_NO_SOURCE)
    for checked in site.checked:
        if checked.errors:
            yield from _failures(checked)
        else:
            yield success(f"{_title(checked.reading)} can be read.")
            yield from _pooler(checked.reading)


def _title(reading: Reading) -> str:
    title = reading.database.title if reading.database else reading.name
    return f"{title[:1].upper()}{title[1:]}"


def _failures(checked: Checked) -> Findings:
    """Yield the errors of a database, with their fixes."""
    from nova_ext_sts.records.mappings import URLS

    reading = checked.reading
    columns = ", ".join(
        f"{select.table} ({', '.join(select.columns)})"
        for select in reading.selects
    )
    if URLS in reading.selects:
        columns += ", or set cell_connection for every cell"
    # The title has the name, too, that a reason begins with.
    name = reading.database.settings.name if reading.database else ""
    for error in checked.errors:
        reason = error.reason.removeprefix(f"{name}: ").rstrip(".")
        text = f"{_title(reading)} cannot be read: {reason}"
        if not reading.fault:
            fix = _FIXES.get(type(error), "see the error of the server")
            fix = fix.format(option=reading.option, columns=columns)
            text = f"{text}: {fix}"
        yield failure(f"{text}.")


def _pooler(reading: Reading) -> Findings:
    """Yield a warning if a pooler shares PostgreSQL's connections."""
    database = reading.database
    if database is None or database.url.get_backend_name() != "postgresql":
        return
    from sqlalchemy import event, exc

    from nova_ext_sts.records.engine import new_engine
    from nova_ext_sts.records.systems import cut

    engine = new_engine(database.settings, database.url)
    connections: list[Any] = []
    is_over = threading.Event()

    def note(connection: Any, _record: Any) -> None:
        connections.append(connection)
        if is_over.is_set():
            cut(connection)

    def end() -> None:
        is_over.set()
        for connection in connections:
            with contextlib.suppress(Exception):
                cut(connection)

    # Before the statements that begin a session.
    event.listen(engine, "connect", note, insert=True)
    # In a pool that is full, a query waits for a connection.
    timer = threading.Timer(database.settings.timeout, end)
    timer.start()
    try:
        with engine.connect() as one, engine.connect() as other:
            pids = [
                each.exec_driver_sql("SELECT pg_backend_pid()").scalar()
                for each in (one, other) * 3
            ]
    except exc.SQLAlchemyError:
        yield warning(
            f"{_title(reading)} was not checked for a pooler, because it does "
            "not grant two more connections: allow for more of them."
        )
        return
    finally:
        timer.cancel()
    # Without a pooler each connection has a process, always the same.
    if pids[0] == pids[1] or pids != pids[:2] * 3:
        yield warning(
            f"{_title(reading)} is behind a pooler that shares connections "
            "between clients, so that session settings reach other clients: "
            "set its pool_mode to session."
        )


def _cells(site: Site) -> Findings:
    if not site.checked:
        yield warning(_NO_SOURCE)
        return
    from nova_ext_sts.records.mappings import NO_SUCH_CELL

    cells = [
        each
        for each in site.checked
        if each.reading.option == "cell_connection"
        and each.reading.fault != NO_SUCH_CELL
    ]
    down = [each.reading.name for each in cells if each.errors]
    if down:
        names = ", ".join(down)
        yield failure(f"Servers in {names} get no states: see Databases.")
    if cells:
        readable = len(cells) - len(down)
        yield success(f"{readable} of {len(cells)} cells can be read.")
    elif any(each.reading.option == "api_connection" for each in site.checked):
        yield failure(
            "No cell is known: see Databases, and nova-manage cell_v2 "
            "list_cells."
        )
    else:
        yield success("The record source reads no cells.")


def _policy(site: Site) -> Findings:
    for conf in site.confs:
        enforcer = policy.new_enforcer(conf)
        try:
            enforcer.load_rules()
        except Exception as error:
            reason = " ".join(str(error).split())
            yield failure(
                "The policy cannot be loaded, so that nobody gets states: "
                f"{reason}"
            )
            continue
        names = (enforcer.policy_file, *conf.oslo_policy.policy_dirs)
        found = ", ".join(filter(None, map(conf.find_file, names)))
        origin = f"set in {found}" if found else f"no {names[0]} found"
        check = str(enforcer.rules[policy.RULE])
        effect = ": everybody gets states" if check == "@" else ""
        yield success(f'{policy.RULE} is "{check}" ({origin}){effect}.')
        yield from _rules(enforcer)


def _rules(enforcer: Enforcer) -> Findings:
    """Yield the rules in policy files that do not mean what they say."""
    for name, rule in enforcer.file_rules.items():
        if str(rule.check) == "!" != rule.check_str:
            yield failure(
                f"The policy rule {name} cannot be parsed and denies: "
                f'"{rule.check_str}".'
            )
        elif name != policy.RULE and _EXTENDED_STATUS.search(name):
            yield warning(
                f"The policy rule {name} has no effect: write {policy.RULE}."
            )
    if not enforcer.check_rules():
        yield warning(
            "A policy rule refers to an undefined rule, or to itself, and "
            "denies: oslopolicy-validator names it."
        )


def _pipeline(site: Site) -> Findings:
    file = site.paste_file
    if file is None:
        yield warning("Not checked: no paste file was read, see --paste-file.")
        return
    if not file.filters:
        yield failure(
            f"No section of {file.path} creates the filter: add "
            f"[filter:extended_status] with paste.filter_factory = {FACTORY}."
        )
    place = "right before the application"
    extended = []
    for title, filters, is_nova in file.pipelines:
        own = [name for name in filters if name in file.filters][-1:]
        if own:
            extended.append(title)
        # Nova ships pipelines without Keystone beside those with it.
        elif file.filters and is_nova and "noauth" not in title:
            yield warning(f"{title} lacks the filter: add it {place}.")
        if own and filters[-1:] != own:
            yield warning(
                f"In {title}, {filters[-1]} comes after {own[0]}: move "
                f"{own[0]} {place}."
            )
    if extended:
        titles = ", ".join(extended)
        yield success(f"The filter is in {titles} of {file.path}.")
    elif file.filters:
        yield failure(
            f"No pipeline of {file.path} contains {file.filters[0]}: add it "
            f"{place}."
        )


def _result(
    checks: Checks, findings: Callable[[Site], Findings]
) -> upgradecheck.Result:
    """Return the findings of a check as one result, the worst first."""
    found = []
    try:
        for finding in findings(checks.site):
            found.append(finding)
    except Exception as error:
        # The text of an unknown error may contain a password.
        name = type(error).__name__
        found.append(warning(f"Not checked: {name} was raised."))
    found = sorted(dict.fromkeys(found), key=lambda each: -each.code)
    details = " ".join(printable(each.text) for each in found)
    return upgradecheck.Result(found[0].code, details)


class Checks(upgradecheck.UpgradeCommands):
    """The checks of ``upgrade check``."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf

    @functools.cached_property
    def site(self) -> Site:
        """The site; the command line has been parsed when it is needed."""
        return Site(self._conf)

    _upgrade_checks = (
        ("Configuration", (_result, {"findings": _configuration})),
        ("Databases", (_result, {"findings": _databases})),
        ("Cells", (_result, {"findings": _cells})),
        ("Policy", (_result, {"findings": _policy})),
        ("Pipeline", (_result, {"findings": _pipeline})),
    )
