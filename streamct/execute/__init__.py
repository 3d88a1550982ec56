"""Where work is done: jobs, what becomes of them, and what every executor offers.

A job is a function of the package with small arguments (paths, spans, settings, palettes): never pixels. A task is
what must be done for one file, written as a generator: it yields jobs that may run side by side, is sent their
outcomes in the same order, and returns its result. `streamct.execute.schedule` runs many tasks over one executor.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from streamct.errors import NotBegunError

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """An argument that many jobs have in common: an executor that sends jobs away sends it once. The call gets the
    value itself, which it may not change."""

    value: Any


@dataclass(frozen=True, slots=True)
class Job:
    """One call, made once in some worker.

    call: a function at a module's top level, so that it can be sent. arguments: what it is called with, some perhaps
    `Shared`; they can be pickled. name: what messages, logs and dashboards call it, unique within a run:
    `beach.mp4 [0, 240)`. weight: how much work it is beside others, in frames; the heaviest start first.
    """

    call: Callable[..., Any]
    arguments: tuple[Any, ...]
    name: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job.

    value: what the call gave, None where it failed. error: what it raised; `WorkerLostError` where its worker died.
    seconds: of the last attempt. worker: its name. attempts: how often it was begun. frames: that it finished; none
    where an earlier run had done its work.
    """

    job: Job
    value: Any = None
    error: BaseException | None = None
    seconds: float = 0.0
    worker: str = ""
    attempts: int = 1
    frames: int = 0


Task = Generator[Sequence[Job], list[Outcome], T]
"""Yields jobs, is sent their outcomes, returns its result. An error that it raises is its result too."""


def values(outcomes: Sequence[Outcome]) -> list[Any]:
    """What the jobs gave, in order.

    Raises:
        BaseException: the first error of a job that was begun.
    """
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    if errors:
        raise next((error for error in errors if not isinstance(error, NotBegunError)), errors[0])
    return [outcome.value for outcome in outcomes]


class Executor(Protocol):
    """Runs jobs in workers; used from one thread. Use as a context manager, or `close` it."""

    @property
    def name(self) -> str:
        """`local` or `ray`."""

    @property
    def workers(self) -> int:
        """How many jobs run at the same time: one in each worker, which holds no other meanwhile."""

    @property
    def alive(self) -> int:
        """How many workers there are right now."""

    @property
    def lacking(self) -> str:
        """What workers wait for themselves, with what helps; empty where all are there."""

    def submit(self, job: Job) -> None:
        """Begin a job as soon as a worker is free. The caller keeps the number in flight bounded."""

    def wait(self, seconds: float) -> list[Outcome]:
        """The outcomes since the last call, waiting for one for so long; in the order in which they ended."""

    def progress(self) -> Mapping[str, int]:
        """Frames done so far by the jobs that are running, by their names."""

    def publish(self, frames: int, running: int, waiting: int, retries: int) -> None:
        """Tell those who operate the workers how far the run is: frames and retries so far, jobs right now."""

    def close(self) -> None:
        """End all workers; what is running is stopped and leaves nothing behind."""

    def __enter__(self) -> Self:
        """The executor itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it."""
