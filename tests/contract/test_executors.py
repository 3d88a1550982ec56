"""What every executor promises, over threads and over Ray."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
import torch
from clips import decoded, moving_picture, write_clip
from networks import random_network

from streamct.errors import EncoderRefusalError, InputError, QuarantineError, WorkerLostError
from streamct.execute import Executor, Job, Outcome, Shared, Task, values
from streamct.execute.local import LocalExecutor
from streamct.execute.ray_pool import RayExecutor
from streamct.execute.schedule import run_tasks
from streamct.media.image import read_picture, save_png
from streamct.pipeline import grade_asked
from streamct.prepare import Request
from streamct.settings import Settings
from streamct.spanned import grade_in_spans
from streamct.work import cores, tell

SETTINGS = Settings().updated(output__codec="ffv1", time__radius=4)
FRAMES, CUT = 64, 24


@pytest.fixture(scope="module")
def on_ray() -> Iterator[RayExecutor]:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with RayExecutor(cpu_workers=3, segmenting=True) as executor:
        yield executor


@pytest.fixture(scope="module")
def on_threads() -> Iterator[LocalExecutor]:
    with LocalExecutor(2) as executor:
        yield executor


@pytest.fixture(params=["local", "ray"])
def executor(request: pytest.FixtureRequest) -> Executor:
    found: Executor = request.getfixturevalue("on_threads" if request.param == "local" else "on_ray")
    assert found.name == request.param
    return found


def all_of(executor: Executor, jobs: list[Job]) -> dict[str, Outcome]:
    for job in jobs:
        executor.submit(job)
    found: dict[str, Outcome] = {}
    while len(found) < len(jobs):
        found.update({outcome.job.name: outcome for outcome in executor.wait(1)})
    return found


def task_of(*jobs: Job) -> Task[list[Any]]:
    return values((yield list(jobs)))


def add(first: int, second: int) -> int:
    return first + second


def fail(kind: str) -> None:
    raise {"ours": InputError("in.mp4: is empty"), "theirs": ZeroDivisionError("oops")}[kind]


def refuse() -> None:
    raise EncoderRefusalError("x264 refused", "an odd size")


def kill_once(mark: Path) -> str:
    """Kills its process the first time."""
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def total(held: np.ndarray, number: int) -> int:
    assert held.flags.writeable
    return int(held.sum()) + number


def slowly(mark: Path) -> None:
    """Tells 7 frames and goes on until the mark is there."""
    while not mark.exists():
        tell(7)
        time.sleep(0.01)


def share() -> int:
    return cores()


def test_jobs_give_values(executor: Executor) -> None:
    found = all_of(executor, [Job(add, (n, 1), f"add {n}") for n in range(10)])
    assert {name: outcome.value for name, outcome in found.items()} == {f"add {n}": n + 1 for n in range(10)}
    assert all(outcome.error is None and outcome.worker for outcome in found.values())


def test_errors_come_back_as_they_were_raised(executor: Executor) -> None:
    jobs = [Job(fail, ("ours",), "ours"), Job(fail, ("theirs",), "theirs"), Job(refuse, (), "refusal")]
    found = all_of(executor, jobs)
    assert isinstance(found["ours"].error, InputError)
    assert str(found["ours"].error) == "in.mp4: is empty"
    assert isinstance(found["theirs"].error, ZeroDivisionError)
    refusal = found["refusal"].error
    assert isinstance(refusal, EncoderRefusalError)
    assert (str(refusal), refusal.reason) == ("x264 refused", "an odd size")


def test_tasks_get_outcomes_in_the_order_of_their_jobs(executor: Executor) -> None:
    tasks = [(f"task {t}", task_of(*(Job(add, (10 * t, n), f"{t}.{n}") for n in range(4)))) for t in range(4)]
    assert dict(run_tasks(executor, tasks)) == {f"task {t}": [10 * t + n for n in range(4)] for t in range(4)}


def test_shared_arguments_arrive_whole_and_are_arrays_as_kernels_want_them(executor: Executor) -> None:
    held = Shared(np.ones(100_000, np.int64))
    found = all_of(executor, [Job(total, (held, n), f"total {n}") for n in range(6)])
    assert [found[f"total {n}"].value for n in range(6)] == [100_000 + n for n in range(6)]


def test_frames_done_are_heard_of_while_a_job_runs(executor: Executor, tmp_path: Path) -> None:
    executor.submit(Job(slowly, (tmp_path / "mark",), "slow"))
    while executor.progress().get("slow") != 7:
        assert executor.wait(0.05) == []
    (tmp_path / "mark").touch()
    outcomes: list[Outcome] = []
    while not outcomes:
        outcomes = executor.wait(1)
    assert outcomes[0].job.name == "slow"
    assert "slow" not in executor.progress()


def test_a_job_knows_its_share_of_the_cores(executor: Executor) -> None:
    assert 1 <= all_of(executor, [Job(share, (), "share")])["share"].value <= max(1, cores() // executor.workers)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A clip of two shots, and a reference."""
    folder = tmp_path_factory.mktemp("film")
    first, second = moving_picture(CUT, seed=1), moving_picture(FRAMES - CUT, seed=3)
    pictures = [*first, *(255 - picture[:, ::-1] for picture in second)]
    write_clip(folder / "in.mkv", pictures, codec="ffv1", pix_fmt="yuv420p")
    save_png(folder / "ref.png", moving_picture(1, seed=5)[0][..., ::-1])
    return folder / "in.mkv", folder / "ref.png"


@pytest.fixture(scope="module")
def whole(film: tuple[Path, Path]) -> list[Any]:
    grade_asked(Request(*film, film[0].with_name("whole.mkv"), SETTINGS))
    return decoded(film[0].with_name("whole.mkv"))


def assert_same(path: Path, wanted: list[Any]) -> None:
    found = decoded(path)
    assert [pts for pts, _ in found] == [pts for pts, _ in wanted]
    for (_, ours), (_, theirs) in zip(found, wanted, strict=True):
        for mine, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("spans", [1, 2, 5, 8])  # of 8, one begins at the cut
def test_the_same_pixels_come_from_any_executor_and_any_number_of_spans(
    executor: Executor, film: tuple[Path, Path], whole: list[Any], tmp_path: Path, spans: int
) -> None:
    report = grade_in_spans(Request(*film, tmp_path / "out.mkv", SETTINGS), executor, count=spans)
    assert (report.frames, report.details["spans"], report.details["engine"]) == (FRAMES, spans, executor.name)
    assert_same(tmp_path / "out.mkv", whole)
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.mkv"]


def test_networks_run_in_one_place_for_all_workers(
    on_ray: RayExecutor, film: tuple[Path, Path], tmp_path: Path
) -> None:
    torch.save(random_network("deeplabv3-mobilenet", seed=1).state_dict(), tmp_path / "weights.pt")
    settings = SETTINGS.updated(
        segment__segmenter="deeplabv3-mobilenet", segment__weights=tmp_path / "weights.pt", segment__size=64,
        segment__every=8, segment__device="cpu",
    )  # fmt: skip
    half = np.zeros((64, 96, 3), np.uint8)
    half[:, :48] = 255
    save_png(tmp_path / "half.png", half)
    given = {"settings": settings, "ref_mask": tmp_path / "half.png"}
    grade_asked(Request(*film, tmp_path / "whole.mkv", save_masks=tmp_path / "whole", **given))
    report = grade_in_spans(
        Request(*film, tmp_path / "spans.mkv", save_masks=tmp_path / "spans", **given), on_ray, count=2
    )  # fmt: skip
    assert report.segmenter == "deeplabv3-mobilenet"
    assert report.details["network"]["device"] == "cpu"
    for index in range(FRAMES):
        ours, theirs = (read_picture(tmp_path / name / f"{index:05d}.png").rgb for name in ("spans", "whole"))
        assert np.abs(ours - theirs).max() <= 2 / 255  # another number of threads: the last bits of its sums


def test_a_job_whose_worker_is_killed_is_done_by_another(on_ray: RayExecutor, tmp_path: Path) -> None:
    jobs = [Job(kill_once, (tmp_path / "mark",), "killed"), *(Job(add, (n, n), f"beside {n}") for n in range(6))]
    ((_, found),) = run_tasks(on_ray, [("task", task_of(*jobs))])
    assert found == ["survived", *(2 * n for n in range(6))]


def test_a_job_that_kills_its_workers_is_quarantined_and_named_and_all_else_is_done(on_ray: RayExecutor) -> None:
    tasks = [("poison.mp4", task_of(Job(die, (), "poison.mp4"))), *(
        (f"good {n}", task_of(Job(add, (n, 1), f"good {n}"))) for n in range(4)
    )]  # fmt: skip
    found = dict(run_tasks(on_ray, tasks))
    error = found.pop("poison.mp4")
    assert isinstance(error, QuarantineError)
    assert "poison.mp4: ended its worker 3 times" in str(error)
    assert found == {f"good {n}": [n + 1] for n in range(4)}


def test_a_lost_worker_is_told_as_such(on_ray: RayExecutor) -> None:
    outcome = all_of(on_ray, [Job(die, (), "alone")])["alone"]
    assert isinstance(outcome.error, WorkerLostError)
    assert not outcome.error.node
    assert str(outcome.error).endswith(" ended (killed, out of memory or crashed)")


def test_a_span_whose_worker_is_killed_leaves_the_result_as_it_is(
    on_ray: RayExecutor, film: tuple[Path, Path], whole: list[Any], tmp_path: Path
) -> None:
    killed: list[int] = []

    class Killing:
        """Kills the process of the first worker that is at work on a span."""

        def __call__(self, event: Any) -> None:
            if killed:
                return
            for hand in on_ray._hands:
                if hand.job is not None and "[" in hand.job.name:
                    killed.append(hand.pid)
                    os.kill(hand.pid, signal.SIGKILL)
                    return

    grade_in_spans(Request(*film, tmp_path / "out.mkv", SETTINGS), on_ray, Killing(), count=5)
    assert killed
    assert_same(tmp_path / "out.mkv", whole)
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.mkv"]
