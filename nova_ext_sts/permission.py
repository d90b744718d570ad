# SPDX-License-Identifier: Apache-2.0
"""Whether a caller may see states, by the policy as it is now."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from oslo_config import cfg
from oslo_log import log as logging
from oslo_policy import opts, policy

from nova_ext_sts.callers import caller_of
from nova_ext_sts.policies import RULE, new_enforcer
from nova_ext_sts.records.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from _typeshed.wsgi import WSGIEnvironment

    from nova_ext_sts.callers import Caller

LOG = logging.getLogger(__name__)


class Policy(NamedTuple):
    """The rules at one time. Nothing here changes later."""

    #: The policy files, and the directories that hold some, by their stamps.
    files: Mapping[str, object]
    #: None where no file says anything, or where one cannot be read.
    enforcer: policy.Enforcer | None
    #: Whether every caller is allowed, so that nobody has to be looked at.
    is_open: bool
    #: What is wrong, and what to do, in one sentence; or nothing.
    fault: str = ""


class Permission:
    """Says who may see states; threads share it.

    oslo.policy would look for its files, and at each of them, for every
    request. Here that is a few stat() for a policy that allows everybody.

    :param conf: whose ``[oslo_policy]`` names the policy file
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        opts.set_defaults(conf)
        #: What was logged last: a fault is told once, not for each request.
        self._told = ""
        #: The rules as they were last seen.
        self.policy = Policy({}, None, is_open=True, fault=_absent_file(conf))
        #: What changes when a policy file does, or when one appears.
        self._watched: Mapping[str, object] = {}
        self._look()

    def permits(self, environ: WSGIEnvironment) -> bool:
        """Say whether the caller of a request may see states.

        Whoever an error in the policy concerns may not.
        """
        for path, stamp in self._watched.items():
            if _stamp(path) != stamp:
                self._look()
                break
        now = self.policy
        if now.is_open:
            return True
        if now.enforcer is None:
            return False
        try:
            return _allows(now.enforcer, caller_of(environ))
        except Exception as error:
            # What a rule, or a context that is somebody else's, may raise.
            self._tell(
                f"The policy rule {RULE} cannot be checked, which denies: "
                f"{type(error).__name__}: {error}"
            )
            return False

    def _look(self) -> None:
        """Read the policy, if there is one that has not been read."""
        # In this order: what appears in between is seen the next time.
        directories = _stamped(_directories(self._conf))
        files = _stamped(_files(self._conf))
        if files != self.policy.files:
            self.policy = _read(self._conf, files)
        self._tell(self.policy.fault)
        self._watched = {**directories, **files}

    def _tell(self, fault: str) -> None:
        if fault and fault != self._told:
            LOG.warning("%s", printable(fault))
        self._told = fault


def _read(conf: cfg.ConfigOpts, files: Mapping[str, object]) -> Policy:
    if not files:
        fault = _absent_file(conf)
        return Policy(files, None, is_open=True, fault=fault)
    names = ", ".join(files)
    # A new one each time: one that is changed while other threads use it
    # would deny them what both the old and the new rules allow.
    enforcer = new_enforcer(conf)
    # Nova's policy has hundreds of rules that are unknown here. Ours is looked
    # at below.
    enforcer.skip_undefined_check = True
    try:
        enforcer.load_rules()
    except Exception as error:
        # A file may hold anything. YAML's errors have several lines.
        why = " ".join(str(error).split())
        fault = (
            f"The policy in {names} cannot be read, so that nobody gets "
            f"states: mend it, or take it away ({why})."
        )
        return Policy(files, None, is_open=False, fault=fault)
    # From here on it is as it is.
    enforcer.use_conf = False
    check = enforcer.rules[RULE]
    faults = ", ".join(dict.fromkeys(_faults(check, enforcer.rules)))
    if faults:
        # oslo.policy takes it for denied; "not" would turn that round.
        fault = (
            f"The policy rule {RULE} in {names} names {faults}, so that "
            "nobody gets states: correct the name, or define it."
        )
        return Policy(files, None, is_open=False, fault=fault)
    return Policy(files, enforcer, is_open=str(check) == "@")


def _allows(enforcer: policy.Enforcer, caller: Caller) -> bool:
    credentials = caller.credentials
    if "is_admin" not in credentials:
        # As Nova finds it out for a context of its own.
        credentials["is_admin"] = False
        credentials["is_admin"] = enforcer.enforce(
            "context_is_admin", caller.target, credentials
        )
    return bool(enforcer.enforce(RULE, caller.target, credentials))


def _faults(
    check: Any, rules: Mapping[str, Any], path: tuple[str, ...] = (RULE,)
) -> Iterator[str]:
    """Yield the rules that a check comes to name and that cannot be.

    :param path: the rules by way of which it has come to be checked
    """
    # Those that "and" and "or" join, and the one that "not" negates.
    inner = [*getattr(check, "rules", ())]
    inner += [check.rule] if hasattr(check, "rule") else []
    for each in inner:
        yield from _faults(each, rules, path)
    if isinstance(check, policy.RuleCheck):
        name = check.match
        if name in path:
            yield f"{name}, which leads back to itself"
            return
        try:
            # [oslo_policy] policy_default_rule may stand in for it.
            named = rules[name]
        except KeyError:
            yield f"{name}, which is no rule there nor a base rule of Nova's"
        else:
            yield from _faults(named, rules, (*path, name))


def _files(conf: cfg.ConfigOpts) -> list[Path]:
    """Return the policy files and directories that there are."""
    try:
        found = [conf.find_file(name) for name in _names(conf)]
    except cfg.NotInitializedError:
        # A service that has no configuration files has no policy file.
        return []
    paths = [Path(path) for path in found if path]
    directories = [path for path in paths if path.is_dir()]
    return paths + [each for path in directories for each in path.iterdir()]


def _directories(conf: cfg.ConfigOpts) -> Iterator[Path]:
    """Yield the directories that change when a policy file appears.

    oslo.config looks for it in these, or where its name says.
    """
    try:
        places = [*conf.config_dir, *map(os.path.dirname, conf.config_file)]
        project = conf.project
    except cfg.NoSuchOptError:
        # No configuration files have been read.
        return
    places += ["~", "/etc"]
    if project:
        places += [f"~/.{project}", f"/etc/{project}"]
    places += map(os.path.dirname, filter(os.path.isabs, _names(conf)))
    for place in places:
        path = Path(place).expanduser().absolute()
        # One that is not there yet appears in the next one up.
        yield next(each for each in (path, *path.parents) if each.is_dir())


def _names(conf: cfg.ConfigOpts) -> list[str]:
    """Return the names of the policy file and directories, as configured."""
    return [conf.oslo_policy.policy_file, *conf.oslo_policy.policy_dirs]


def _absent_file(conf: cfg.ConfigOpts) -> str:
    """Return what is to be told if somebody names a file that is not there."""
    location = conf.get_location("policy_file", "oslo_policy")
    if location is None or location.location is not cfg.Locations.user:
        return ""
    return (
        f"There is no policy file {conf.oslo_policy.policy_file}, which "
        "policy_file of [oslo_policy] names, so that everybody gets states: "
        "correct the name, or write the file."
    )


def _stamped(paths: Iterable[Path]) -> dict[str, object]:
    return {str(path): _stamp(str(path)) for path in paths}


def _stamp(path: str) -> object:
    """Return what changes when a file or a directory does."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
