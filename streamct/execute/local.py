"""Jobs on threads of this process. Decoder, kernels, networks and encoders all work without Python's lock."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from streamct.errors import ExecutionError
from streamct.execute import Job, Outcome, Shared
from streamct.execute.memory import give_back
from streamct.work import JobStopped, Work, at_work, machine_cores


class LocalExecutor:
    """An `Executor` on threads. workers: how many jobs run side by side; each has its share of the cores.

    Raises:
        ExecutionError: the system lets no more threads begin; those that did have ended.
    """

    name = "local"

    def __init__(self, workers: int = 1) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._running: dict[str, Work] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._share = max(1, machine_cores() // workers)
        self._threads: list[threading.Thread] = []
        try:
            for number in range(workers):
                thread = threading.Thread(target=self._serve, name=f"streamct-worker-{number}")
                thread.start()
                self._threads.append(thread)
        except RuntimeError as cause:
            self.close()
            raise ExecutionError(
                f"only {len(self._threads)} of {workers} workers could begin on this machine ({cause}). Ask for fewer "
                "with --cpu-workers."
            ) from cause
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def workers(self) -> int:
        """How many jobs run at the same time."""
        return len(self._threads)

    @property
    def alive(self) -> int:
        """How many threads there are right now."""
        return sum(thread.is_alive() for thread in self._threads)

    @property
    def lacking(self) -> str:
        """Nothing."""
        return ""

    def submit(self, job: Job) -> None:
        """Begin a job as soon as a thread is free."""
        if self._closed:
            raise ExecutionError(f"{job.name}: can't be begun, because the executor is closed.")
        self._jobs.put(job)

    def wait(self, seconds: float) -> list[Outcome]:
        """The outcomes since the last call, waiting for one for so long."""
        found = []
        try:
            found.append(self._outcomes.get(timeout=seconds))
            while True:
                found.append(self._outcomes.get_nowait())
        except queue.Empty:
            return found

    def progress(self) -> Mapping[str, int]:
        """Frames done so far by the jobs that are running."""
        with self._lock:
            return {name: work.done for name, work in self._running.items()}

    def publish(self, frames: int, running: int, waiting: int, retries: int) -> None:
        """Nobody else operates threads."""

    def close(self) -> None:
        """Stop what is running, begin nothing more, and wait for the threads to end."""
        with self._lock:
            self._closed = True
            for work in self._running.values():
                work.stop.set()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            work = Work(self._share)
            with self._lock:
                if self._closed:
                    return
                self._running[job.name] = work
            outcome = _done(job, work)
            with self._lock:
                del self._running[job.name]
            self._outcomes.put(outcome)


def _done(job: Job, work: Work) -> Outcome:
    began = time.monotonic()
    value, error = None, None
    try:
        with at_work(work):
            value = job.call(*(a.value if isinstance(a, Shared) else a for a in job.arguments))
    except (Exception, JobStopped) as caught:
        error = caught
    if work.done:
        give_back()
    seconds = time.monotonic() - began
    return Outcome(job, value, error, seconds, threading.current_thread().name, frames=work.done)
