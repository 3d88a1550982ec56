"""A folder again: what earlier runs left, what is taken from it, and who works on it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from batches import LOSSLESS, dies, noted, ran, statuses, times
from clips import decoded, moving_picture, write_clip

import streamct.file_task
import streamct.span_jobs
import streamct.spanned
from streamct.batch import run_batch
from streamct.cli.batch_display import table
from streamct.errors import WorkerLostError
from streamct.execute import Outcome
from streamct.execute.local import LocalExecutor
from streamct.file_task import Options
from streamct.ledger import Ledger
from streamct.model import Event
from streamct.pipeline import grade_video
from streamct.sources import collect


def test_restart_does_all_again_but_touches_only_what_is_ours(root: Path) -> None:
    first = ran(root)
    before = times(root / "out")
    again = ran(root, restart=True)
    assert set(statuses(again).values()) == {"done"}
    assert [result.digest for result in again.files] == [result.digest for result in first.files]
    assert all(times(root / "out")[name] != before[name] for name in ("a.mkv", "sub/b.mkv", "sub/c.png"))
    (root / "out" / "a.mkv").write_bytes(b"precious")
    assert statuses(ran(root, restart=True))["a.mkv"] == "failed"
    assert (root / "out" / "a.mkv").read_bytes() == b"precious"


@pytest.mark.parametrize("damage", [False, True])
def test_a_graded_part_is_taken_if_it_is_whole_and_made_again_if_not(
    root: Path, damage: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ledger, "place", dies)
    ran(root)
    monkeypatch.undo()
    parts = sorted(p for p in (root / "out" / ".streamct").iterdir() if p.suffix != ".json")
    assert len(parts) == 3
    if damage:
        for part in parts:
            part.write_bytes(part.read_bytes()[:-100])
    graded: list[Path] = []
    for module, name in ((streamct.span_jobs, "grade_asked"), (streamct.file_task, "grade_picture")):
        monkeypatch.setattr(module, name, noted(getattr(module, name), graded))
    assert set(statuses(ran(root)).values()) == {"done"}
    assert len(graded) == (3 if damage else 0)
    assert len(decoded(root / "out" / "a.mkv")) == 12
    assert {p.suffix for p in (root / "out" / ".streamct").iterdir()} == {".done"}


class OneByOne(LocalExecutor):
    """Gives one outcome at a time, and tells just then how far its job was."""

    def __init__(self) -> None:
        super().__init__(1)
        self._kept: list[Outcome] = []
        self._told: dict[str, int] = {}

    def wait(self, seconds: float) -> list[Outcome]:
        self._kept += super().wait(0 if self._kept else seconds)
        found, self._kept = self._kept[:1], self._kept[1:]
        self._told = {outcome.job.name: outcome.job.weight for outcome in found}
        return found

    def progress(self) -> dict[str, int]:
        return self._told


def test_spans_that_have_ended_count_before_their_file_has(root: Path) -> None:
    shutil.rmtree(root / "in" / "sub")
    write_clip(root / "in" / "a.mkv", moving_picture(40))
    out, heard = root / "out", list[Event]()
    found = collect([root / "in"], root / "ref.png", out, LOSSLESS)
    options = Options(out, Ledger(out / ".streamct"), spans=4)
    with OneByOne() as executor:
        run_batch(found.items, options, executor, progress=heard.append)
    shares = [event.data["state"].share for event in heard if event.kind == "status"]
    assert shares == sorted(shares)
    assert 0.6 < max(shares) < 1


class Losing(LocalExecutor):
    """Loses a worker for each span, as soon as its part is finished."""

    def __init__(self) -> None:
        super().__init__(2)
        self.lost: set[str] = set()

    def wait(self, seconds: float) -> list[Outcome]:
        return [self._lost(outcome) for outcome in super().wait(seconds)]

    def _lost(self, outcome: Outcome) -> Outcome:
        name = outcome.job.name
        if outcome.job.call is not streamct.spanned.render_span or name in self.lost:
            return outcome
        self.lost.add(name)
        return replace(outcome, value=None, error=WorkerLostError("the worker ended"), frames=0)


def test_what_a_lost_worker_had_finished_is_of_this_run(root: Path) -> None:
    shutil.rmtree(root / "in" / "sub")
    write_clip(root / "in" / "a.mkv", moving_picture(40))
    out = root / "out"
    found = collect([root / "in"], root / "ref.png", out, LOSSLESS)
    with Losing() as executor:
        report = run_batch(found.items, Options(out, Ledger(out / ".streamct"), spans=3), executor)
    (result,) = report.files
    assert (report.retries, result.status, result.frames) == (3, "done", 40)
    assert (result.details["parts reused"], result.details["frames reused"]) == (0, 0)
    assert report.fps > 0
    assert "earlier run" not in table(report, whole=False)


@pytest.mark.parametrize("damage", ["none", "truncated", "settings"])
def test_spans_that_are_done_are_taken_again_and_only_those(
    root: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(root / "in" / "sub")
    write_clip(root / "in" / "a.mkv", moving_picture(40), audio=True)
    monkeypatch.setattr(streamct.spanned, "join_parts", dies)
    assert statuses(ran(root, spans=3)) == {"a.mkv": "failed"}
    monkeypatch.undo()
    work = root / "out" / ".streamct"
    parts = sorted(work.glob("*.part.span"))
    assert len(parts) == 3
    if damage == "truncated":
        parts[1].write_bytes(parts[1].read_bytes()[:-20])
    settings = LOSSLESS.updated(mapping__strength=0.5) if damage == "settings" else LOSSLESS
    heard: list[Event] = []
    report = ran(root, settings=settings, spans=3, heard=heard)
    states = [event.data["state"] for event in heard if event.kind == "status"]
    graded = 40 - report.files[0].details["frames reused"]
    assert states[-1].frames == graded, "what is told on the way leaves out what an earlier run graded, too"
    assert all((state.fps > 0) == (state.frames > 0) for state in states)
    (result,) = report.files
    assert result.status == "done"
    assert result.details["parts reused"] == {"none": 3, "truncated": 2, "settings": 0}[damage]
    assert (report.fps == 0) == (damage == "none"), "what an earlier run graded is not this one's pace"
    said = table(report, whole=False)
    assert ("done, 3 of 3 parts reused" in said and "40 of them from an earlier run" in said) == (damage == "none")
    assert ("done, 2 of 3 parts reused" in said) == (damage == "truncated")
    assert {path.suffix for path in work.iterdir()} == {".done"}, "parts go when their output is there"
    grade_video(root / "in" / "a.mkv", root / "ref.png", root / "alone.mkv", settings)
    for (t, planes), (u, others) in zip(decoded(root / "out" / "a.mkv"), decoded(root / "alone.mkv"), strict=True):
        assert t == u
        for plane, other in zip(planes, others, strict=True):
            np.testing.assert_array_equal(plane, other)


@pytest.fixture
def stopped(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The work folder of a run that made all three spans of a clip and died before it joined them."""
    shutil.rmtree(root / "in" / "sub")
    write_clip(root / "in" / "a.mkv", moving_picture(40))
    with monkeypatch.context() as patch:
        patch.setattr(streamct.spanned, "join_parts", dies)
        ran(root, spans=3)
    return root / "out" / ".streamct"


def test_restart_takes_no_spans_of_an_earlier_run_either(root: Path, stopped: Path) -> None:
    (result,) = ran(root, spans=3, restart=True).files
    assert (result.status, result.details["parts reused"]) == ("done", 0)
    assert {path.suffix for path in stopped.iterdir()} == {".done"}


def test_a_dry_run_that_would_restart_takes_nothing_away(root: Path, stopped: Path) -> None:
    before = times(root / "out")
    found = collect([root / "in"], root / "ref.png", root / "out", LOSSLESS)
    options = Options(root / "out", Ledger(stopped), restart=True, spans=3)
    with LocalExecutor(1) as executor:
        assert statuses(run_batch(found.items, options, executor, dry=True)) == {"a.mkv": "planned"}
    assert times(root / "out") == before


def test_parts_for_another_output_of_the_same_name_stay(root: Path, stopped: Path) -> None:
    before = times(stopped)
    found = collect([root / "in"], root / "ref.png", root / "other", LOSSLESS)
    with LocalExecutor(1) as executor:
        report = run_batch(found.items, Options(root / "other", Ledger(stopped), spans=3), executor)
    assert statuses(report) == {"a.mkv": "done"}
    assert {name: changed for name, changed in times(stopped).items() if not name.endswith(".done")} == before


def test_one_work_folder_serves_several_output_folders(root: Path) -> None:
    def made(name: str) -> dict[str, str]:
        found = collect([root / "in"], root / "ref.png", root / name, LOSSLESS, recursive=True)
        with LocalExecutor(2) as executor:
            return statuses(run_batch(found.items, Options(root / name, Ledger(root / "w")), executor))

    names = ("a.mkv", "sub/b.mkv", "sub/c.png")
    assert [made("one"), made("two"), made("one"), made("two")] == [
        dict.fromkeys(names, status) for status in ("done", "done", "skipped", "skipped")
    ]
    shutil.move(root / "one", root / "three")
    assert made("three") == dict.fromkeys(names, "skipped"), "a folder that was moved keeps what is done"


def test_an_output_that_another_run_works_on_is_left_to_it(root: Path) -> None:
    ledger = Ledger(root / "out" / ".streamct")
    ledger.open()
    with ledger.of(root / "out" / "a.mkv").held(root / "out" / "a.mkv"):
        report = ran(root)
    assert statuses(report) == {"a.mkv": "failed", "sub/b.mkv": "done", "sub/c.png": "done"}
    assert (
        f"{root / 'out' / 'a.mkv'}: is being graded by another run (process {os.getpid()} on " in report.files[0].error
    )
    assert {path.suffix for path in ledger.folder.iterdir()} == {".done"}
    assert statuses(ran(root)) == {"a.mkv": "done", "sub/b.mkv": "skipped", "sub/c.png": "skipped"}


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    import threading

    before = threading.active_count()
    yield
    assert threading.active_count() <= before
