# SPDX-License-Identifier: Apache-2.0
"""Where the filter stands in the pipelines of a paste file."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, NamedTuple

from stevedore import extension

from nova_ext_sts.cmd.findings import Finding, failure, fine, warning
from nova_ext_sts.healthcheck import PASTE_FILE
from nova_ext_sts.opts import OPTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nova_ext_sts.pastefile import PasteFile, Pipeline

NOVA_API = r"nova\.api\.openstack\.compute:APIRouter"
HEALTHCHECK = r"oslo_middleware(\.healthcheck)?:Healthcheck|.*#healthcheck$"
HEALTHCHECKS = "oslo.middleware.healthcheck"
#: What the section of a health check can hold of ours.
OPTIONS = frozenset((*(opt.name for opt in OPTS), PASTE_FILE))
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
        r"nova\.api\.(auth:|openstack\.auth:NoAuth)|keystonemiddleware\b",
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


def places(file: PasteFile, ours: Sequence[str]) -> Iterator[Finding]:
    """Judge where the filter stands.

    :param ours: the sections that make a filter of ours
    """
    if not ours:
        yield failure(
            f"No section of {file.path} makes the filter: add "
            "[filter:extended_status] with paste.filter_factory = "
            "nova_ext_sts:filter_factory, and its name to the pipelines."
        )
        return
    pipelines = file.pipelines()
    extended = []
    for pipeline in pipelines:
        yield from _unknown(file, pipeline)
        if any(stage.is_ours for stage in pipeline.stages):
            extended.append(pipeline.name)
            yield from _misplaced(file, pipeline)
        elif re.match(NOVA_API, pipeline.stages[-1].factory) and (
            "noauth" not in pipeline.name
        ):
            yield warning(
                f"{pipeline.name} of {file.path} ends in Nova's API and is "
                f"without the filter: add {ours[0]} before the application."
            )
    if extended:
        yield fine(f"The filter is in {', '.join(extended)} of {file.path}.")
    else:
        yield failure(
            f"The filter {ours[0]} is in no pipeline of {file.path}: add it "
            "right before the application."
        )


def _unknown(file: PasteFile, pipeline: Pipeline) -> Iterator[Finding]:
    for stage in pipeline.stages:
        if not stage.factory:
            yield failure(
                f"{pipeline.name} of {file.path} names {stage.name}, which no "
                f"section defines{_meant(stage.name, file.names())}: correct "
                "the name."
            )


def _misplaced(file: PasteFile, pipeline: Pipeline) -> Iterator[Finding]:
    stages = pipeline.stages
    places = [at for at, stage in enumerate(stages) if stage.is_ours]
    first = places[0]
    name = stages[first].name
    if len(places) > 1:
        yield warning(
            f"{pipeline.name} of {file.path} has the filter {len(places)} "
            "times, of which one is enough: take the outer ones away."
        )
    for stage in stages[first + 1 :]:
        for place in BEFORE:
            if re.match(place.factory, stage.factory):
                yield warning(
                    f"In {pipeline.name} of {file.path}, {stage.name} comes "
                    f"after {name}, and {place.why}: move {name} right before "
                    "the application."
                )
        for mount in file.mount_points(stage.name):
            if not _KNOWN_MOUNT.fullmatch(mount):
                yield failure(
                    f"In {pipeline.name} of {file.path}, {name} stands before "
                    f"{stage.name}, which mounts an application at {mount}: "
                    "the filter would not know its calls, so put it behind."
                )


def healthchecks(file: PasteFile) -> Iterator[Finding]:
    """Judge the health checks: a mistyped one answers 200, too."""
    known = extension.ExtensionManager(HEALTHCHECKS).entry_points_names()
    for kind, name in file.applications(HEALTHCHECK):
        section = f"[{kind}:{name}] of {file.path}"
        options = file.options(kind, name)
        backends = options.get("backends", "").split(",")
        for backend in filter(None, map(str.strip, backends)):
            if backend not in known:
                yield failure(
                    f"{section} names the backend {backend}, which is not "
                    f"installed{_meant(backend, known)}, and so is always "
                    "well: correct backends."
                )
            elif backend == "extended_status":
                yield fine(f"{section} asks whether records can be read.")
                for option in options:
                    # Those of other backends are theirs.
                    if option not in OPTIONS and _meant(option, OPTIONS):
                        yield failure(
                            f"{section} has an option {option}, which there "
                            f"is not{_meant(option, OPTIONS)}: correct it."
                        )


def _meant(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(names), 1, 0.75)
    return f" (is {near[0]} meant?)" if near else ""
