"""What the scheduler promises, over executors that only pretend to work."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streamct.errors import (
    InputError,
    NotBegunError,
    QuarantineError,
    StallError,
    StreamctError,
    UsageError,
    WorkerLostError,
)
from streamct.execute import Job, Outcome, Task, values
from streamct.execute.schedule import State, run_tasks


def _call() -> None:
    raise AssertionError("no fake executor calls anything")


def _jobs(*names: str, weight: int = 1) -> list[Job]:
    return [Job(_call, (), name, weight) for name in names]


def _task(*names: str, weight: int = 1) -> Task[list[Any]]:
    """One step of these jobs; gives their values."""
    return values((yield _jobs(*names, weight=weight)))


class Pretending:
    """Ends one job a call of `wait`, by default the one that was begun first. end: what becomes of a job."""

    name = "pretending"

    def __init__(
        self,
        workers: int = 1,
        end: Callable[[Job], Outcome | None] = lambda job: Outcome(job, job.name),
        pick: Callable[[list[Job]], int] = lambda flying: 0,
    ) -> None:
        self.workers = self.alive = workers
        self._end = end
        self._pick = pick
        self.begun: list[str] = []
        self.flying: list[Job] = []
        self.most = 0
        self.closed = False
        self.frames: dict[str, int] = {}

    def submit(self, job: Job) -> None:
        self.begun.append(job.name)
        self.flying.append(job)
        self.most = max(self.most, len(self.flying))

    def wait(self, seconds: float) -> list[Outcome]:
        outcome = self._end(self.flying[self._pick(self.flying)])
        if outcome is None:
            return []
        self.flying.remove(outcome.job)
        return [outcome]

    lacking = ""

    def progress(self) -> dict[str, int]:
        return dict(self.frames)

    def publish(self, frames: int, running: int, waiting: int, retries: int) -> None:
        self.published = (frames, running, waiting, retries)

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Pretending:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _run(executor: Pretending, *tasks: tuple[str, Task[Any]], **options: Any) -> dict[str, Any]:
    return dict(run_tasks(executor, tasks, **options))


def test_a_task_is_sent_its_outcomes_in_the_order_of_its_jobs_whatever_order_they_end_in() -> None:
    last_first = Pretending(workers=3, pick=lambda flying: len(flying) - 1)
    assert _run(last_first, ("clip", _task("a", "b", "c"))) == {"clip": ["a", "b", "c"]}


def test_a_task_may_take_several_steps_of_which_some_have_no_jobs() -> None:
    def steps() -> Task[int]:
        first = values((yield _jobs("look")))
        nothing = yield []
        assert nothing == []
        second = values((yield _jobs("render 1", "render 2")))
        return len(first) + len(second)

    assert _run(Pretending(), ("clip", steps())) == {"clip": 3}


def test_of_the_jobs_that_wait_the_heaviest_begins_first() -> None:
    executor = Pretending(workers=2)
    tasks = [(str(weight), _task(f"{weight} frames", weight=weight)) for weight in (10, 500, 30, 100)]
    assert set(dict(run_tasks(executor, tasks))) == {"10", "30", "100", "500"}
    assert executor.begun[0] == "500 frames"


def test_what_is_in_flight_and_what_is_open_stays_bounded_in_a_folder_of_any_size() -> None:
    opened = finished = most_open = 0

    def clips() -> Iterator[tuple[str, Task[list[Any]]]]:
        nonlocal opened, most_open
        for number in range(500):
            opened += 1
            most_open = max(most_open, opened - finished)
            yield str(number), _task(f"{number} a", f"{number} b")

    executor = Pretending(workers=4)
    for _ in run_tasks(executor, clips()):
        finished += 1
    assert finished == 500
    assert executor.most <= 8
    assert most_open <= 10


def test_an_error_of_one_task_is_its_result_and_the_others_go_on() -> None:
    def failing(job: Job) -> Outcome:
        return Outcome(job, error=InputError("bad.mp4: is empty")) if job.name == "bad" else Outcome(job, job.name)

    found = _run(Pretending(end=failing), ("bad.mp4", _task("bad")), ("good.mp4", _task("good")))
    assert found["good.mp4"] == ["good"]
    assert str(found["bad.mp4"]) == "bad.mp4: is empty"


def test_a_fault_of_our_own_in_one_task_names_it_and_does_not_end_the_others() -> None:
    def broken() -> Task[None]:
        yield _jobs("look")
        raise ZeroDivisionError("oops")

    found = _run(Pretending(), ("odd.mp4", broken()), ("good.mp4", _task("good")))
    assert found["good.mp4"] == ["good"]
    assert isinstance(found["odd.mp4"], StreamctError)
    assert "odd.mp4" in str(found["odd.mp4"])
    assert "ZeroDivisionError" in str(found["odd.mp4"])


def test_when_one_job_of_a_task_fails_those_that_have_not_begun_are_left_out() -> None:
    outcomes: list[Outcome] = []

    def watching(*names: str) -> Task[None]:
        outcomes.extend((yield _jobs(*names)))

    def failing(job: Job) -> Outcome:
        return Outcome(job, error=InputError("damaged")) if job.name == "a" else Outcome(job)

    executor = Pretending(end=failing)
    _run(executor, ("clip", watching("a", "b", "c", "d")))
    assert executor.begun == ["a", "b"]
    assert [type(outcome.error) for outcome in outcomes] == [InputError, type(None), NotBegunError, NotBegunError]
    with pytest.raises(InputError):
        values(list(reversed(outcomes)))


def _losing(*culprits: str, node: bool = False, times: int = 1000) -> Callable[[Job], Outcome]:
    left = dict.fromkeys(culprits, times)

    def end(job: Job) -> Outcome:
        if left.get(job.name, 0):
            left[job.name] -= 1
            return Outcome(job, error=WorkerLostError("the worker was killed", node))
        return Outcome(job, job.name)

    return end


def test_a_job_whose_worker_is_lost_is_done_again() -> None:
    states: list[State] = []
    executor = Pretending(workers=2, end=_losing("b", times=1))
    assert _run(executor, ("clip", _task("a", "b", "c")), on_progress=states.append) == {"clip": ["a", "b", "c"]}
    assert executor.begun.count("b") == 2
    assert states[-1].retries == 1


def test_suspects_are_tried_again_one_at_a_time() -> None:
    together = 0
    executor = Pretending(workers=4)
    suspects = {"b", "c", "d"}
    lost: set[str] = set()

    def end(job: Job) -> Outcome:
        nonlocal together
        if job.name in suspects - lost:
            lost.add(job.name)
            return Outcome(job, error=WorkerLostError("the worker was killed"))
        together = max(together, sum(j.name in lost for j in executor.flying))
        return Outcome(job, job.name)

    executor._end = end
    found = _run(executor, ("clip", _task("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")))
    assert found == {"clip": list("abcdefghij")}
    assert lost == suspects
    assert together == 1


def test_the_culprit_is_quarantined_after_three_attempts_and_named_while_all_others_are_done() -> None:
    executor = Pretending(workers=2, end=_losing("poison"))
    found = _run(executor, ("poison.mp4", _task("poison")), *((str(n), _task(f"job {n}")) for n in range(5)))
    error = found.pop("poison.mp4")
    assert isinstance(error, QuarantineError)
    assert "poison" in str(error)
    assert "3 times" in str(error)
    assert found == {str(n): [f"job {n}"] for n in range(5)}
    assert executor.begun.count("poison") == 3


def test_outcomes_tell_how_often_a_job_was_begun() -> None:
    seen: list[int] = []

    def counting() -> Task[None]:
        seen.extend(outcome.attempts for outcome in (yield _jobs("a", "b")))

    _run(Pretending(end=_losing("b", times=2)), ("clip", counting()))
    assert seen == [1, 3]


def test_jobs_lost_with_their_machine_are_no_suspects_and_get_more_attempts() -> None:
    executor = Pretending(workers=2, end=_losing("a", "b", node=True, times=5))
    assert _run(executor, ("clip", _task("a", "b"))) == {"clip": ["a", "b"]}
    forever = _run(Pretending(end=_losing("a", node=True)), ("clip", _task("a")))
    assert isinstance(forever["clip"], QuarantineError)


class Clock:
    """Time that passes only when someone looks."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def test_a_stall_becomes_an_error_that_says_what_was_waited_for_and_how_many_workers_are_alive() -> None:
    executor = Pretending(workers=4, end=lambda job: None)
    executor.alive = 0
    with pytest.raises(StallError, match=r"no progress for 60 s: 0 of 4 workers.*beach.mp4 \[0, 240\)"):
        _run(executor, ("beach.mp4", _task("beach.mp4 [0, 240)")), stall_seconds=60, clock=Clock())
    assert executor.closed


def test_a_stall_names_what_the_workers_wait_for_themselves() -> None:
    executor = Pretending(workers=2, end=lambda job: None)
    executor.lacking = "segmenter 3, which needs 0.6 GPU: add machines with GPUs"
    with pytest.raises(StallError) as caught:
        _run(executor, ("beach.mp4", _task("beach.mp4 [0, 240)")), stall_seconds=60, clock=Clock())
    assert str(caught.value) == (
        "no progress for 60 s: 2 of 2 workers are alive. Waited for beach.mp4 [0, 240). They wait for segmenter 3, "
        "which needs 0.6 GPU: add machines with GPUs. What is finished is kept; run the same command again to go on."
    )


@pytest.mark.parametrize(("said", "seconds"), [(None, 300.0), ("900", 900.0), ("0.5", 0.5)])
def test_how_long_a_stall_lasts_can_be_set(monkeypatch: pytest.MonkeyPatch, said: str | None, seconds: float) -> None:
    monkeypatch.delenv("STREAMCT_STALL_SECONDS", raising=False)
    if said is not None:
        monkeypatch.setenv("STREAMCT_STALL_SECONDS", said)
    executor = Pretending(end=lambda job: None)
    with pytest.raises(StallError, match=f"no progress for {seconds:g} s"):
        _run(executor, ("clip", _task("a")), clock=Clock())


@pytest.mark.parametrize("said", ["never", "0", "-1", "nan"])
def test_what_is_no_length_of_a_stall_is_refused(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("STREAMCT_STALL_SECONDS", said)
    with pytest.raises(UsageError, match=f"STREAMCT_STALL_SECONDS={said}: "):
        _run(Pretending(), ("clip", _task("a")))


def test_frames_that_go_on_are_no_stall() -> None:
    executor = Pretending()

    def slowly(job: Job) -> Outcome | None:
        executor.frames[job.name] = executor.frames.get(job.name, 0) + 1
        return Outcome(job, "done") if executor.frames[job.name] == 500 else None

    executor._end = slowly
    assert _run(executor, ("clip", _task("a")), stall_seconds=60, clock=Clock()) == {"clip": ["done"]}


def test_an_interrupt_closes_the_executor_first_and_then_the_tasks() -> None:
    order: list[str] = []

    def cleaning() -> Task[None]:
        try:
            yield _jobs("a")
        finally:
            order.append("task")

    def interrupt(job: Job) -> Outcome:
        raise KeyboardInterrupt

    class Noting(Pretending):
        def close(self) -> None:
            order.append("executor")

    with pytest.raises(KeyboardInterrupt):
        _run(Noting(end=interrupt), ("clip", cleaning()))
    assert order == ["executor", "task"]


def test_progress_counts_the_frames_of_ended_jobs_and_of_those_that_run() -> None:
    states: list[State] = []
    executor = Pretending(workers=1)
    executor.frames = {"b": 7}
    _run(executor, ("clip", _task("a", "b", "c", weight=100)), on_progress=states.append)
    assert [state.frames for state in states] == [107, 200, 300]
    assert [(state.running, state.waiting, state.tasks) for state in states] == [(1, 1, 1), (1, 0, 1), (0, 0, 0)]


class Still(Pretending):
    """Its clock stands still; it counts how often it is looked at."""

    looked = 0

    def progress(self) -> dict[str, int]:
        self.looked += 1
        return {}


def test_with_many_jobs_in_flight_they_are_not_all_looked_at_for_each_that_ends() -> None:
    executor = Still(workers=1000)
    names = [str(number) for number in range(3000)]
    assert _run(executor, ("clip", _task(*names)), clock=lambda: 0.0) == {"clip": names}
    assert executor.looked <= 300


def test_the_simulation_of_the_scheduler_comes_to_its_end() -> None:
    script = Path(__file__).parents[3] / "scripts" / "simulate.py"
    command = [sys.executable, script, "--spans", "8", "--clips", "2", "--workers", "3", "--json"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout.splitlines()[-1])
    assert (row["workers"], row["spans"]) == (3, 8)
