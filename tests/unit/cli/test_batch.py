"""`streamct batch` as a user meets it: what is printed where, exit codes, and runs that are cut short."""

from __future__ import annotations

import builtins
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import decoded, moving_picture, write_clip

from streamct import batch
from streamct.cli import main
from streamct.errors import ClusterError, StallError
from streamct.execute import engine
from streamct.execute.engine import Engine, unused
from streamct.media.image import save_png
from streamct.pipeline import grade_picture, grade_video
from streamct.references import references
from streamct.settings import Settings

SCRIPT = [sys.executable, "-W", "error", "-c", "from streamct.cli import main; main()"]
LONG = 120


@dataclass
class Ran:
    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Ran]


@pytest.fixture
def streamct(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run the command in this process, with its arguments and its streams."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*arguments: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["streamct", "batch", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "100")
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return Ran(int(end.value.code or 0), *capfd.readouterr())

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    (root / "in").mkdir()
    write_clip(root / "in" / "a.mp4", moving_picture(12), audio=True)
    write_clip(root / "in" / "b.mkv", moving_picture(LONG, seed=1))
    save_png(root / "in" / "c.png", moving_picture(1, seed=2)[0])
    save_png(root / "ref.png", moving_picture(1, seed=5)[0][..., ::-1])
    return root


def test_what_a_video_can_be_told_of_its_look_a_folder_can_be_told_too(streamct: Run, root: Path) -> None:
    (root / "in" / "b.mkv").unlink()
    corners = [f"{r} {0.8 * g} {0.6 * b}" for b in (0, 1) for g in (0, 1) for r in (0, 1)]
    (root / "log.cube").write_text("\n".join(["LUT_3D_SIZE 2", *corners]))
    half = np.zeros((64, 96, 3), np.uint8)
    half[:, :48] = 255
    save_png(root / "half.png", half)
    look = ["--chroma", "0.5", "--regions", "fg", "--lut-in", root / "log.cube", "--mask", root / "half.png"]
    look += ["--ref-mask", root / "half.png", "--codec", "ffv1"]
    ran = streamct(root / "in", root / "ref.png", "-o", root / "out", "-q", *look)
    assert ran.returncode == 0, ran.stderr
    settings = Settings().updated(
        mapping__chroma=0.5, mapping__regions="fg", input__lut=root / "log.cube", output__codec="ffv1"
    )  # fmt: skip
    masks = {"mask": root / "half.png", "ref_mask": root / "half.png"}
    (clip,) = (root / "out").glob("a.*")
    grade_video(root / "in" / "a.mp4", root / "ref.png", root / "alone.mkv", settings, **masks)
    for (_, ours), (_, theirs) in zip(decoded(clip), decoded(root / "alone.mkv"), strict=True):
        for mine, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(mine, other)
    grade_picture(root / "in" / "c.png", root / "ref.png", root / "alone.png", settings, **masks)
    assert (root / "out" / "c.png").read_bytes() == (root / "alone.png").read_bytes()


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_no_folder_is_left_where_nothing_could_be_done(
    streamct: Run, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise ClusterError("10.0.0.1:6379: no cluster answers there.")

    (root / "in" / "text.mp4").write_text("no video")
    run = streamct(root / "in" / "text.mp4", root / "ref.png", "-o", root / "some" / "out", "--work-dir", root / "w")
    assert run.returncode == 1
    monkeypatch.setattr(engine, "open_executor", away)
    (root / "there").mkdir()
    run = streamct(root / "in", root / "ref.png", "-o", root / "there", "--address", "10.0.0.1:6379")
    assert run.returncode == 1
    assert "no cluster answers" in run.stderr
    assert sorted(path.name for path in root.iterdir()) == ["in", "ref.png", "there"]
    assert not list((root / "there").iterdir())


def test_all_wrong_lines_of_a_list_are_told_at_once_before_any_work(streamct: Run, root: Path) -> None:
    lines = [
        "input,settings,output",
        "in/a.mp4,video.codec=ffv1,",
        "in/b.mkv,,b.mkv",
        "in/c.png,,c.png,d",
        ",output.crf=9",
    ]
    (root / "shots.csv").write_text("\n".join([*lines, "in/a.mp4,,../a.mp4"]))
    run = streamct(root / "shots.csv", root / "ref.png", "-o", root / "out")
    assert run.returncode == 2
    told = [line.removeprefix(f"error: {root / 'shots.csv'}: ") for line in run.stderr.splitlines()]
    assert told[0] == "line 2: settings: unknown key 'video.codec' (did you mean 'output.codec'?)"
    assert [line[:7] for line in told] == ["line 2:", "line 4:", "line 5:", "line 6:"]
    assert not (root / "out").exists()


def litter(folder: Path) -> list[str]:
    return [p.name for p in folder.rglob("*") if "partial" in p.name]


def test_outputs_are_listed_on_stdout_and_a_table_on_stderr(streamct: Run, root: Path) -> None:
    run = streamct(root / "in", root / "ref.png", "-o", root / "out", "--report", root / "report.json")
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [str(root / "out" / name) for name in ("a.mp4", "b.mkv", "c.png")]
    rows = [line.split() for line in run.stderr.splitlines()]
    assert next(row for row in rows if row[0] == "a.mp4")[1] == "12"
    assert "3 graded; 133 frames in" in run.stderr
    assert "(local, 2 workers)" in run.stderr
    told = json.loads((root / "report.json").read_text())
    assert [(f["name"], f["status"], f["frames"], f["segmenter"]) for f in told["files"]] == [
        ("a.mp4", "done", 12, "none"), ("b.mkv", "done", LONG, "none"), ("c.png", "done", 1, "none"),
    ]  # fmt: skip
    assert all(len(f["digest"]) == 32 and len(f["sha256"]) == 64 for f in told["files"])
    run = streamct(root / "in", root / "ref.png", "-o", root / "out")
    assert run.returncode == 0
    assert "0 graded, 3 done before" in run.stderr


def test_a_report_may_lie_in_the_output_folder_that_is_yet_to_be_made(streamct: Run, root: Path) -> None:
    (root / "in" / "text.mp4").write_text("no video")
    path = root / "out" / "sub" / "r.json"
    run = streamct(root / "in" / "text.mp4", root / "ref.png", "-o", root / "out", "-q", "--report", path)
    assert run.returncode == 1
    assert [file["status"] for file in json.loads(path.read_text())["files"]] == ["failed"]
    run = streamct(root / "in" / "c.png", root / "ref.png", "-o", root / "out", "-q", "--report", path)
    assert run.returncode == 0, run.stderr
    told = json.loads(path.read_text())
    assert ([file["status"] for file in told["files"]], told["error"]) == (["done"], "")


def test_a_run_that_is_cut_short_reports_what_is_known(
    streamct: Run, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = batch.run_batch

    def cut(*given: Any, **named: Any) -> None:
        whole(*given, **named)
        raise StallError("no progress for 300 s.")

    monkeypatch.setattr(batch, "run_batch", cut)
    path = root / "r.json"
    run = streamct(root / "in" / "c.png", root / "ref.png", "-o", root / "out", "-q", "--report", path)
    assert run.returncode == 1
    told = json.loads(path.read_text())
    assert [(file["name"], file["status"]) for file in told["files"]] == [("c.png", "done")]
    assert told["error"] == "no progress for 300 s."


def test_a_cluster_that_can_not_be_had_is_what_the_report_says(
    streamct: Run, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise ClusterError("10.0.0.1:6379: no cluster answers there.")

    monkeypatch.setattr(engine, "open_executor", away)
    path = root / "out" / "r.json"
    assert streamct(root / "in", root / "ref.png", "-o", root / "out", "-q", "--report", path).returncode == 1
    assert json.loads(path.read_text()) == {
        "files": [], "unread": [], "error": "10.0.0.1:6379: no cluster answers there.",
    }  # fmt: skip


def test_a_failed_file_has_a_line_and_the_exit_code_says_so(streamct: Run, root: Path) -> None:
    (root / "in" / "text.mp4").write_text("no video")
    run = streamct(root / "in" / "c.png", root / "in" / "text.mp4", root / "ref.png", "-o", root / "out", "-q")
    assert run.returncode == 1
    assert run.stdout.splitlines() == [str(root / "out" / "c.png")]
    assert run.stderr.splitlines() == [
        f"failed: {root / 'in' / 'text.mp4'}: can't be opened as a video (Invalid data found when processing input). "
        "It is damaged, incomplete or not a video."
    ]


def test_a_file_that_can_not_be_read_fails_alone_also_where_it_is_named(
    streamct: Run, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(root / "in" / "c.png", root / "locked.png")
    access, made = os.access, builtins.open

    def refuse(path: object, *rest: object, **named: object) -> object:
        if Path(str(path)).name == "locked.png":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return made(path, *rest, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "access", lambda path, mode, **_: Path(path).name != "locked.png" and access(path, mode))
    monkeypatch.setattr(builtins, "open", refuse)
    run = streamct(root / "in" / "c.png", root / "locked.png", root / "ref.png", "-o", root / "out", "-q")
    assert run.returncode == 1
    assert run.stdout.splitlines() == [str(root / "out" / "c.png")]
    assert run.stderr.splitlines() == [
        f"failed: {root / 'locked.png'}: can't be read (Permission denied). Check the path."
    ]


def test_the_last_path_is_said_to_be_the_reference(streamct: Run, root: Path) -> None:
    run = streamct(root / "in" / "c.png", root / "in" / "a.mp4", "-o", root / "out")
    assert run.returncode == 0, run.stderr
    assert f"note: {root / 'in' / 'a.mp4'}: is the reference, being the last path" in run.stderr
    run = streamct(root / "in" / "c.png", "--ref", root / "in" / "a.mp4", "-o", root / "out")
    assert "is the reference" not in run.stderr


def test_a_folder_that_can_not_be_read_is_one_warning_and_the_exit_code_says_so(
    streamct: Run, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "in" / "locked").mkdir()
    (root / "in" / "b.mkv").unlink()
    scandir = os.scandir

    def locked(path: str) -> object:
        if Path(path).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    line = f"{root / 'in' / 'locked'}: can't be read as a folder (Permission denied). Check its permissions."
    run = streamct("-r", root / "in", root / "ref.png", "-o", root / "out", "-q", "--report", root / "report.json")
    assert run.returncode == 1
    assert run.stdout.splitlines() == [str(root / "out" / "a.mp4"), str(root / "out" / "c.png")]
    assert run.stderr.splitlines() == [f"warning: {line}"]
    assert json.loads((root / "report.json").read_text())["unread"] == [line]


def test_several_references_by_weight_look_as_they_do_for_one_picture(streamct: Run, root: Path) -> None:
    save_png(root / "b.png", moving_picture(1, seed=8)[0][..., ::-1])
    several = [str(root / "ref.png"), f"{root / 'b.png'}:0.5"]
    out = ("-q", "-o", root / "out")
    run = streamct(root / "in" / "c.png", *(part for one in several for part in ("--ref", one)), *out)
    assert run.returncode == 0, run.stderr
    grade_picture(root / "in" / "c.png", several, root / "alone.png")
    assert (root / "out" / "c.png").read_bytes() == (root / "alone.png").read_bytes()
    changed = [*several[:1], f"{root / 'b.png'}:0.25"]
    run = streamct(root / "in" / "c.png", *(part for one in changed for part in ("--ref", one)), *out)
    assert run.returncode == 1, "another weight is another look"
    assert "exists already" in run.stderr


def test_a_part_of_a_reference_video_is_taken_and_another_part_is_another_look(streamct: Run, root: Path) -> None:
    scenes = [moving_picture(12, seed=seed) for seed in (5, 8)]
    video = write_clip(root / "ref.mkv", [picture[..., ::-1] for scene in scenes for picture in scene], gop=12)
    part = (root / "in" / "c.png", video, "-q", "-o", root / "out")
    run = streamct(*part, "--ref-to", "0.5")
    assert run.returncode == 0, run.stderr
    grade_picture(root / "in" / "c.png", references(video, stop="0.5"), root / "alone.png")
    assert (root / "out" / "c.png").read_bytes() == (root / "alone.png").read_bytes()
    assert "exists already" in streamct(*part, "--ref-from", "0.5").stderr
    assert "exists already" in streamct(*part, "--ref-from", "0").stderr
    (root / "list.csv").write_text("input,reference\nin/c.png,ref.mkv\n")
    run = streamct(root / "list.csv", "-o", root / "out", "--ref-from", "0.5")
    assert run.returncode == 2
    assert "list.csv names its own" in run.stderr


def test_the_weight_of_a_reference_that_stands_alone_does_no_harm(streamct: Run, root: Path) -> None:
    run = streamct(root / "in" / "c.png", f"{root / 'ref.png'}:0.5", "-o", root / "out")
    assert run.returncode == 0, run.stderr
    assert f"note: {root / 'ref.png'}: is the only reference, so its weight changes nothing" in run.stderr
    grade_picture(root / "in" / "c.png", root / "ref.png", root / "alone.png")
    assert (root / "out" / "c.png").read_bytes() == (root / "alone.png").read_bytes()


@pytest.mark.parametrize("place", ["out", "work", "report"])
def test_a_folder_without_room_is_told_before_the_first_frame(
    streamct: Run, root: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (root / "report").mkdir()
    full = root / place
    made = builtins.open

    def refuse(path: object, mode: str = "r", *rest: object, **named: object) -> object:
        if "w" in mode and Path(str(path)).parent == full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return made(path, mode, *rest, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(builtins, "open", refuse)
    monkeypatch.setattr(engine, "open_executor", lambda *_, **__: pytest.fail("work has begun"))
    where = ("-o", root / "out", "--work-dir", root / "work", "--report", root / "report" / "r.json")
    run = streamct(root / "in", root / "ref.png", *where)
    assert run.returncode == 1
    assert f"error: {full}: can't be written to (No space left on device)." in run.stderr
    assert {"out": "-o", "work": "--work-dir", "report": "--report"}[place] in run.stderr
    assert sorted(path.name for path in root.iterdir()) == ["in", "ref.png", "report"]


def test_options_that_change_nothing_are_said_to(streamct: Run, root: Path) -> None:
    run = streamct(
        root / "in" / "c.png", root / "ref.png", "-o", root / "out", "--gpus-per-worker", "0.5", "--gpu-workers", "1"
    )
    assert run.returncode == 0, run.stderr
    for given in ("--gpus-per-worker 0.5", "--gpu-workers 1"):
        assert f"note: {given}: is for --engine ray and changes nothing here" in run.stderr
    assert list(unused(Engine("ray", gpu_workers=2), "ray", segmenting=False)) == [
        "--gpu-workers 2: changes nothing, because no network segments; see --segmenter"
    ]
    assert list(unused(Engine("ray", gpu_workers=2), "ray", segmenting=True)) == []


def test_json_events_tell_of_each_file_and_of_all(streamct: Run, root: Path) -> None:
    run = streamct(root / "in", root / "gone.mp4", root / "ref.png", "-o", root / "out", "--json", "-q")
    assert run.returncode == 1
    events = [json.loads(line) for line in run.stdout.splitlines()]
    assert next(e for e in events if e["event"] == "start")["total"] == 4
    files = {e["name"]: e for e in events if e["event"] == "file"}
    assert {name: e["status"] for name, e in files.items()} == {
        "a.mp4": "done", "b.mkv": "done", "c.png": "done", "gone.mp4": "failed",
    }  # fmt: skip
    assert "no such file" in files["gone.mp4"]["error"]
    assert list(files["a.mp4"]["stages"]) == ["inspect", "look", "grade", "place"]
    assert events[-1]["event"] == "done"
    assert [f["name"] for f in events[-1]["report"]["files"]] == ["a.mp4", "b.mkv", "c.png", "gone.mp4"]


def test_a_dry_run_lists_what_would_be_done(streamct: Run, root: Path) -> None:
    streamct(root / "in" / "a.mp4", root / "ref.png", "-o", root / "out", "-q")
    run = streamct(root / "in", root / "ref.png", "-o", root / "out", "-n")
    assert run.returncode == 0
    assert run.stdout.splitlines() == [
        f"done already: {root}/in/a.mp4 -> {root}/out/a.mp4",
        f"to do: {root}/in/b.mkv -> {root}/out/b.mkv",
        f"to do: {root}/in/c.png -> {root}/out/c.png",
    ]
    assert not (root / "out" / "b.mkv").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["in"], "is the only path"),
        (["in", "in"], "is a folder, but the last path is the reference"),
        (["in/none*.mp4", "ref.png"], "matches no file"),
        (["gone", "ref.png"], "gone: no such file or folder"),
        (["in", "in/a.mp4", "ref.png", "--report", "gone/r.json"], "--report"),
        (["in", "ref.png", "--crf", "nine"], "crf"),
        (["in", "ref.png", "--ref-from", "2", "--ref-to", "1"], "--ref-to 1: should lie after --ref-from 2"),
    ],
)
def test_wrong_usage_is_2_and_makes_nothing(
    streamct: Run, root: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(root)
    run = streamct(*arguments, "-o", "out")
    assert run.returncode == 2
    assert said in run.stderr
    assert not (root / "out").exists()


def begun(root: Path, *more: str) -> subprocess.Popen[str]:
    """A run over three files, of which the first is done and the second, a long one, is under way."""
    command = [*SCRIPT, "batch", str(root / "in"), str(root / "ref.png"), "-o", str(root / "out"), "--json"]
    command += ["--cpu-workers", "1"]
    process = subprocess.Popen([*command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == "file":
            break
    return process


def test_a_killed_run_goes_on_where_it_was(streamct: Run, root: Path, tmp_path: Path) -> None:
    write_clip(root / "in" / "b.mkv", moving_picture(60, 320, 240, seed=1))
    lossless = ("--codec", "ffv1")  # x264 gives other bytes each time, with one thread too
    process = begun(root, *lossless)
    process.kill()
    process.communicate()
    finished = {p: p.stat().st_mtime_ns for p in (root / "out").iterdir() if p.suffix in (".mkv", ".png")}
    assert 0 < len(finished) < 3
    run = streamct(root / "in", root / "ref.png", "-o", root / "out", *lossless)
    assert run.returncode == 0, run.stderr
    assert f"{len(finished)} done before" in run.stderr
    assert {p: p.stat().st_mtime_ns for p in finished} == finished
    assert litter(root) == []
    assert {p.suffix for p in (root / "out" / ".streamct").iterdir()} == {".done"}
    clean = streamct(root / "in", root / "ref.png", "-o", root / "clean", *lossless)
    assert clean.returncode == 0
    for name in ("a.mp4.mkv", "b.mkv"):
        ours, theirs = decoded(root / "out" / name), decoded(root / "clean" / name)
        assert [pts for pts, _ in ours] == [pts for pts, _ in theirs]
        for (_, one), (_, other) in zip(ours, theirs, strict=True):
            for plane, wanted in zip(one, other, strict=True):
                np.testing.assert_array_equal(plane, wanted)
    assert (root / "out" / "c.png").read_bytes() == (root / "clean" / "c.png").read_bytes()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_keeps_what_is_finished_and_the_next_run_completes(
    streamct: Run, root: Path, number: signal.Signals, code: int
) -> None:
    write_clip(root / "in" / "b.mkv", moving_picture(60, 320, 240, seed=1))
    process = begun(root, "--report", str(root / "out" / "r.json"))
    os.kill(process.pid, number)
    _, said = process.communicate()
    assert process.returncode == code, said
    assert "finished outputs and parts are kept; run the same command again to go on" in said
    assert "Traceback" not in said
    assert litter(root) == []
    told = json.loads((root / "out" / "r.json").read_text())
    (root / "out" / "r.json").unlink()
    assert (told["files"][0]["status"], told["error"]) == ("done", f"stopped by {number.name}")
    kept = [p.name for p in (root / "out").iterdir() if p.is_file()]
    assert 0 < len(kept) < 3
    run = streamct(root / "in", root / "ref.png", "-o", root / "out")
    assert run.returncode == 0, run.stderr
    assert f"{len(kept)} done before" in run.stderr
