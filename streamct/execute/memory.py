"""What a job has freed goes back to the machine.

Each of a job's threads allocates in a region of its own, of which the C library returns next to nothing by itself: a
worker of many jobs would hold what the largest of each of its threads ever needed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache


def give_back() -> None:
    """Return freed memory to the machine, where the C library can (glibc)."""
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
        return found
    except (OSError, AttributeError, TypeError):
        return None
