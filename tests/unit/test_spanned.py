"""A clip in spans is the clip in one piece, frame for frame: in every mode, with masks, cuts and uneven times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import decoded, moving_picture, write_clip
from networks import RedIsForeground
from streams import write_rich

from streamct import run, span_jobs, spanned
from streamct.errors import DamagedInputError, InputError, LookFileError, OutputError
from streamct.execute.local import LocalExecutor
from streamct.execute.schedule import State
from streamct.mapping import write_map
from streamct.media.image import read_picture, save_png
from streamct.media.parts import PartWriter
from streamct.model import Event, Report
from streamct.pipeline import grade_asked
from streamct.prepare import Request
from streamct.segment import matte
from streamct.settings import Settings
from streamct.spanned import grade_in_spans

FRAMES, CUTS = 72, (20, 47)
SETTINGS = Settings().updated(output__codec="ffv1", time__radius=5, palette__size=8)
TIMES = np.cumsum([1001, 1001, 500, 1502, 1001, 3003] * (FRAMES // 6)).tolist()


class Network(RedIsForeground):
    """Takes red for foreground, as a network that is loaded."""

    precision = "exact"

    def memory(self) -> int:
        return 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shots with a black border in the second; the same with uneven times; a reference, and a matte of each."""
    found = tmp_path_factory.mktemp("spanned")
    pictures = moving_picture(FRAMES, seed=1)
    for index in range(*CUTS):
        pictures[index] = 255 - pictures[index][::-1]
        pictures[index][:6] = 0
    for index in range(CUTS[1], FRAMES):
        pictures[index] = pictures[index][:, ::-1, ::-1] // 2
    write_clip(found / "even.mkv", pictures, codec="ffv1", pix_fmt="yuv420p")
    write_clip(found / "uneven.mp4", pictures, times=TIMES, time_base=run.Fraction(1, 30_000), rate=30)
    save_png(found / "ref.png", moving_picture(1, seed=5)[0][..., ::-1])
    (found / "masks").mkdir()
    for index in range(FRAMES):
        white = np.zeros((64, 96, 3), np.uint8)
        white[:, (index % 40) : (index % 40) + 40] = 255
        save_png(found / "masks" / f"{index:05d}.png", white)
    pictures = [read_picture(found / "masks" / f"{index:05d}.png").rgb for index in range(FRAMES)]
    for name in ("masks.mp4", "masks.mkv"):
        write_clip(found / name, [(255 * picture).astype(np.uint8) for picture in pictures], gop=12)
    half = np.zeros((64, 96, 3), np.uint8)
    half[:, :48] = 255
    save_png(found / "half.png", half)
    (found / "cuts.txt").write_text("20\n47\n")
    return found


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    with LocalExecutor(2) as found:
        yield found


def asked(folder: Path, output: Path, settings: Settings = SETTINGS, clip: str = "even.mkv", **given: Any) -> Request:
    return Request(folder / clip, folder / "ref.png", output, settings, **given)


def assert_same(path: Path, other: Path) -> None:
    found, wanted = decoded(path), decoded(other)
    assert [pts for pts, _ in found] == [pts for pts, _ in wanted]
    for number, ((_, ours), (_, theirs)) in enumerate(zip(found, wanted, strict=True)):
        for mine, its in zip(ours, theirs, strict=True):
            assert (mine == its).all(), f"frame {number}"


def both(executor: LocalExecutor, folder: Path, tmp_path: Path, count: int, **given: Any) -> Report:
    """Grade in one piece and in spans, and compare."""
    grade_asked(asked(folder, tmp_path / "whole.mkv", **given))
    report = grade_in_spans(asked(folder, tmp_path / "spans.mkv", **given), executor, count=count)
    assert report.details["spans"] == count
    assert_same(tmp_path / "spans.mkv", tmp_path / "whole.mkv")
    return report


@pytest.mark.parametrize("clip", ["even.mkv", "uneven.mp4"])
@pytest.mark.parametrize("mode", ["window", "shot", "off"])
@pytest.mark.parametrize("count", [2, 5])
def test_every_mode_gives_the_same_frames(
    executor: LocalExecutor, folder: Path, tmp_path: Path, mode: str, count: int, clip: str
) -> None:
    both(executor, folder, tmp_path, count, settings=SETTINGS.updated(time__mode=mode), clip=clip)


@pytest.mark.parametrize("mode", ["window", "shot"])
def test_mattes_serve_the_frames_of_their_numbers(
    executor: LocalExecutor, folder: Path, tmp_path: Path, mode: str
) -> None:
    given = {"mask": folder / "masks", "ref_mask": folder / "half.png", "settings": SETTINGS.updated(time__mode=mode)}
    assert both(executor, folder, tmp_path, 4, **given).segmenter == "matte"


@pytest.mark.parametrize("mode", ["window", "off"])
@pytest.mark.parametrize("video", ["masks.mp4", "masks.mkv"])  # of which the second does not tell its length
def test_a_matte_video_is_sought_in(
    executor: LocalExecutor, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, video: str
) -> None:
    grade_asked(
        asked(folder, tmp_path / "whole.mkv", SETTINGS.updated(time__mode=mode), mask=folder / video,
              ref_mask=folder / "half.png")
    )  # fmt: skip
    monkeypatch.setattr(matte, "Reader", None)  # which would read it from its beginning
    report = grade_in_spans(
        asked(folder, tmp_path / "spans.mkv", SETTINGS.updated(time__mode=mode), mask=folder / video,
              ref_mask=folder / "half.png"),
        executor, count=4,
    )  # fmt: skip
    assert (report.segmenter, report.details["spans"]) == ("matte", 4)
    assert_same(tmp_path / "spans.mkv", tmp_path / "whole.mkv")


@pytest.mark.parametrize("masks", [None, "masks", "masks.mp4"])
def test_a_map_grades_spans_as_it_grades_a_clip(
    executor: LocalExecutor, folder: Path, tmp_path: Path, masks: str | None
) -> None:
    given = {} if masks is None else {"mask": folder / masks, "ref_mask": folder / "half.png"}
    write_map(folder / "even.mkv", folder / "ref.png", tmp_path / "map.json", SETTINGS, **given)
    given.pop("ref_mask", None)
    both(executor, folder, tmp_path, 4, map=tmp_path / "map.json", **given)


def test_a_map_of_another_clip_is_told_as_ever(executor: LocalExecutor, folder: Path, tmp_path: Path) -> None:
    write_clip(tmp_path / "short.mkv", moving_picture(30), codec="ffv1")
    write_map(tmp_path / "short.mkv", folder / "ref.png", tmp_path / "map.json", SETTINGS)
    with pytest.raises(LookFileError, match="has shots up to frame 30, but the clip goes on"):
        grade_in_spans(asked(folder, tmp_path / "out.mkv", map=tmp_path / "map.json"), executor, count=3)
    assert not (tmp_path / "out.mkv").exists()


def test_listed_cuts_lie_where_they_are_listed(executor: LocalExecutor, folder: Path, tmp_path: Path) -> None:
    both(executor, folder, tmp_path, 4, cuts=folder / "cuts.txt")


@pytest.mark.parametrize("mode", ["window", "shot"])
def test_a_network_makes_the_same_masks_in_spans(
    executor: LocalExecutor, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    network = Network(batch=1)
    for room in (run, span_jobs):
        monkeypatch.setattr(room, "load", lambda settings: network)
    monkeypatch.setattr(run, "resolve", lambda segment, note: (segment, None))
    settings = SETTINGS.updated(
        segment__segmenter="deeplabv3-mobilenet", segment__size=64, segment__every=3, time__mode=mode
    )  # fmt: skip
    given = {"settings": settings, "ref_mask": folder / "half.png"}
    grade_asked(asked(folder, tmp_path / "whole.mkv", save_masks=tmp_path / "whole", **given))
    grade_in_spans(asked(folder, tmp_path / "spans.mkv", save_masks=tmp_path / "spans", **given), executor, count=3)
    assert_same(tmp_path / "spans.mkv", tmp_path / "whole.mkv")
    names = sorted(entry.name for entry in (tmp_path / "whole").iterdir())
    assert len(names) == FRAMES
    for name in names:
        assert (tmp_path / "spans" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("mode", ["window", "shot"])
def test_what_a_network_met_with_in_any_span_is_told_once(
    executor: LocalExecutor, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    line = "it goes on with 4"
    network = Network(batch=1)
    monkeypatch.setattr(network, "told", lambda: [line])
    for room in (run, span_jobs):
        monkeypatch.setattr(room, "load", lambda settings: network)
    monkeypatch.setattr(run, "resolve", lambda segment, note: (segment, None))
    settings = SETTINGS.updated(segment__segmenter="deeplabv3-mobilenet", segment__size=64, time__mode=mode)
    wanted = asked(folder, tmp_path / "out.mkv", settings, ref_mask=folder / "half.png")
    assert list(grade_in_spans(wanted, executor, count=3).warnings).count(line) == 1


def test_a_saved_track_is_the_one_of_a_run_in_one_piece(executor: LocalExecutor, folder: Path, tmp_path: Path) -> None:
    settings = SETTINGS.updated(time__mode="shot")
    grade_in_spans(
        asked(folder, tmp_path / "a.mkv", settings, save_track=tmp_path / "a.npz"), executor, count=3
    )  # fmt: skip
    grade_in_spans(asked(folder, tmp_path / "b.mkv", settings, track=tmp_path / "a.npz"), executor, count=4)
    assert_same(tmp_path / "a.mkv", tmp_path / "b.mkv")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.mkv", "a.npz", "b.mkv"]


def test_progress_counts_the_frames_of_all_spans_up_to_the_last(
    executor: LocalExecutor, folder: Path, tmp_path: Path
) -> None:
    events: list[Event] = []
    grade_in_spans(asked(folder, tmp_path / "out.mkv"), executor, events.append, count=3)
    counts = [event.done for event in events if event.kind == "progress"]
    assert counts[-1] == FRAMES
    assert counts == sorted(counts)
    assert next(event.total for event in events if event.kind == "start") == FRAMES


@pytest.mark.parametrize("count", [1, 3])
def test_what_the_container_does_not_take_is_said_once_and_before_the_first_frame(
    executor: LocalExecutor, folder: Path, tmp_path: Path, count: int
) -> None:
    write_rich(folder / "rich.mkv", frames=FRAMES, audios=("flac", "aac"), subtitle="ass", options={"g": "12"})
    events: list[Event] = []
    film = asked(folder, tmp_path / "out.mov", SETTINGS.updated(output__codec="h264"), clip="rich.mkv")
    grade_in_spans(film, executor, events.append, count=count)
    begun = next(number for number, event in enumerate(events) if event.kind == "start")
    said = [
        (number < begun, event.message) for number, event in enumerate(events) if ".mov files take" in event.message
    ]
    assert said == [
        (True, "stream 1 (audio) is left out: .mov files take no flac streams; .mkv files do"),
        (
            True,
            "subtitle stream 3 (ASS) becomes mov_text, all that .mov files take; it keeps bold and italics, not places "
            "and other styles",
        ),
    ]


def test_what_can_not_be_divided_is_graded_in_one_piece_and_that_is_said(
    executor: LocalExecutor, folder: Path, tmp_path: Path
) -> None:
    report = grade_in_spans(asked(folder, tmp_path / "out.mkv", tolerate_corrupt=True), executor, count=3)
    assert report.details["spans"] == 1
    assert any("what is damaged is graded in one piece" in line for line in report.warnings)


def test_a_clip_that_reads_otherwise_by_seeking_is_read_again_from_its_beginning(
    executor: LocalExecutor, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def astray(*_: Any) -> None:
        raise DamagedInputError("even.mkv: frame 30 at 00:00:01.250 did not come where its packet lies.")

    monkeypatch.setattr(span_jobs, "PassageReader", astray)
    report = grade_in_spans(asked(folder, tmp_path / "out.mkv"), executor, count=3)
    assert report.details["spans"] == 1
    assert any("frame 30" in line and "read again from its beginning" in line for line in report.warnings)
    grade_asked(asked(folder, tmp_path / "whole.mkv"))
    assert_same(tmp_path / "out.mkv", tmp_path / "whole.mkv")


def test_an_error_in_a_span_leaves_no_part_and_the_old_output(
    executor: LocalExecutor, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out.mkv").write_bytes(b"old")

    def full(self: PartWriter, packet: Any) -> None:
        raise OutputError("out.mkv: no space left in /full. Free some, or write elsewhere with -o.")

    monkeypatch.setattr(PartWriter, "_put", full)
    with pytest.raises(OutputError, match="no space left"):
        grade_in_spans(asked(folder, tmp_path / "out.mkv", overwrite=True), executor, count=3)
    assert (tmp_path / "out.mkv").read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.mkv"]


def test_an_input_that_is_missing_is_told_as_ever(executor: LocalExecutor, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.mkv: no such file"):
        grade_in_spans(asked(folder, tmp_path / "out.mkv", clip="nothing.mkv"), executor, count=3)


def test_the_count_of_frames_neither_falls_nor_passes_the_total() -> None:
    events: list[Event] = []
    phases = spanned._Phases(events.append)
    phases.watch(State(7, 1, 0, 1, 1, 0))
    phases.start(10)
    for frames in (20, 24, 22, 33):  # 20: of the phase before; a lost job begins again; a worker tells too much
        phases.watch(State(frames, 1, 0, 1, 1, 0))
    assert [event.done for event in events if event.kind == "progress"] == [0, 4, 4, 10]
