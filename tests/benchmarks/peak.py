"""One response, and how much memory the filter takes for it at most.

Run with the URL of the instances' database, a media type, and the size of the
application's chunks, or 0 for one. Writes two figures as JSON, each as a
multiple of the body that came in, and above it: what Python allocated, and
what became resident.
"""

from __future__ import annotations

import gc
import json
import re
import sys
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nova_ext_sts import filter_factory
from tests.benchmarks import bodies

if TYPE_CHECKING:
    from collections.abc import Iterable

STATUS = Path("/proc/self/status")


def resident(what: str) -> int:
    """Return VmRSS, or VmHWM, the most that it was, in bytes."""
    match = re.search(rf"^{what}:\s+(\d+) kB$", STATUS.read_text(), re.M)
    assert match
    return int(match[1]) * 1024


def main(url: str, media: str, chunk: int) -> None:
    make = bodies.in_xml if media == "application/xml" else None
    original = (make or bodies.without_states)(1000)

    def application(_: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", media)])
        # A copy, as an application makes a new body for each response.
        step = chunk or len(original)
        return (
            bytes(bytearray(original[start : start + step]))
            for start in range(0, len(original), step)
        )

    extended = filter_factory({}, connection=url)(application)
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/v2.1/servers/detail",
    }

    def respond() -> int:
        body: Any = extended(environ, lambda *_: lambda data: None)
        length = sum(map(len, body))
        body.close()
        return length

    # What the first one makes for good is not its own.
    assert respond() > len(original)
    gc.collect()
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    respond()
    grown = resident("VmHWM") - before
    gc.collect()
    tracemalloc.start()
    respond()
    allocated = tracemalloc.get_traced_memory()[1]
    size = len(original)
    print(json.dumps([allocated / size - 1, grown / size - 1]))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
