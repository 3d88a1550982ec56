"""One folder over every executor: the same outputs, the same ledger, the same words about what fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import decoded, moving_picture, write_clip

from streamct.batch import BatchReport, run_batch
from streamct.execute import Executor
from streamct.execute.engine import Engine, open_executor
from streamct.file_task import Options
from streamct.ledger import Ledger
from streamct.media.image import save_png
from streamct.pipeline import grade_video
from streamct.settings import Settings
from streamct.sources import Item, collect

pytestmark = pytest.mark.slow

SCRIPT = [sys.executable, "-W", "error", "-c", "from streamct.cli import main; main()"]
LOSSLESS = Settings().updated(output__codec="ffv1")


@pytest.fixture(scope="module", params=["local", "ray"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def executor(engine: str) -> Iterator[Executor]:
    with closing(open_executor(Engine(engine, cpu_workers=2), lambda line: None)) as opened:
        yield opened


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    (root / "in").mkdir()
    write_clip(root / "in" / "a.mkv", moving_picture(12), audio=True)
    write_clip(root / "in" / "b.mkv", moving_picture(60, 320, 240, seed=1))
    save_png(root / "in" / "c.png", moving_picture(1, seed=2)[0])
    save_png(root / "ref.png", moving_picture(1, seed=5)[0][..., ::-1])
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def ran(
    root: Path, executor: Executor, change: Callable[[Item], Item] = lambda item: item, **options: Any
) -> BatchReport:
    found = collect([root / "in"], root / "ref.png", root / "out", LOSSLESS)
    chosen = Options(root / "out", Ledger(root / "out" / ".streamct"), **options)
    return run_batch([change(item) for item in found.items], chosen, executor)


def statuses(report: BatchReport) -> dict[str, str]:
    return {result.name: result.status for result in report.files}


def assert_same(one: Path, other: Path) -> None:
    ours, theirs = decoded(one), decoded(other)
    assert [pts for pts, _ in ours] == [pts for pts, _ in theirs]
    for (_, planes), (_, wanted) in zip(ours, theirs, strict=True):
        for plane, want in zip(planes, wanted, strict=True):
            np.testing.assert_array_equal(plane, want)


@pytest.mark.parametrize("spans", [None, 3])
def test_a_folder_comes_out_as_its_files_would_alone(root: Path, executor: Executor, spans: int | None) -> None:
    report = ran(root, executor, spans=spans)
    assert statuses(report) == {"a.mkv": "done", "b.mkv": "done", "c.png": "done"}
    for name in ("a.mkv", "b.mkv"):
        grade_video(root / "in" / name, root / "ref.png", root / name, LOSSLESS)
        assert_same(root / "out" / name, root / name)
    assert set(statuses(ran(root, executor, spans=spans)).values()) == {"skipped"}


def test_odd_files_are_told_and_the_rest_is_graded(root: Path, executor: Executor) -> None:
    (root / "in" / "empty.mp4").write_bytes(b"")
    (root / "in" / "text.png").write_text("no picture")
    report = ran(root, executor)
    errors = {result.name: result.error for result in report.files if result.status == "failed"}
    assert list(errors) == ["empty.mp4", "text.png"]
    assert "is empty (0 bytes)" in errors["empty.mp4"]
    assert str(root / "in" / "text.png") in errors["text.png"]


class Poison(type(Path())):  # type: ignore[misc]
    """A path that ends every process to which it is sent."""

    def __reduce__(self) -> Any:
        return os._exit, (9,)


@pytest.mark.parametrize("engine", ["ray"], indirect=True)
def test_a_clip_that_ends_its_workers_is_named_and_the_others_are_done(root: Path, executor: Executor) -> None:
    report = ran(root, executor, lambda item: replace(item, input=Poison(item.input)) if item.name == "b.mkv" else item)
    assert statuses(report) == {"a.mkv": "done", "b.mkv": "failed", "c.png": "done"}
    assert "b.mkv: inspect: ended its worker 3 times" in report.files[1].error
    assert report.retries >= 2


@pytest.mark.parametrize("number", [9, 2])
def test_a_run_that_is_cut_short_goes_on_where_it_was(root: Path, engine: str, number: int) -> None:
    command = [
        *SCRIPT, "batch", str(root / "in"), str(root / "ref.png"), "-o", str(root / "out"), "--engine", engine,
        "--cpu-workers", "1", "--codec", "ffv1", "--json",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == "file":
            break
    os.kill(process.pid, number)
    _, said = process.communicate()
    assert process.returncode == (130 if number == 2 else -9), said
    finished = {p: p.stat().st_mtime_ns for p in (root / "out").iterdir() if p.suffix in (".mkv", ".png")}
    assert 0 < len(finished) < 3
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    report = json.loads(again.stdout.splitlines()[-1])["report"]
    assert sum(entry["status"] == "skipped" for entry in report["files"]) >= len(finished)
    assert {p: p.stat().st_mtime_ns for p in finished} == finished
    assert [p for p in root.rglob("*") if "partial" in p.name] == []
    assert {p.suffix for p in (root / "out" / ".streamct").iterdir()} == {".done"}
    grade_video(root / "in" / "b.mkv", root / "ref.png", root / "alone.mkv", LOSSLESS)
    assert_same(root / "out" / "b.mkv", root / "alone.mkv")
