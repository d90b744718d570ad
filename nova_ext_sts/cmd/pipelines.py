# SPDX-License-Identifier: Apache-2.0
"""Where the filter stands in the pipelines of a paste file."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, NamedTuple

from oslo_middleware.healthcheck.opts import HEALTHCHECK_OPTS
from stevedore import extension

from nova_ext_sts.cmd.findings import (
    Finding,
    failure,
    fine,
    unchecked,
    warning,
)
from nova_ext_sts.healthcheck import PASTE_FILE, ExtendedStatusHealthcheck
from nova_ext_sts.opts import OPTS
from nova_ext_sts.pastefile import FACTORY, configuration_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from oslo_config import cfg

    from nova_ext_sts.pastefile import PasteFile, Pipeline, Stage

NOVA_API = r"nova\.api\.openstack\.compute:APIRouter"
HEALTHCHECK = r"oslo_middleware(\.healthcheck)?:Healthcheck|.*#healthcheck$"
HEALTHCHECKS = "oslo.middleware.healthcheck"
#: What the section of a health check can hold, as far as that is known.
OPTIONS = frozenset(
    (*(opt.name for opt in (*OPTS, *HEALTHCHECK_OPTS)), PASTE_FILE, "use")
)
#: How the filter's factory can be written.
FACTORIES = (FACTORY, "egg:nova-ext-sts#extended_status")
#: What the filter can be mounted behind and still know a call by its path.
_KNOWN_MOUNT = re.compile(r"/|/(v2|v2\.1|v1\.1)(/\+)?/?")


class Place(NamedTuple):
    """What has to stand before the filter, where it stands at all."""

    #: A pattern of what makes it.
    factory: str
    why: str


#: Before means outside: a response passes the filter first.
BEFORE = (
    Place(
        r"nova\.api\.openstack:FaultWrapper",
        "an error in between would not become one of Nova's faults",
    ),
    Place(
        r"nova\.api\.(auth:|openstack\.auth:NoAuth)|"
        r"(egg:)?keystonemiddleware\b",
        "the policy knows the caller only behind it",
    ),
    Place(
        r"(?i).*(gzip|deflate|compress|brotli)",
        "what it has compressed would be decoded again, and sent so",
    ),
    Place(
        r"(?i).*(?<!mem)cach",
        "what it keeps would get states that are new, and be checked by those "
        "that are old",
    ),
)


def places(file: PasteFile) -> Iterator[Finding]:
    """Judge where the filter stands."""
    yield from _unmade(file)
    pipelines = file.pipelines()
    extended = [each for each in pipelines if _ours(each.stages)]
    for pipeline in pipelines:
        yield from _unknown(file, pipeline)
    for pipeline in extended:
        yield from _misplaced(file, pipeline)
    sections = file.filters()
    if not extended and not sections:
        yield failure(
            f"No section of {file.path} makes the filter: add "
            f"[filter:extended_status] with paste.filter_factory = {FACTORY}, "
            "and its name to the pipelines."
        )
        return
    if not extended:
        yield failure(
            f"The filter {sections[0]} is in no pipeline of {file.path}: add "
            "it right before the application."
        )
    reached = {
        behind.name
        for pipeline in extended
        for behind in file.behind(pipeline.stages[-1].name)
    } | {pipeline.name for pipeline in extended}
    for pipeline in pipelines:
        if (
            pipeline.name not in reached
            and re.match(NOVA_API, pipeline.stages[-1].factory)
            # Nova's way without Keystone, which it ships beside the other.
            and "noauth" not in pipeline.name
        ):
            yield warning(
                f"{pipeline.name} of {file.path} ends in Nova's API and is "
                "without the filter: add it right before the application."
            )
    if extended:
        names = ", ".join(each.name for each in extended)
        yield fine(f"The filter is in {names} of {file.path}.")


def _ours(stages: Iterable[Stage]) -> list[Stage]:
    return [stage for stage in stages if stage.is_ours]


def _unmade(file: PasteFile) -> Iterator[Finding]:
    for name, factory in file.factories().items():
        if not factory:
            yield failure(
                f"[filter:{name}] of {file.path} has neither use nor "
                f"paste.filter_factory: for the filter, write "
                f"paste.filter_factory = {FACTORY}."
            )
        elif name not in file.filters() and _meant(factory, FACTORIES):
            yield failure(
                f"[filter:{name}] of {file.path} is made by {factory}"
                f"{_meant(factory, FACTORIES)}: correct it."
            )


def _unknown(file: PasteFile, pipeline: Pipeline) -> Iterator[Finding]:
    *filters, _ = pipeline.stages
    for stage in pipeline.stages:
        if stage.factory.startswith("config:"):
            yield unchecked(
                f"{pipeline.name} of {file.path} goes on in another file, "
                f"{stage.factory}."
            )
        if stage.factory:
            continue
        is_filter = stage in filters
        if file.is_there(stage.name, filter=not is_filter):
            why = (
                "is an application, which has to come last"
                if is_filter
                else "is a filter, which an application has to follow"
            )
        else:
            why = f"no section defines{_meant(stage.name, file.names())}"
        yield failure(
            f"{pipeline.name} of {file.path} names {stage.name}, which {why}: "
            "correct it."
        )


def _misplaced(file: PasteFile, pipeline: Pipeline) -> Iterator[Finding]:
    stages = list(pipeline.stages)
    for behind in file.behind(stages[-1].name):
        stages += behind.stages
    stages = list(dict.fromkeys(stages))
    times = len(_ours(pipeline.stages))
    for behind in file.behind(pipeline.stages[-1].name):
        times += len(_ours(behind.stages))
    first = stages.index(_ours(stages)[0])
    name = stages[first].name
    title = f"{pipeline.name} of {file.path}"
    if times > 1:
        yield warning(
            f"{title} has the filter {times} times, of which one is enough: "
            "take the outer ones away."
        )
    after = stages[first + 1 :]
    reasons = [
        f"{stage.name} comes after it, and {place.why}"
        for stage in after
        for place in BEFORE
        if re.match(place.factory, stage.factory)
    ]
    if reasons:
        yield warning(
            f"In {title}, {name} is in the wrong place: {'; '.join(reasons)}: "
            "move it right before the application."
        )
    for stage in after:
        for mount in file.mounted(stage.name):
            if not _KNOWN_MOUNT.fullmatch(mount):
                yield failure(
                    f"In {title}, {name} stands before {stage.name}, which "
                    f"mounts an application at {mount}: the filter would not "
                    "know its calls, so put it behind."
                )


def healthchecks(file: PasteFile, conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """Judge the health checks: a mistyped one answers 200, too.

    :param conf: where oslo.middleware reads what a section does not say
    """
    known = extension.ExtensionManager(HEALTHCHECKS).entry_points_names()
    conf.register_opts(HEALTHCHECK_OPTS, group="healthcheck")
    for kind, name in file.applications(HEALTHCHECK):
        title = f"[{kind}:{name}] of {file.path}"
        options = file.options(kind, name)
        for option in options:
            # Those of other backends are theirs.
            if option not in OPTIONS and _meant(option, OPTIONS):
                yield failure(
                    f"{title} has an option {option}, which there is not"
                    f"{_meant(option, OPTIONS)}: correct it."
                )
        backends = conf.healthcheck.backends
        if "backends" in options:
            backends = [
                each.strip() for each in options["backends"].split(",")
            ]
        for backend in filter(None, backends):
            if backend not in known:
                yield failure(
                    f"{title} names the backend {backend}, which is not "
                    f"installed{_meant(backend, known)}, and so is always "
                    "well: correct backends."
                )
        if "extended_status" not in backends:
            yield fine(
                f"{title} does not ask whether records can be read: add "
                "extended_status to backends, if it should."
            )
            continue
        own = configuration_of(options, conf)
        fault = ExtendedStatusHealthcheck(own, dict(options)).fault
        if fault:
            yield failure(f"{title} can never be well: {fault}")
        else:
            yield fine(f"{title} asks whether records can be read.")


def _meant(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(names), 1, 0.75)
    return f" (is {near[0]} meant?)" if near else ""
