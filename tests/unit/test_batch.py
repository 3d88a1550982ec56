"""A folder through the executor: what is done, what is left alone, what fails by itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import faults
import numpy as np
import pytest
import pyvips
import streams
from clips import decoded, moving_picture, write_clip

import streamct.file_task
import streamct.spanned
from streamct.batch import BatchReport, run_batch
from streamct.cli.batch_display import table
from streamct.color.cube import nodes, unit_lattice
from streamct.color.cube_text import format_cube
from streamct.errors import OutputError, ReferenceError, SegmenterError, WorkerLostError
from streamct.execute import Job, Outcome
from streamct.execute.local import LocalExecutor
from streamct.file_task import Options
from streamct.ledger import Ledger
from streamct.media.files import beside
from streamct.media.image import save_png
from streamct.model import Event
from streamct.pipeline import grade_picture, grade_video
from streamct.references import References
from streamct.settings import Settings
from streamct.sources import collect
from streamct.spanned import Recipe

LOSSLESS = Settings().updated(output__codec="ffv1")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    (root / "in" / "sub").mkdir(parents=True)
    write_clip(root / "in" / "a.mkv", moving_picture(12), audio=True)
    write_clip(root / "in" / "sub" / "b.mkv", moving_picture(9, seed=1))
    save_png(root / "in" / "sub" / "c.png", moving_picture(1, seed=2)[0])
    save_png(root / "ref.png", moving_picture(1, seed=5)[0][..., ::-1])
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def ran(
    root: Path, *extra: Path, settings: Settings = LOSSLESS, heard: list[Event] | None = None, **options: Any
) -> BatchReport:
    out = root / "out"
    found = collect([root / "in", *extra], root / "ref.png", out, settings, recursive=True)
    chosen = Options(out, Ledger(out / ".streamct"), **options)
    with LocalExecutor(2) as executor:
        return run_batch(found.items, chosen, executor, progress=None if heard is None else heard.append)


def statuses(report: BatchReport) -> dict[str, str]:
    return {result.name: result.status for result in report.files}


def times(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_each_file_comes_out_as_if_it_had_been_graded_alone(root: Path, tmp_path: Path) -> None:
    report = ran(root)
    assert statuses(report) == {"a.mkv": "done", "sub/b.mkv": "done", "sub/c.png": "done"}
    assert report.frames == 22
    assert {result.details["engine"] for result in report.files} == {"local"}
    for name in ("a.mkv", "sub/b.mkv"):
        alone = tmp_path / "alone.mkv"
        grade_video(root / "in" / name, root / "ref.png", alone, LOSSLESS, overwrite=True)
        for (t, planes), (u, others) in zip(decoded(root / "out" / name), decoded(alone), strict=True):
            assert t == u
            for plane, other in zip(planes, others, strict=True):
                np.testing.assert_array_equal(plane, other)
    grade_picture(root / "in" / "sub" / "c.png", root / "ref.png", tmp_path / "alone.png", LOSSLESS)
    assert (root / "out" / "sub" / "c.png").read_bytes() == (tmp_path / "alone.png").read_bytes()


def test_the_same_command_again_does_nothing_and_says_what_was_done(root: Path) -> None:
    first = ran(root)
    before = times(root / "out")
    again = ran(root)
    assert set(statuses(again).values()) == {"skipped"}
    assert times(root / "out") == before
    for one, other in zip(first.files, again.files, strict=True):
        assert (one.digest, one.sha256, one.frames, one.segmenter) == (
            other.digest, other.sha256, other.frames, other.segmenter,
        )  # fmt: skip


def test_only_what_is_missing_is_done(root: Path) -> None:
    ran(root)
    before = times(root / "out")
    (root / "out" / "sub" / "b.mkv").unlink()
    assert statuses(ran(root)) == {"a.mkv": "skipped", "sub/b.mkv": "done", "sub/c.png": "skipped"}
    after = times(root / "out")
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name] and ".streamct" not in name} == {"sub/b.mkv"}


@pytest.mark.parametrize("change", ["input", "reference", "settings", "lut", "version"])
def test_what_decides_the_result_has_changed_and_nothing_is_reused(
    root: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "in.cube").write_text(format_cube(unit_lattice(nodes(3)), "before"))
    settings = LOSSLESS.updated(input__lut=root / "in.cube") if change == "lut" else LOSSLESS
    ran(root, settings=settings)
    before = times(root / "out")
    if change == "input":
        for path in (root / "in" / "a.mkv", root / "in" / "sub" / "b.mkv", root / "in" / "sub" / "c.png"):
            os.utime(path, ns=(1, 1))
    elif change == "reference":
        save_png(root / "ref.png", moving_picture(1, seed=6)[0][..., ::-1])
    elif change == "lut":
        (root / "in.cube").write_text(format_cube(unit_lattice(nodes(5)), "after"))
    elif change == "settings":
        settings = LOSSLESS.updated(mapping__strength=0.5)
    else:
        monkeypatch.setattr(streamct.file_task, "versions", lambda network: {"av": "0"})
    refused = ran(root, settings=settings)
    assert set(statuses(refused).values()) == {"failed"}
    assert all("it was graded with other settings" in result.error for result in refused.files)
    assert all("exists already" in result.error and "--overwrite" in result.error for result in refused.files)
    assert times(root / "out") == before
    assert set(statuses(ran(root, settings=settings, overwrite=True)).values()) == {"done"}
    assert set(statuses(ran(root, settings=settings)).values()) == {"skipped"}


def test_settings_of_video_do_not_concern_pictures(root: Path) -> None:
    ran(root)
    settings = LOSSLESS.updated(time__radius=4, output__codec="h264")
    assert statuses(ran(root, settings=settings))["sub/c.png"] == "skipped"


def test_an_output_that_is_not_ours_stays_without_leave(root: Path) -> None:
    (root / "out").mkdir()
    (root / "out" / "a.mkv").write_bytes(b"precious")
    report = ran(root)
    assert statuses(report) == {"a.mkv": "failed", "sub/b.mkv": "done", "sub/c.png": "done"}
    assert "not as this command wrote it" in report.files[0].error
    assert (root / "out" / "a.mkv").read_bytes() == b"precious"
    assert statuses(ran(root, overwrite=True)) == {"a.mkv": "done", "sub/b.mkv": "skipped", "sub/c.png": "skipped"}


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
    monkeypatch.setattr(Ledger, "place", _dies)
    ran(root)
    monkeypatch.undo()
    parts = sorted(p for p in (root / "out" / ".streamct").iterdir() if p.suffix != ".json")
    assert len(parts) == 3
    if damage:
        for part in parts:
            part.write_bytes(part.read_bytes()[:-100])
    graded: list[Path] = []
    for module, name in ((streamct.spanned, "grade_asked"), (streamct.file_task, "grade_picture")):
        monkeypatch.setattr(module, name, _noted(getattr(module, name), graded))
    assert set(statuses(ran(root)).values()) == {"done"}
    assert len(graded) == (3 if damage else 0)
    assert len(decoded(root / "out" / "a.mkv")) == 12
    assert {p.suffix for p in (root / "out" / ".streamct").iterdir()} == {".done"}


def _dies(*arguments: Any) -> None:
    raise OutputError("the machine has stopped here")


def _noted(call: Any, graded: list[Path]) -> Any:
    def noted(input: Any, *arguments: Any, **named: Any) -> Any:
        graded.append(getattr(input, "input", input))
        return call(input, *arguments, **named)

    return noted


@pytest.mark.parametrize("damage", ["none", "truncated", "settings"])
def test_spans_that_are_done_are_taken_again_and_only_those(
    root: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(root / "in" / "sub")
    write_clip(root / "in" / "a.mkv", moving_picture(40), audio=True)
    monkeypatch.setattr(streamct.spanned, "join_parts", _dies)
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
        patch.setattr(streamct.spanned, "join_parts", _dies)
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


def test_a_result_names_the_engine_that_ran_it(root: Path) -> None:
    class Elsewhere(LocalExecutor):
        name = "elsewhere"

    found = collect([root / "in" / "a.mkv"], root / "ref.png", root / "out", LOSSLESS)
    with Elsewhere(1) as executor:
        report = run_batch(found.items, Options(root / "out", Ledger(root / "w")), executor)
    assert report.files[0].details["engine"] == "elsewhere"


def test_odd_files_are_told_one_by_one_and_the_rest_is_graded(root: Path) -> None:
    (root / "in" / "empty.mp4").write_bytes(b"")
    (root / "in" / "empty.png").write_bytes(b"")
    (root / "in" / "text.mp4").write_text("no video")
    (root / "in" / "text.jpg").write_text("no picture")
    streams.write_sound(root / "in" / "sound.mp4")
    heard: list[Event] = []
    report = ran(root, root / "in" / "gone.mp4", root / "in" / "gone.jpg", heard=heard)
    failed = {result.name: result.error for result in report.files if result.status == "failed"}
    assert sorted(failed) == [
        "empty.mp4", "empty.png", "gone.jpg", "gone.mp4", "sound.mp4", "text.jpg", "text.mp4",
    ]  # fmt: skip
    assert all(name.split(".")[0] in said for name, said in failed.items())
    assert {r.name for r in report.files if r.status == "done"} == {"a.mkv", "sub/b.mkv", "sub/c.png"}
    assert [e.kind for e in heard if e.kind != "status" and e.kind != "note"] == ["start", *["file"] * 10, "done"]
    again = ran(root, root / "in" / "gone.mp4")
    assert again.frames == 0
    assert again.failed == 6


def test_one_reference_is_looked_at_once_and_a_bad_one_stops_all_before_any_work(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[References] = []
    monkeypatch.setattr(streamct.file_task, "look", _noted(streamct.file_task.look, looked))
    ran(root)
    assert [found.paths for found in looked] == [(root / "ref.png",)]
    (root / "ref.png").write_bytes(b"no picture")
    with pytest.raises(ReferenceError, match=r"ref\.png"):
        ran(root)


def test_a_bad_reference_among_several_fails_only_its_own_files(root: Path) -> None:
    (root / "list.csv").write_text("input,reference\nin/a.mkv,ref.png\nin/sub/b.mkv,gone.png\n")
    found = collect([root / "list.csv"], None, root / "out", LOSSLESS)
    with LocalExecutor(1) as executor:
        report = run_batch(found.items, Options(root / "out", Ledger(root / "w")), executor)
    assert statuses(report) == {"in/a.mkv": "done", "in/sub/b.mkv": "failed"}
    assert "gone.png" in report.files[1].error


def test_a_segmenter_that_can_not_be_had_is_told_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(name: str, note: Any) -> Path:
        raise SegmenterError("no weights here")

    monkeypatch.setattr("streamct.segment.weights.fetched", away)
    heard: list[Event] = []
    report = ran(root, settings=LOSSLESS.updated(segment__segmenter="auto"), heard=heard)
    assert sum(event.kind == "warning" for event in heard) == 1
    assert {result.segmenter for result in report.files} == {"none"}
    assert statuses(ran(root)) == dict.fromkeys(statuses(report), "skipped"), "what was resolved is what counts"


def test_a_full_disk_is_named_and_older_outputs_stay(root: Path) -> None:
    out = root / "out"
    out.mkdir()
    noise = [streams.random_planes("yuv420p", 320, 240, seed) for seed in range(6)]
    streams.write_planes(root / "in" / "noise.mkv", "yuv420p", noise, (320, 240))
    with faults.little_space(out, 400):
        (out / "noise.mkv").write_bytes(b"older")
        report = ran(root, overwrite=True)
        assert statuses(report)["noise.mkv"] == "failed"
        error = next(result.error for result in report.files if result.name == "noise.mkv")
        assert "no space left" in error
        assert str(out / "noise.mkv") in error
        assert error.startswith(str(root / "in" / "noise.mkv"))
        assert "--work-dir" in error
        assert ".part" not in error
        assert (out / "noise.mkv").read_bytes() == b"older"
        assert not list(out.rglob("*.partial*"))


def test_an_error_about_a_part_names_the_output(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(recipe: Recipe, parts: tuple[Path, ...], *_: Any) -> None:
        others = f"{beside(parts[0], ending='.span')}, {recipe.plan.path.name}"
        raise OutputError(f"{recipe.plan.path}: can't be written (I/O error, {others}).")

    shutil.rmtree(root / "in" / "sub")
    write_clip(root / "in" / "a.mkv", moving_picture(40))
    monkeypatch.setattr(streamct.spanned, "join_parts", odd)
    (result,) = ran(root, spans=2).files
    target = root / "out" / "a.mkv"
    assert result.error == f"{target}: can't be written (I/O error, {target}, a.mkv)."


def test_a_note_about_a_picture_names_the_output(root: Path) -> None:
    pixels = pyvips.Image.black(8, 8).copy()
    pixels.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Artist", "somebody")
    pixels.write_to_file(str(root / "in" / "sub" / "c.jpg"))
    (root / "list.csv").write_text("input,output\nin/sub/c.jpg,c.tif\n")
    found = collect([root / "list.csv"], root / "ref.png", root / "out", LOSSLESS)
    with LocalExecutor(1) as executor:
        (result,) = run_batch(found.items, Options(root / "out", Ledger(root / "w")), executor).files
    assert [line for line in result.warnings if "EXIF" in line] == [
        "c.tif: EXIF is not kept in TIFF; PNG, JPEG, WebP and AVIF keep it"
    ]


def test_a_folder_that_may_not_be_written_to_is_told_before_its_file_is_graded(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graded: list[Path] = []
    monkeypatch.setattr(streamct.spanned, "grade_asked", _noted(streamct.spanned.grade_asked, graded))
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "sub" and access(path, mode))
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    found = collect([made / "in"], made / "ref.png", out, LOSSLESS, recursive=True)
    items = [item for item in found.items if item.name == "sub/b.mkv"]
    with LocalExecutor(1) as executor:
        (result,) = run_batch(items, Options(out, Ledger(out / "w")), executor).files
    assert f"{out / 'sub' / 'b.mkv'}: the folder {out / 'sub'} can't be written to." in result.error
    assert graded == []


def test_what_fails_is_reported_as_what_it_would_have_become(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(root / "in" / "sub")
    shutil.move(root / "in" / "a.mkv", root / "in" / "a.mp4")
    monkeypatch.setattr(streamct.spanned, "grade_asked", _dies)
    (result,) = ran(root).files
    assert (result.status, result.output) == ("failed", root / "out" / "a.mkv")
    monkeypatch.undo()
    (root / "out" / "a.mkv").write_bytes(b"precious")
    (result,) = ran(root).files
    assert (result.status, result.output) == ("failed", root / "out" / "a.mkv")


def test_a_container_that_can_not_hold_the_codec_gives_way_and_the_line_names_the_real_output(root: Path) -> None:
    shutil.move(root / "in" / "a.mkv", root / "in" / "a.mp4")
    shutil.copy(root / "in" / "a.mp4", root / "in" / "a.mkv")
    report = ran(root)
    assert [str(r.output.relative_to(root)) for r in report.files][:2] == ["out/a.mkv", "out/a.mp4.mkv"]
    assert any("writing a.mp4.mkv" in line for line in report.files[1].warnings)
    (told,) = [line for line in table(report, whole=False).splitlines() if "writing a.mp4.mkv" in line]
    assert told.startswith("note: a.mp4: "), "notes are told, not only counted"
    assert set(statuses(ran(root)).values()) == {"skipped"}


def test_a_dry_run_tells_what_would_be_done_and_writes_nothing(root: Path) -> None:
    found = collect([root / "in"], root / "ref.png", root / "out", LOSSLESS, recursive=True)
    with LocalExecutor(1) as executor:
        report = run_batch(found.items, Options(root / "out", Ledger(root / "w")), executor, dry=True)
    assert set(statuses(report).values()) == {"planned"}
    assert [result.output.relative_to(root / "out") for result in report.files] == [item.output for item in found.items]
    assert not (root / "out").exists()
    assert not (root / "w").exists()


class Losing:
    """An executor whose worker dies with every job on one file."""

    name, workers, alive, lacking = "losing", 1, 1, ""

    def __init__(self, culprit: str) -> None:
        self._culprit = culprit
        self._jobs: list[Job] = []

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def wait(self, seconds: float) -> list[Outcome]:
        return [self._done(self._jobs.pop(0))] if self._jobs else []

    def _done(self, job: Job) -> Outcome:
        if job.name == self._culprit:
            return Outcome(job, error=WorkerLostError("killed by signal 11"))
        return Outcome(job, job.call(*job.arguments), seconds=0.5)

    def progress(self) -> Mapping[str, int]:
        return {}

    def publish(self, frames: int, running: int, waiting: int, retries: int) -> None:
        pass

    def close(self) -> None:
        self._jobs.clear()


def test_a_file_that_ends_its_workers_is_named_and_the_others_are_done(root: Path) -> None:
    found = collect([root / "in"], root / "ref.png", root / "out", LOSSLESS, recursive=True)
    report = run_batch(found.items, Options(root / "out", Ledger(root / "w")), Losing("sub/b.mkv"))
    assert statuses(report) == {"a.mkv": "done", "sub/b.mkv": "failed", "sub/c.png": "done"}
    assert "sub/b.mkv: ended its worker 3 times" in report.files[1].error
    assert report.retries == 2
    assert report.stages["grade"] == 1.0


class Stalling(Losing):
    """An executor that never ends one file's job. now: a clock that goes on while there is nothing to do."""

    now = 0.0

    def wait(self, seconds: float) -> list[Outcome]:
        self.now += 0 if self._jobs else 1
        self._jobs = [job for job in self._jobs if job.name != self._culprit]
        return super().wait(seconds)


def test_a_stall_ends_the_batch_with_what_was_waited_for_and_keeps_what_is_done(root: Path) -> None:
    found = collect([root / "in"], root / "ref.png", root / "out", LOSSLESS, recursive=True)
    options = Options(root / "out", Ledger(root / "w"))
    executor = Stalling("sub/b.mkv")
    report = run_batch(found.items, options, executor, stall_seconds=60, clock=lambda: executor.now)
    assert statuses(report)["sub/b.mkv"] == "failed"
    assert "no progress for 60 s" in report.files[1].error
    assert "Waited for sub/b.mkv" in report.files[1].error
    with LocalExecutor(1) as local:
        again = run_batch(found.items, options, local)
    assert statuses(again) == {"a.mkv": "skipped", "sub/b.mkv": "done", "sub/c.png": "skipped"}


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    import threading

    before = threading.active_count()
    yield
    assert threading.active_count() <= before
