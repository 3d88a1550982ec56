"""Many tasks over one executor: what is begun when, what is tried again, and when to give up.

Pure logic over the `Executor` protocol, in one thread. Tasks are taken from their source only as there is room for
their jobs, so that a folder of any size takes no memory; of the jobs that wait, the heaviest begins first.
"""

from __future__ import annotations

import heapq
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from streamct.errors import NotBegunError, QuarantineError, StallError, StreamctError, UsageError, WorkerLostError
from streamct.execute import Executor, Job, Outcome, Task

T = TypeVar("T")

ATTEMPTS = 3
"""How often a job may end its worker."""
NODE_LOSSES = 10
"""How often a job may lose its worker together with the machine, for which it is hardly to blame."""
STALL_SECONDS = 300.0
_STALL = "STREAMCT_STALL_SECONDS"
"""What sets another limit from outside: machines that an autoscaler has to start may take longer."""
_AHEAD = 2
"""Jobs in flight a worker: one that runs, one that waits for it to end."""
_TICK = 0.2
_NAMED = 3
_MANY = 256


@dataclass(frozen=True, slots=True)
class State:
    """How far a run is.

    frames: of the work that is done so far, in the jobs that run too. running: jobs that are in flight. waiting: jobs
    that are not. tasks: that are open. alive: workers. retries: attempts after a worker was lost. finished: frames
    that these jobs finished themselves, without those of earlier runs.
    """

    frames: int
    running: int
    waiting: int
    tasks: int
    alive: int
    retries: int
    finished: int = 0


def run_tasks(
    executor: Executor,
    tasks: Iterable[tuple[str, Task[T]]],
    *,
    stall_seconds: float = STALL_SECONDS,
    on_progress: Callable[[State], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[tuple[str, T | StreamctError]]:
    """Run all tasks; yields each one's name with its result, or with the error that it ended with, as they end.

    A job whose worker is lost is begun again, one such job at a time, so that it can't take others down with it; one
    that loses its third worker is quarantined: its outcome is an error that names it. Where one of the jobs that a
    task waits for fails, those of the same task that have not begun are left out.

    Where the caller goes away or is interrupted, the executor is closed first, then the tasks.

    Raises:
        StallError: no outcome and no finished frame for `stall_seconds`.
        UsageError: STREAMCT_STALL_SECONDS, which sets these where the caller does not, is no number above 0.
    """
    if stall_seconds == STALL_SECONDS:
        stall_seconds = _stall_seconds()
    run = _Run(executor, iter(tasks), stall_seconds, on_progress, clock)
    whole = False
    try:
        yield from run.results()
        whole = True
    finally:
        if not whole:
            executor.close()
        run.close()


def _stall_seconds() -> float:
    said = os.environ.get(_STALL)
    if said is None:
        return STALL_SECONDS
    try:
        seconds = float(said)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise UsageError(f"{_STALL}={said}: must be a number of seconds above 0, such as 1200.")
    return seconds


@dataclass(slots=True)
class _Step:
    """What one task waits for."""

    name: str
    task: Task[Any]
    jobs: tuple[Job, ...] = ()
    outcomes: dict[str, Outcome] | None = None


class _Run(Generic[T]):
    def __init__(
        self,
        executor: Executor,
        tasks: Iterator[tuple[str, Task[T]]],
        stall_seconds: float,
        on_progress: Callable[[State], None] | None,
        clock: Callable[[], float],
    ) -> None:
        self._executor = executor
        self._tasks = tasks
        self._stall_seconds = stall_seconds
        self._on_progress = on_progress
        self._clock = clock
        self._exhausted = False
        self._open: list[_Step] = []
        self._owners: dict[str, _Step] = {}
        self._waiting: list[tuple[int, int, Job]] = []
        self._count = 0
        self._flying: dict[str, Job] = {}
        self._suspects: deque[Job] = deque()
        self._tried: str | None = None
        self._begun: dict[str, int] = {}
        self._node_losses: dict[str, int] = {}
        self._results: deque[tuple[str, T | StreamctError]] = deque()
        self._frames = self._finished = self._retries = 0
        self._seen: dict[str, int] = {}
        self._moved = clock()
        self._looked = self._moved

    def results(self) -> Iterator[tuple[str, T | StreamctError]]:
        while True:
            self._admit()
            self._begin()
            while self._results:
                yield self._results.popleft()
                self._moved = self._clock()  # the caller's time is not ours
            if not self._open:
                if self._exhausted:
                    return
                continue
            outcomes = self._executor.wait(_TICK)
            for outcome in outcomes:
                self._take(outcome)
            self._watch(bool(outcomes))

    def close(self) -> None:
        for step in self._open:
            step.task.close()

    def _admit(self) -> None:
        """Open tasks while there is room for their jobs."""
        room = _AHEAD * max(self._executor.workers, 1)
        while not self._exhausted and len(self._open) < room + 1 and len(self._flying) + len(self._waiting) < room:
            entry = next(self._tasks, None)
            if entry is None:
                self._exhausted = True
                return
            step = _Step(*entry)
            self._open.append(step)
            self._advance(step, None)

    def _advance(self, step: _Step, outcomes: list[Outcome] | None) -> None:
        """Send a task its outcomes, and queue the jobs that it wants next."""
        try:
            jobs: tuple[Job, ...] = ()
            while not jobs:
                wanted = next(step.task) if outcomes is None else step.task.send(outcomes)
                jobs, outcomes = tuple(wanted), []
        except StopIteration as end:
            self._end(step, end.value)
            return
        except StreamctError as error:
            self._end(step, error)
            return
        except Exception as error:
            fault = StreamctError(f"{step.name}: a fault of streamct's own: {type(error).__name__}: {error}")
            fault.__cause__ = error
            self._end(step, fault)
            return
        step.jobs, step.outcomes = jobs, {}
        for job in jobs:
            if job.name in self._owners:
                raise ValueError(f"two jobs are called {job.name!r}")
            self._owners[job.name] = step
            self._queue(job)

    def _end(self, step: _Step, result: T | StreamctError) -> None:
        self._open.remove(step)
        self._results.append((step.name, result))

    def _queue(self, job: Job) -> None:
        self._count += 1
        heapq.heappush(self._waiting, (-job.weight, self._count, job))

    def _begin(self) -> None:
        """Submit the heaviest jobs, and one suspect at a time."""
        room = _AHEAD * max(self._executor.workers, 1)
        if self._tried is None and self._suspects:
            job = self._suspects.popleft()
            self._tried = job.name
            self._submit(job)
        while self._waiting and len(self._flying) < room:
            self._submit(heapq.heappop(self._waiting)[2])

    def _submit(self, job: Job) -> None:
        self._begun[job.name] = self._begun.get(job.name, 0) + 1
        self._flying[job.name] = job
        self._moved = self._clock()
        self._executor.submit(job)

    def _take(self, outcome: Outcome) -> None:
        job = outcome.job
        del self._flying[job.name]
        if self._tried == job.name:
            self._tried = None
        if isinstance(outcome.error, WorkerLostError):
            if self._again(job, outcome.error.node):
                self._retries += 1
                return
            times = self._begun[job.name]
            error = QuarantineError(
                f"{job.name}: ended its worker {times} times and is not tried again; all else goes on. "
                f"Last: {outcome.error}"
            )
            outcome = replace(outcome, error=error)
        self._node_losses.pop(job.name, None)
        self._settle(replace(outcome, attempts=self._begun.pop(job.name)))

    def _again(self, job: Job, node: bool) -> bool:
        """Queue a job that lost its worker once more, if it may be."""
        if node:
            losses = self._node_losses[job.name] = self._node_losses.get(job.name, 0) + 1
            if losses < NODE_LOSSES:
                self._queue(job)
                return True
        elif self._begun[job.name] - self._node_losses.get(job.name, 0) < ATTEMPTS:
            self._suspects.append(job)
            return True
        return False

    def _settle(self, outcome: Outcome) -> None:
        """Note an outcome that is final; tell the task once it has all."""
        step = self._owners.pop(outcome.job.name)
        assert step.outcomes is not None
        step.outcomes[outcome.job.name] = outcome
        if outcome.error is None:
            self._frames += outcome.job.weight
            self._finished += outcome.frames
        else:
            self._leave_out(step, outcome.job)
        if len(step.outcomes) == len(step.jobs):
            self._advance(step, [step.outcomes[job.name] for job in step.jobs])

    def _leave_out(self, step: _Step, failed: Job) -> None:
        assert step.outcomes is not None
        ours = {job.name for job in step.jobs}
        rest = [entry for entry in self._waiting if entry[2].name not in ours]
        for _, _, job in self._waiting:
            if job.name in ours:
                del self._owners[job.name]
                error = NotBegunError(f"{job.name}: was not begun, because {failed.name} failed")
                step.outcomes[job.name] = Outcome(job, error=error, attempts=self._begun.pop(job.name, 0))
        if len(rest) < len(self._waiting):
            heapq.heapify(rest)
            self._waiting = rest

    def _watch(self, ended: bool) -> None:
        now = self._clock()
        if ended:
            self._moved = now
            if len(self._flying) > _MANY and now - self._looked < _TICK:
                return  # something ends at every turn, and to look at all of so many would cost more than all else
        self._looked = now
        seen = dict(self._executor.progress())
        if seen != self._seen:
            self._moved = now
        self._seen = seen
        under_way = sum(seen.get(name, 0) for name in self._flying)
        frames, finished = self._frames + under_way, self._finished + under_way
        waiting = len(self._waiting) + len(self._suspects)
        self._executor.publish(finished, len(self._flying), waiting, self._retries)
        if self._on_progress is not None:
            alive, flying = self._executor.alive, len(self._flying)
            self._on_progress(State(frames, flying, waiting, len(self._open), alive, self._retries, finished))
        if self._clock() - self._moved > self._stall_seconds:
            names = list(self._flying)
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            executor = self._executor
            lacking = f" They wait for {executor.lacking}." if executor.lacking else ""
            raise StallError(
                f"no progress for {self._stall_seconds:g} s: {executor.alive} of {executor.workers} workers are alive. "
                f"Waited for {', '.join(names[:_NAMED])}{more}.{lacking} What is finished is kept; run the same "
                "command again to go on."
            )
