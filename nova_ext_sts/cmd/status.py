# SPDX-License-Identifier: Apache-2.0
"""The command ``nova-ext-sts-status upgrade check``.

The exit codes are those of ``nova-status``: 0, 1 for warnings, 2 for failures,
and 255 if the configuration cannot be read.

What needs SQLAlchemy is imported in the checks that use it, because Site has
to say first whether the installed one is too old to be imported.
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
from nova_ext_sts.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nova_ext_sts.records import Checked, Reading, RecordSource
    from nova_ext_sts.settings import Settings

    Finding = tuple[Code, str]

SUCCESS, WARNING, FAILURE = Code

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

_NO_SOURCE = "Not checked: there is no record source, see Configuration."


def main(
    argv: Sequence[str] | None = None, conf: cfg.ConfigOpts | None = None
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
    arguments = list(sys.argv[1:] if argv is None else argv)
    stdout: Any = sys.stdout
    if hasattr(stdout, "reconfigure"):
        # The terminal may not be able to show the name of a cell.
        stdout.reconfigure(errors="backslashreplace")
    try:
        return upgradecheck.main(conf, "nova", Checks(conf), arguments)
    except UnicodeError:
        reason = "it is not encoded in UTF-8"
    except (cfg.Error, OSError) as error:
        reason = settings.reason_of(error).rstrip(".")
    print(f"The configuration cannot be read: {reason}.", file=sys.stderr)
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


def _configuration(site: Site) -> Iterator[Finding]:
    if not site.conf.config_file and not site.conf.config_dir:
        code = WARNING if site.faults else SUCCESS
        yield code, "No configuration file was found: see --config-file."
    for fault in site.faults:
        yield FAILURE, fault
    for title, (each, _) in site.sources.items():
        yield SUCCESS, f"{title}: the record source {each.record_source}."
    for conf in site.confs:
        yield from _unknown_options(conf)


def _unknown_options(conf: cfg.ConfigOpts) -> Iterator[Finding]:
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
            yield (
                FAILURE,
                f"Unknown option {name} in [{GROUP}] of {file}: {fix}.",
            )


def _databases(site: Site) -> Iterator[Finding]:
    if not site.checked:
        yield WARNING, _NO_SOURCE
    for checked in site.checked:
        if checked.errors:
            yield from _failures(checked)
        else:
            yield SUCCESS, f"{_title(checked.reading)} can be read."
            yield from _pooler(checked.reading)


def _title(reading: Reading) -> str:
    title = reading.database.title if reading.database else reading.name
    return f"{title[:1].upper()}{title[1:]}"


def _reasons(checked: Checked) -> list[str]:
    """Return the reasons of the errors, without the database's name."""
    database = checked.reading.database
    name = f"{database.settings.name}: " if database else ""
    return [
        error.reason.removeprefix(name).rstrip(".") for error in checked.errors
    ]


def _failures(checked: Checked) -> Iterator[Finding]:
    """Yield the errors of a database, with their fixes."""
    from nova_ext_sts.records.mappings import URLS

    reading = checked.reading
    columns = ", ".join(
        f"{select.table} ({', '.join(select.columns)})"
        for select in reading.selects
    )
    if URLS in reading.selects:
        columns += ", or set cell_connection for every cell"
    for error, reason in zip(checked.errors, _reasons(checked), strict=True):
        text = f"{_title(reading)} cannot be read: {reason}"
        if not reading.fault:
            fix = _FIXES.get(type(error), "see the error of the server")
            fix = fix.format(option=reading.option, columns=columns)
            text = f"{text}: {fix}"
        yield FAILURE, f"{text}."


def _pooler(reading: Reading) -> Iterator[Finding]:
    """Yield how a pooler in front of PostgreSQL shares its connections."""
    database = reading.database
    if database is None or database.url.get_backend_name() != "postgresql":
        return
    from nova_ext_sts.records.engine import new_engine

    engine = new_engine(database.settings, database.url)
    with engine.connect() as one, engine.connect() as other:
        connection: Any = one.connection.dbapi_connection
        # A pooler announces another process than the one that answers.
        announced = connection.info.backend_pid
        pids = {
            tuple(
                each.exec_driver_sql("SELECT pg_backend_pid()").scalar()
                for each in (one, other)
            )
            for _ in range(3)
        }
    first, second = next(iter(pids))
    title = _title(reading)
    if len(pids) > 1 or first == second:
        yield (
            WARNING,
            f"{title} is behind a pooler that shares connections between "
            "clients, so that session settings reach other clients: set its "
            "pool_mode to session.",
        )
    elif first != announced:
        yield SUCCESS, f"{title} is behind a pooler in session mode."


def _cells(site: Site) -> Iterator[Finding]:
    if not site.checked:
        yield WARNING, _NO_SOURCE
        return
    from nova_ext_sts.records.mappings import NO_SUCH_CELL

    options = {each.reading.option for each in site.checked}
    cells = [
        each
        for each in site.checked
        if each.reading.option == "cell_connection"
        and each.reading.fault != NO_SUCH_CELL
    ]
    down = [each for each in cells if each.errors]
    for each in down:
        reasons = "; ".join(dict.fromkeys(_reasons(each)))
        yield (
            FAILURE,
            f"Servers in {each.reading.name} get no states: {reasons}.",
        )
    if cells:
        readable = len(cells) - len(down)
        yield SUCCESS, f"{readable} of {len(cells)} cells can be read."
    elif "api_connection" in options:
        yield (
            FAILURE,
            "No cell is known: see Databases, and nova-manage cell_v2 "
            "list_cells.",
        )
    else:
        yield SUCCESS, "The record source reads no cells."


def _policy(site: Site) -> Iterator[Finding]:
    for conf in site.confs:
        yield from _policy_of(conf)


def _policy_of(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    enforcer = policy.new_enforcer(conf)
    try:
        enforcer.load_rules()
    except Exception as error:
        reason = " ".join(str(error).split())
        yield (
            FAILURE,
            f"The policy cannot be loaded, so that nobody gets states: "
            f"{reason}",
        )
        return
    names = (enforcer.policy_file, *conf.oslo_policy.policy_dirs)
    found = ", ".join(filter(None, map(conf.find_file, names)))
    origin = f"set in {found}" if found else f"no {names[0]} found"
    check = str(enforcer.rules[policy.RULE])
    effect = ": everybody gets states" if check == "@" else ""
    yield SUCCESS, f'{policy.RULE} is "{check}" ({origin}){effect}.'
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
            yield (
                WARNING,
                f"The policy rule {name} has no effect: write {policy.RULE}.",
            )
    if not enforcer.check_rules():
        yield (
            WARNING,
            "A policy rule refers to an undefined rule, or to itself, and "
            "denies: oslopolicy-validator names it.",
        )


def _pipeline(site: Site) -> Iterator[Finding]:
    file = site.paste_file
    if file is None:
        yield WARNING, "Not checked: no paste file was read, see --paste-file."
        return
    if not file.filters:
        yield (
            FAILURE,
            f"No section of {file.path} creates the filter: add "
            f"[filter:extended_status] with paste.filter_factory = {FACTORY}.",
        )
    place = "right before the application"
    extended = []
    for title, filters, is_nova in file.pipelines:
        own = [name for name in filters if name in file.filters][-1:]
        if own:
            extended.append(title)
        # Nova ships pipelines without Keystone beside those with it.
        elif is_nova and "noauth" not in title:
            yield WARNING, f"{title} lacks the filter: add it {place}."
        if own and filters[-1:] != own:
            yield (
                WARNING,
                f"In {title}, {filters[-1]} comes after {own[0]}: move "
                f"{own[0]} {place}.",
            )
    if extended:
        titles = ", ".join(extended)
        yield SUCCESS, f"The filter is in {titles} of {file.path}."
    elif file.filters:
        yield (
            FAILURE,
            f"No pipeline of {file.path} contains {file.filters[0]}: add it "
            f"{place}.",
        )


def _result(
    findings: Callable[[Site], Iterator[Finding]],
) -> Callable[[Checks], upgradecheck.Result]:
    """Combine the findings of a check into one result, the worst first."""

    def check(checks: Checks) -> upgradecheck.Result:
        try:
            found = list(dict.fromkeys(findings(checks.site)))
        except Exception as error:
            # The text of an unknown error may contain a password.
            name = type(error).__name__
            found = [(WARNING, f"Not checked: {name} was raised.")]
        found.sort(key=lambda each: -each[0])
        details = " ".join(printable(text) for _, text in found)
        return upgradecheck.Result(found[0][0], details)

    return check


class Checks(upgradecheck.UpgradeCommands):
    """The checks of ``upgrade check``."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf

    @functools.cached_property
    def site(self) -> Site:
        """The site; the command line has been parsed when it is needed."""
        return Site(self._conf)

    _upgrade_checks = (
        ("Configuration", _result(_configuration)),
        ("Databases", _result(_databases)),
        ("Cells", _result(_cells)),
        ("Policy", _result(_policy)),
        ("Pipeline", _result(_pipeline)),
    )
