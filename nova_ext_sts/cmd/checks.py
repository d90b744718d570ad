# SPDX-License-Identifier: Apache-2.0
"""What ``upgrade check`` checks, in the words in which it says so."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from oslo_config import cfg
from oslo_upgradecheck import upgradecheck

from nova_ext_sts.cmd import pipelines
from nova_ext_sts.cmd.databases import some_of
from nova_ext_sts.cmd.findings import (
    Finding,
    failure,
    fine,
    result,
    unchecked,
    warning,
)
from nova_ext_sts.cmd.site import Site
from nova_ext_sts.opts import GROUP, OPTS
from nova_ext_sts.permission import Permission
from nova_ext_sts.policies import RULE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nova_ext_sts.cmd.databases import Examined

UNSEEN = (
    "What stands in the filter's own section of a paste file alone is not "
    "seen: name that file with --paste-file."
)
#: What Nova asked for before its API v2.1.
FORMER_RULES = ("compute_extension:extended_status",)
NO_SETTINGS = "there is no configuration that can work."


def _checked(
    checks: Checks, check: Callable[[Checks], Iterable[Finding]]
) -> upgradecheck.Result:
    try:
        return result(check(checks))
    except Exception as error:
        # What an unknown error says may hold a password.
        return result([unchecked(f"it raised {type(error).__name__}.")])


class Checks(upgradecheck.UpgradeCommands):
    """What ``upgrade check`` checks, each in the words of its findings.

    :param conf: the configuration, once the command line has been read
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._site = Site(conf)

    def _others(self) -> Iterator[Finding]:
        """Yield what there is to say where there is no database."""
        if not self._site.sources:
            yield unchecked(NO_SETTINGS)
        asking = [each.settings for each in self._site.examined]
        for chosen, _ in self._site.sources:
            if chosen not in asking:
                yield fine(
                    f"What the record source {chosen.record_source} reads is "
                    "no database that is known."
                )

    def _no_paste_file(self) -> str:
        path = self._site.paste_path
        if path:
            return f"the paste file {path} cannot be read."
        return (
            "no paste file was read: name the one with the filter with "
            "--paste-file, before upgrade check."
        )

    def _configuration(self) -> Iterator[Finding]:
        files = [*self._conf.config_file, *self._conf.config_dir]
        if not files and "" in self._site.settings:
            yield warning(
                "No configuration file was read: name the service's with "
                "--config-file."
            )
        found = self._site.settings
        # What is to read them finds the rest of the faults.
        sources = self._site.sources
        for fault in self._site.faults:
            yield failure(fault)
        for name, each in found.items() if sources else ():
            place = f"[filter:{name}]" if name else f"[{GROUP}]"
            yield fine(
                f"{place} with {', '.join(files) or 'no file'}: records are "
                f"read from the source {each.record_source}."
            )
        yield from self._mistyped_options()
        file = self._site.paste_file
        if file is None:
            if not self._site.paste_path:
                yield fine(UNSEEN)
            return
        for name in file.filters():
            for option in file.lost_options(name):
                yield failure(
                    f"{option} in [filter:{name}] never reaches the filter, "
                    f"since it stands in [DEFAULT] of {file.path}, too: take "
                    "it away there."
                )

    def _mistyped_options(self) -> Iterator[Finding]:
        known = [opt.name for opt in OPTS]
        files = [Path(file) for file in self._conf.config_file]
        for directory in self._conf.config_dir:
            files += sorted(Path(directory).glob("*.conf"))
        for file in files:
            sections: dict[str, dict[str, list[str]]] = {}
            cfg.ConfigParser(str(file), sections).parse()
            for option in sections.get(GROUP, {}).keys() - set(known):
                near = difflib.get_close_matches(option, known, 1, 0.75)
                meant = f"write {near[0]}" if near else "take it away"
                yield failure(
                    f"[{GROUP}] of {file} has an option {option}, which there "
                    f"is not: {meant}."
                )

    def _databases(self) -> Iterator[Finding]:
        for each in self._site.examined:
            if each.trouble:
                yield failure(
                    f"The {each.title} cannot be asked "
                    f"({each.trouble.rstrip('.')}): see that it runs, and "
                    f"that its URL is right ({each.asked.option})."
                )
            else:
                yield fine(f"The {each.title} answers.")
        yield from self._others()

    def _schema(self) -> Iterator[Finding]:
        for each in self._site.examined:
            if each.absent:
                yield failure(
                    f"The {each.title} is not as Nova makes it: "
                    f"{some_of(each.absent)}: correct its URL, or bring it up "
                    "to date with nova-manage."
                )
            elif each.trouble:
                yield unchecked(
                    f"the {each.title} cannot be asked, see above."
                )
            elif not each.denied:
                yield fine(f"The {each.title} has the columns.")
            else:
                yield unchecked(
                    f"the {each.title} does not show them all, see Privileges."
                )
        yield from self._others()

    def _privileges(self) -> Iterator[Finding]:
        for each in self._site.examined:
            user = f"The user {each.user} of the {each.title}"
            if each.denied:
                yield failure(
                    f"{user} may not read what is needed: "
                    f"{some_of(each.denied)}: grant SELECT on these columns, "
                    "or name the cells in cell_connection where it is "
                    "database_connection."
                )
            elif each.trouble or each.excess is None:
                yield unchecked(
                    f"the {each.title} does not tell, see Databases."
                )
            elif not each.user:
                yield _no_user(each)
            elif each.excess:
                yield warning(
                    f"{user} may do more than is needed: "
                    f"{some_of(each.excess)}: a user of the filter's own may "
                    "do with SELECT on a few columns."
                )
            else:
                yield fine(f"{user} may read what is needed and no more.")
        yield from self._others()

    def _cells(self) -> Iterator[Finding]:
        cells = [
            each
            for each in self._site.examined
            if each.asked.option == "cell_connection"
        ]
        down = [
            each.title
            for each in cells
            if each.trouble or each.absent or each.denied
        ]
        if down:
            yield failure(
                f"Servers in {', '.join(down)} go without states: mend what "
                "the checks above name."
            )
        if cells:
            yield fine(
                f"{len(cells)} cells are known, of which "
                f"{len(cells) - len(down)} can be read."
            )
        elif not self._site.sources:
            yield unchecked(NO_SETTINGS)
        elif not any(
            chosen.record_source == "cells" for chosen, _ in self._site.sources
        ):
            yield fine("No cells are read.")
        elif any(each.trouble for each in self._site.examined):
            yield unchecked("the API database cannot be asked.")
        else:
            yield failure(
                "There is no cell mapping: add the cells with nova-manage "
                "cell_v2."
            )

    def _users(self) -> Iterator[Finding]:
        for each in self._site.examined:
            if not each.user:
                continue
            read = f"The {each.title} is read as {each.user}"
            novas = self._site.novas_users(each.settings.conf)
            if each.user in novas:
                yield warning(
                    f"{read}, which is Nova's own user: make one that may "
                    f"only read, and set {each.asked.option} in "
                    f"[{GROUP}]."
                )
            elif novas:
                yield fine(f"{read}, which is not Nova's own user.")
            elif each.settings.record_source == "cells":
                yield unchecked(
                    f"{read}; which user is Nova's own stands in none of the "
                    "configuration files: name nova.conf with --config-file, "
                    "too."
                )
            else:
                yield fine(f"{read}.")
        if not any(each.user for each in self._site.examined):
            yield from self._others()
            yield from map(_no_user, self._site.examined)

    def _calls(self) -> Iterator[Finding]:
        for name, each in self._site.settings.items():
            calls = ", ".join(sorted(each.calls)) or "none"
            by = f"By [filter:{name}]" if name else f"By [{GROUP}]"
            strict = (
                " In list, Nova's own response schemas, and Tempest's, allow "
                "no more members: a site that is tested against them sets "
                "calls = detail,show."
            )
            strict = strict if "list" in each.calls else ""
            yield fine(f"{by}, these calls are extended: {calls}.{strict}")
        if not self._site.settings:
            yield unchecked(NO_SETTINGS)

    def _policy(self) -> Iterator[Finding]:
        confs = [each.conf for each in self._site.settings.values()]
        for conf in confs or [self._conf]:
            policy = Permission(conf).policy
            names = ", ".join(policy.files)
            if policy.fault:
                yield failure(policy.fault)
            elif policy.enforcer is None:
                yield fine("There is no policy file: everybody gets states.")
            else:
                check = str(policy.enforcer.rules[RULE])
                who = ": everybody gets states" if policy.is_open else ""
                yield fine(f'{RULE} is "{check}" by {names}{who}.')
                if "http" in check:
                    yield warning(
                        f"{RULE} asks another server, and each response waits "
                        "for it up to remote_timeout of [oslo_policy]: set "
                        "that to a second or two."
                    )
                yield from _mistyped(policy.enforcer.file_rules, names)

    def _pipeline(self) -> Iterator[Finding]:
        if self._site.paste_file is None:
            yield unchecked(self._no_paste_file())
        else:
            yield from pipelines.places(self._site.paste_file)

    def _healthchecks(self) -> Iterator[Finding]:
        if self._site.paste_file is None:
            yield unchecked(self._no_paste_file())
            return
        found = list(pipelines.healthchecks(self._site.paste_file, self._conf))
        yield from found or [
            fine(f"There is none in {self._site.paste_file.path}.")
        ]

    #: What is printed, in this order.
    _upgrade_checks = (
        ("Configuration", (_checked, {"check": _configuration})),
        ("Databases", (_checked, {"check": _databases})),
        ("Schema", (_checked, {"check": _schema})),
        ("Privileges", (_checked, {"check": _privileges})),
        ("Cells", (_checked, {"check": _cells})),
        ("Database users", (_checked, {"check": _users})),
        ("Calls", (_checked, {"check": _calls})),
        ("Policy", (_checked, {"check": _policy})),
        ("Pipeline", (_checked, {"check": _pipeline})),
        ("Health checks", (_checked, {"check": _healthchecks})),
    )


def _no_user(each: Examined) -> Finding:
    return fine(f"The {each.title} has no users.")


def _mistyped(rules: Iterable[str], names: str) -> Iterator[Finding]:
    known = list(rules)
    near = difflib.get_close_matches(RULE, known, 3, 0.94)
    for rule in (*near, *filter(known.__contains__, FORMER_RULES)):
        if rule != RULE:
            yield warning(
                f"{names} has a rule {rule}, which nothing asks for: is "
                f"{RULE} meant?"
            )
