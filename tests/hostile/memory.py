"""How much memory something takes, in a process of its own."""

from __future__ import annotations

import os
import resource
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def in_child(measure: Callable[[], int]) -> int:
    """Return what a process of its own measures."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, str(measure()).encode())
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        measured = pipe.read()
    os.waitpid(child, 0)
    assert measured, "the process has failed"
    return int(measured)


def resident() -> int:
    """Return how much memory is resident now, in bytes."""
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    return pages * resource.getpagesize()


def peak() -> int:
    """Return the most memory that was ever resident, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
