# SPDX-License-Identifier: Apache-2.0
"""The policy as it stands in its files at one time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from oslo_config import cfg
from oslo_policy import policy

from nova_ext_sts.policies import RULE, new_enforcer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Policy(NamedTuple):
    """The rules at one time. Nothing here changes later."""

    #: The policy files, and the directories that hold some: each path with
    #: what changes when it does.
    files: Mapping[str, object]
    #: The same, and the directories in which one may appear.
    watched: Mapping[str, object]
    #: None where no file says anything, or where the rules cannot be used.
    enforcer: policy.Enforcer | None
    #: Whether every caller is allowed, so that nobody has to be looked at.
    is_open: bool
    #: What is wrong, and what to do, in one sentence; or nothing.
    fault: str = ""


def read(conf: cfg.ConfigOpts, before: Policy | None = None) -> Policy:
    """Return the policy as it is now.

    :param conf: whose ``[oslo_policy]`` names the policy file
    :param before: the policy as it was; if its files have not changed, the
        rules are not read again
    """
    try:
        # In this order: what appears in between is seen the next time.
        candidates = _candidates(conf)
        watched = _stamped(_places(conf, candidates))
        # A new one each time: one that is changed while other threads use it
        # would deny them what both the old and the new rules allow.
        enforcer = new_enforcer(conf)
        names = [enforcer.policy_file, *conf.oslo_policy.policy_dirs]
        files = _stamped(_files(conf, names, candidates))
        watched |= files
    except cfg.NotInitializedError:
        # A service without configuration files has no policy file.
        return Policy({}, {}, None, is_open=True)
    except OSError as error:
        return Policy(
            {},
            # No path has that stamp: it is read anew for each request.
            {"": "unread"},
            None,
            is_open=False,
            fault=f"The policy file or directory {error.filename} cannot be "
            f"read ({error.strerror}), so that nobody gets states: let the "
            "service's user read it.",
        )
    if before and files == before.files:
        return before._replace(watched=watched)
    if files:
        return _judged(conf, enforcer, files, watched)
    gone = ", ".join(before.files) if before else ""
    fault = (
        f"The policy in {gone} is gone, so that everybody gets states: write "
        "it again, if that is not meant."
        if gone
        else _absent(conf)
    )
    return Policy(files, watched, None, is_open=True, fault=fault)


def is_as_before(before: Policy) -> bool:
    """Say whether nothing has changed where a policy was read."""
    # The whole cost of the default policy.
    watched = before.watched
    return [_stamp(path) for path in watched] == [*watched.values()]


def _judged(
    conf: cfg.ConfigOpts,
    enforcer: policy.Enforcer,
    files: Mapping[str, object],
    watched: Mapping[str, object],
) -> Policy:
    names = ", ".join(files)
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
        return Policy(files, watched, None, is_open=False, fault=fault)
    # From here on it is as it is.
    enforcer.use_conf = False
    faults = ", ".join(dict.fromkeys(_faults(RULE, enforcer, ())))
    if faults:
        # oslo.policy takes each for denied; "not" would turn that round.
        fault = (
            f"The policy rule {RULE} in {names} rests on {faults}, so that "
            "nobody gets states: correct it."
        )
        return Policy(files, watched, None, is_open=False, fault=fault)
    is_open = str(enforcer.rules[RULE]) == "@"
    return Policy(files, watched, enforcer, is_open, _absent(conf))


def _faults(
    name: str, enforcer: policy.Enforcer, path: tuple[str, ...]
) -> Iterator[str]:
    """Yield what is wrong with a rule, and with those that it names.

    :param path: the rules by way of which it has come to be checked
    """
    if name in path:
        yield f"{name}, which leads back to itself"
        return
    try:
        # [oslo_policy] policy_default_rule may stand in for it.
        check = enforcer.rules[name]
    except KeyError:
        yield f"{name}, which is no rule there nor a base rule of Nova's"
        return
    text = getattr(enforcer.file_rules.get(name), "check_str", "!")
    if not isinstance(text, str | list):
        # oslo.policy lets everybody pass; to YAML, a ! without quotes is null.
        yield f"{name}, which has no text as its check"
    elif str(check) == "!" and isinstance(text, str) and text.strip() != "!":
        # oslo.policy makes a check that nobody passes of it.
        yield f'{name} ("{text}"), which does not parse'
    for named in _named(check):
        yield from _faults(named, enforcer, (*path, name))


def _named(check: Any) -> Iterator[str]:
    """Yield the rules that a check names."""
    if isinstance(check, policy.RuleCheck):
        yield check.match
    # Those that "and" and "or" join, and the one that "not" negates.
    for each in getattr(check, "rules", ()):
        yield from _named(each)
    if hasattr(check, "rule"):
        yield from _named(check.rule)


def _files(
    conf: cfg.ConfigOpts, names: Iterable[str], candidates: Iterable[str]
) -> list[str]:
    """Return the policy files and directories that there are.

    :raises OSError: one is there and cannot be read
    """
    found = [path for path in map(conf.find_file, names) if path]
    for path in [*found]:
        if os.path.isdir(path):
            found += [os.path.join(path, each) for each in os.listdir(path)]
    for path in found:
        # oslo.policy takes one that cannot be opened for an empty one.
        if not os.path.isdir(path):
            with open(path, "rb"):
                pass
    for path in candidates:
        # A link whose target is away is no file to oslo.config.
        if os.path.islink(path) and not os.path.exists(path):
            os.stat(path)
    return found


def _candidates(conf: cfg.ConfigOpts) -> list[str]:
    """Return the paths at which a policy file may appear.

    oslo.config looks beside the configuration, and where a name says; what
    appears elsewhere, in a home or in /etc, is seen when the service starts.
    """
    try:
        beside = [*conf.config_dir, *map(os.path.dirname, conf.config_file)]
        project = conf.project
    except cfg.NoSuchOptError:
        raise cfg.NotInitializedError from None
    if project:
        beside += [f"~/.{project}", f"/etc/{project}"]
    options = conf.oslo_policy
    return [
        os.path.join(directory, name)
        for directory in map(os.path.abspath, map(os.path.expanduser, beside))
        for name in (options.policy_file, *options.policy_dirs)
    ]


def _places(conf: cfg.ConfigOpts, candidates: Iterable[str]) -> Iterator[str]:
    """Yield the directories that change when a policy file appears."""
    # Not pathlib's isdir, which raises where it may not look.
    yield from filter(os.path.isdir, map(os.path.dirname, candidates))
    options = conf.oslo_policy
    names = (options.policy_file, *options.policy_dirs)
    for name in filter(os.path.isabs, names):
        place = os.path.dirname(name)
        while not os.path.isdir(place):
            # What is not there yet appears in the next one up.
            place = os.path.dirname(place)
        yield place


def _absent(conf: cfg.ConfigOpts) -> str:
    """Return what is to be told if somebody names what is not there."""
    options = conf.oslo_policy
    for option, names in (
        ("policy_file", [options.policy_file]),
        ("policy_dirs", options.policy_dirs),
    ):
        location = conf.get_location(option, "oslo_policy")
        if location and location.location is cfg.Locations.user:
            for name in names:
                if not conf.find_file(name):
                    return (
                        f"There is no {name}, which {option} of [oslo_policy] "
                        "names, so that its rules do not hold: correct the "
                        "name, or make it."
                    )
    return ""


def _stamped(paths: Iterable[str]) -> dict[str, object]:
    return {path: _stamp(path) for path in paths}


def _stamp(path: str) -> object:
    """Return what changes when a file or a directory does."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    # The time of the last change cannot be set back, but has ticks.
    return status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev
