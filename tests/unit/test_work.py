"""What a job may use, and whom it tells."""

from __future__ import annotations

import pickle

import pytest

from streamct import work
from streamct.errors import EncoderRefusalError, WorkerLostError
from streamct.stream import decoder_threads, encoder_threads, render_workers
from streamct.work import JobStopped, Work, at_work, check, cores, tell


def test_only_processors_that_may_be_used_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work.os, "sched_getaffinity", lambda _: {0, 5, 6}, raising=False)
    assert cores() == 3


def test_a_job_uses_its_own_share_of_the_cores() -> None:
    with at_work(Work(cores=2)):
        assert (cores(), render_workers(), decoder_threads(), encoder_threads("libx264")) == (2, 1, 1, 2)
    with at_work(Work(cores=12)):
        assert (cores(), render_workers(), decoder_threads(), encoder_threads("libx264")) == (12, 6, 6, 12)


def test_an_encoder_that_would_take_the_whole_machine_keeps_to_a_jobs_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamct.stream.machine_cores", lambda: 8)
    with at_work(Work(cores=3)):
        assert encoder_threads("libx265") == 3


def test_frames_are_told_to_the_job_and_a_stop_is_raised_where_it_asks() -> None:
    with at_work(Work()) as ours:
        tell(12)
        assert ours.done == 12
        ours.stop.set()
        with pytest.raises(JobStopped):
            check()
    check()


@pytest.mark.parametrize(
    "error", [WorkerLostError("gone", node=True), EncoderRefusalError("x264 refused", "odd size")], ids=repr
)
def test_errors_survive_the_way_between_processes(error: Exception) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back), vars(back)) == (type(error), str(error), vars(error))
