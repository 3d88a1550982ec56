"""What the job that runs in this thread may use, whom it tells how far it is, and whether it should stop.

Functions that do the work know nothing of executors: they ask here. Outside of any job they have the whole machine
and tell no one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


class JobStopped(BaseException):
    """The job's executor is closing. No error: nothing that handles errors should take it for one."""


@dataclass(slots=True)
class Work:
    """One job under way. cores: its share of the machine, None for all. done: frames finished. stop: set from
    outside to end it."""

    cores: int | None = None
    done: int = 0
    stop: threading.Event = field(default_factory=threading.Event)


_current: ContextVar[Work | None] = ContextVar("work", default=None)


@contextmanager
def at_work(work: Work) -> Iterator[Work]:
    """What this thread does in the block is `work`."""
    token = _current.set(work)
    try:
        yield work
    finally:
        _current.reset(token)


def tell(done: int) -> None:
    """So many frames of this thread's job are finished.

    Raises:
        JobStopped: the job should end.
    """
    work = _current.get()
    if work is not None:
        work.done = done
        check()


def check() -> None:
    """Called now and then by all that takes long.

    Raises:
        JobStopped: the job should end.
    """
    work = _current.get()
    if work is not None and work.stop.is_set():
        raise JobStopped


def cores() -> int:
    """Processors that this thread's job may use."""
    work = _current.get()
    if work is not None and work.cores is not None:
        return work.cores
    return machine_cores()


def machine_cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
