"""The local executor: threads that do jobs."""

from __future__ import annotations

import threading

import pytest

from streamct.errors import ExecutionError, InputError
from streamct.execute import Job, Outcome
from streamct.execute.local import LocalExecutor
from streamct.work import JobStopped, check, cores, machine_cores, tell


def _all(executor: LocalExecutor, count: int) -> dict[str, Outcome]:
    found: dict[str, Outcome] = {}
    while len(found) < count:
        found.update({outcome.job.name: outcome for outcome in executor.wait(10)})
    return found


def test_jobs_give_values_and_errors() -> None:
    def fail() -> None:
        raise InputError("no such file")

    with LocalExecutor(2) as executor:
        executor.submit(Job(divmod, (17, 5), "divide"))
        executor.submit(Job(fail, (), "fail"))
        found = _all(executor, 2)
    assert found["divide"].value == (3, 2)
    assert found["divide"].error is None
    assert isinstance(found["fail"].error, InputError)
    assert found["fail"].worker.startswith("streamct-worker-")


def test_the_cores_are_shared_out_among_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamct.execute.local.machine_cores", lambda: 7)
    with LocalExecutor(3) as executor:
        executor.submit(Job(cores, (), "cores"))
        assert _all(executor, 1)["cores"].value == 2
    assert cores() == machine_cores()


def test_where_no_more_threads_can_begin_those_that_did_end(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[threading.Thread] = []
    start = threading.Thread.start

    def few(thread: threading.Thread) -> None:
        if len(begun) == 2:
            raise RuntimeError("can't start new thread")
        begun.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", few)
    with pytest.raises(ExecutionError) as caught:
        LocalExecutor(5)
    assert str(caught.value) == (
        "only 2 of 5 workers could begin on this machine (can't start new thread). Ask for fewer with --cpu-workers."
    )
    assert [thread.is_alive() for thread in begun] == [False, False]


def test_frames_done_are_seen_while_a_job_runs_and_closing_ends_it() -> None:
    told, go_on = threading.Event(), threading.Event()
    ended: list[str] = []

    def long() -> None:
        tell(41)
        told.set()
        go_on.wait(10)
        try:
            check()
        except JobStopped:
            ended.append("stopped")
            raise

    executor = LocalExecutor(1)
    executor.submit(Job(long, (), "long"))
    executor.submit(Job(ended.append, ("begun",), "never"))
    assert told.wait(10)
    assert executor.progress() == {"long": 41}
    executor._running["long"].stop.set()  # as `close` does first
    go_on.set()
    executor.close()
    assert ended == ["stopped"]
    assert executor.alive == 0


def test_outside_of_any_job_progress_is_told_to_no_one() -> None:
    tell(5)
    check()


def test_workers_are_counted() -> None:
    executor = LocalExecutor(3)
    assert (executor.workers, executor.alive) == (3, 3)
    executor.close()
    executor.close()
    assert executor.alive == 0
    with pytest.raises(ExecutionError, match="late: can't be begun"):
        executor.submit(Job(pow, (2, 2), "late"))


@pytest.mark.parametrize("workers", [1, 3])
def test_every_job_is_done_once(workers: int) -> None:
    with LocalExecutor(workers) as executor:
        for number in range(20):
            executor.submit(Job(pow, (number, 2), str(number)))
        found = _all(executor, 20)
    assert {name: outcome.value for name, outcome in found.items()} == {str(n): n * n for n in range(20)}
