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
from batches import LOSSLESS, dies, noted, ran, statuses, times
from clips import decoded, moving_picture, write_clip

import streamct.file_task
import streamct.span_jobs
import streamct.spanned
from streamct.batch import run_batch
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
from streamct.sources import collect
from streamct.span_jobs import Recipe


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
    monkeypatch.setattr(streamct.file_task, "look", noted(streamct.file_task.look, looked))
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
    assert report.files[1].error.startswith(
        f"{root}/list.csv: line 3: {root}/in/sub/b.mkv: {root}/gone.png: no such file"
    )


def test_the_only_reference_of_a_list_is_told_with_its_line(root: Path) -> None:
    (root / "list.csv").write_text("input,reference\nin/a.mkv,gone.png\nin/sub/b.mkv,gone.png\n")
    found = collect([root / "list.csv"], None, root / "out", LOSSLESS)
    with LocalExecutor(1) as executor, pytest.raises(ReferenceError, match=r"list\.csv: line 2: .*gone\.png: no such"):
        run_batch(found.items, Options(root / "out", Ledger(root / "w")), executor)


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
    monkeypatch.setattr(streamct.span_jobs, "grade_asked", noted(streamct.span_jobs.grade_asked, graded))
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
    monkeypatch.setattr(streamct.span_jobs, "grade_asked", dies)
    (result,) = ran(root).files
    assert (result.status, result.output) == ("failed", root / "out" / "a.mp4.mkv")
    monkeypatch.undo()
    (root / "out" / "a.mp4.mkv").write_bytes(b"precious")
    (result,) = ran(root).files
    assert (result.status, result.output) == ("failed", root / "out" / "a.mp4.mkv")


def test_a_container_that_can_not_hold_the_codec_gives_way_and_the_line_names_the_real_output(root: Path) -> None:
    shutil.rmtree(root / "in" / "sub")
    shutil.move(root / "in" / "a.mkv", root / "in" / "a.mp4")
    report = ran(root)
    assert [str(r.output.relative_to(root)) for r in report.files] == ["out/a.mp4.mkv"]
    assert any("writing a.mp4.mkv" in line for line in report.files[0].warnings)
    (told,) = [line for line in table(report, whole=False).splitlines() if "writing a.mp4.mkv" in line]
    assert told.startswith("note: a.mp4: "), "notes are told, not only counted"
    before = times(root / "out")
    for newcomer in ("a.mov", "a.mkv"):
        shutil.copy(root / "in" / "a.mp4", root / "in" / newcomer)
    again = ran(root)
    assert {r.name: (r.output.name, r.status) for r in again.files} == {
        "a.mkv": ("a.mkv", "done"), "a.mov": ("a.mov.mkv", "done"), "a.mp4": ("a.mp4.mkv", "skipped"),
    }  # fmt: skip
    assert before.items() <= times(root / "out").items(), "what comes later changes nothing that is there"


def test_what_is_said_of_many_files_is_one_line(root: Path) -> None:
    shutil.rmtree(root / "in" / "sub")
    shutil.move(root / "in" / "a.mkv", root / "in" / "a.mp4")
    shutil.copy(root / "in" / "a.mp4", root / "in" / "b.mp4")
    report = ran(root)
    assert all(any(f"writing {result.output.name}" in line for line in result.warnings) for result in report.files)
    notes = [line for line in table(report, whole=True).splitlines() if "writing" in line]
    assert notes == ["note: 2 files: .mp4 files can't hold ffv1 video with exact times; writing .mkv"]


def test_who_would_take_the_name_of_another_fails_alone(root: Path) -> None:
    shutil.rmtree(root / "in" / "sub")
    shutil.move(root / "in" / "a.mkv", root / "in" / "a.mp4")
    shutil.copy(root / "in" / "a.mp4", root / "in" / "a.mp4.mkv")
    report = ran(root)
    assert statuses(report) == {"a.mp4": "failed", "a.mp4.mkv": "done"}
    assert "would both become a.mp4.mkv" in report.files[0].error


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
