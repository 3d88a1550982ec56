"""`--from` and `--to`: a part of a clip, graded as in a run over all of it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import decoded, moving_picture, write_clip
from piping import standard_input

from streamct.errors import UsageError
from streamct.media.image import read_picture, save_png
from streamct.media.trim_streams import later
from streamct.model import Event
from streamct.moments import parse_time
from streamct.pipeline import grade_video
from streamct.settings import Settings

QUICK = Settings().updated(time__radius=3, time__knot_spacing=3, palette__size=4, output__codec="ffv1")
MODES = {"window": QUICK, "shot": QUICK.updated(time__mode="shot"), "off": QUICK.updated(time__mode="off")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of two shots (144 frames at 24/s, the second from frame 90 on) with sound, and one with uneven times."""
    folder = tmp_path_factory.mktemp("trim")
    save_png(folder / "ref.png", moving_picture(1, seed=5)[0][..., ::-1])
    pictures = [*moving_picture(90), *(p[..., ::-1] for p in moving_picture(54, seed=3))]
    write_clip(folder / "in.mp4", pictures, audio=True)
    uneven = np.cumsum([1 if k % 7 else 5 for k in range(144)]).tolist()
    write_clip(folder / "uneven.mkv", pictures, times=uneven)
    write_clip(folder / "old.avi", pictures, codec="mpeg4", tags=None)
    return folder


@pytest.fixture(scope="module")
def whole(folder: Path) -> Callable[[str, str], list]:
    """Decoded frames of the full run over a clip in a mode."""

    @cache
    def run(name: str, mode: str) -> list:
        path = folder / f"{name}.{mode}.mkv"
        grade_video(folder / name, folder / "ref.png", path, MODES[mode])
        return decoded(path)

    return run


@pytest.mark.parametrize(
    ("name", "mode", "start", "stop"),
    [
        ("in.mp4", "window", "1.9", "2.2"),
        ("in.mp4", "window", "3.6", "4"),
        ("in.mp4", "window", "5.8", None),
        ("in.mp4", "window", None, "0.3"),
        ("in.mp4", "window", "0.2", 0.5),
        ("in.mp4", "shot", "2", "2.1"),
        ("in.mp4", "shot", "3.7", "3.9"),
        ("in.mp4", "shot", "5", "5.1"),
        ("in.mp4", "off", "3.5", "3.6"),
        ("uneven.mkv", "window", "6.5", "7"),
        ("old.avi", "window", "4", "4.2"),
    ],
)
def test_a_part_has_the_frames_of_the_full_run(
    folder: Path,
    tmp_path: Path,
    whole: Callable[[str, str], list],
    name: str,
    mode: str,
    start: str | None,
    stop: float | None,
) -> None:
    grade_video(folder / name, folder / "ref.png", tmp_path / "out.mkv", MODES[mode], start=start, stop=stop)
    frames = whole(name, mode)
    first = frames[0][0]
    low, high = Fraction(start or 0) * 1000 - 1, Fraction(str(stop or 1000)) * 1000 - 1
    wanted = [(pts, planes) for pts, planes in frames if low <= pts - first < high]
    found = decoded(tmp_path / "out.mkv")
    assert len(found) == len(wanted) > 0
    assert found[0][0] == 0
    for (pts, planes), (at, others) in zip(found, wanted, strict=True):
        assert abs((at - wanted[0][0]) - pts) <= 1
        assert all(np.array_equal(a, b) for a, b in zip(planes, others, strict=True))


def test_parts_that_meet_join_without_a_gap(folder: Path, tmp_path: Path) -> None:
    parts = []
    settings = MODES["off"].updated(mapping__strength=0.0)
    for number, (start, stop) in enumerate([(None, "2.0833"), ("2.0833", "4.125"), ("4.125", None)]):
        report = grade_video(
            folder / "in.mp4", folder / "ref.png", tmp_path / f"{number}.mkv", settings, start=start, stop=stop
        )
        parts.append(report.frames)
    assert parts == [50, 49, 45]


def test_little_more_than_the_part_is_read(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from streamct.grade.sample import Sampler

    seen = []
    real = Sampler.look
    monkeypatch.setattr(Sampler, "look", lambda self, frame: seen.append(frame.pts) or real(self, frame))
    grade_video(folder / "in.mp4", folder / "ref.png", tmp_path / "out.mkv", QUICK, start="3", stop="3.5")
    assert len(seen) <= 12 + 2 * (2 * 3 + 12)


def sound(path: Path) -> tuple[float, float]:
    """Seconds at which the sound begins and ends."""
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(audio=0) if p.size]
        times = [float(p.pts * p.time_base) for p in packets]
        return min(times), max(times) + float(packets[-1].duration * packets[-1].time_base)


@pytest.mark.parametrize("ending", ["mkv", "mp4", "mov", "ts"])
def test_the_sound_is_cut_with_the_pictures(folder: Path, tmp_path: Path, ending: str) -> None:
    settings = QUICK.updated(output__codec="h264")
    path = tmp_path / f"out.{ending}"
    grade_video(folder / "in.mp4", folder / "ref.png", path, settings, start="2", stop="3.5")
    begins, ends = sound(path)
    with av.open(str(path)) as container:
        first = min(float(p.pts * p.time_base) for p in container.demux(video=0) if p.pts is not None)
    packet = 1024 / 48000
    assert -0.001 <= begins - first <= packet + 0.001
    assert abs(ends - first - 1.5) <= packet + 0.001


def test_the_sound_stays_where_it_was_against_the_pictures(folder: Path, tmp_path: Path) -> None:
    def packets(path: Path) -> list[tuple[bytes, float]]:
        with av.open(str(path)) as container:
            return [(bytes(p), float(p.pts * p.time_base)) for p in container.demux(audio=0) if p.size]

    grade_video(folder / "in.mp4", folder / "ref.png", tmp_path / "out.mkv", QUICK, start="2", stop="3.5")
    before, after = packets(folder / "in.mp4"), packets(tmp_path / "out.mkv")
    assert len(after) > 50
    for data, time in after:
        assert any(abs(at - time - 2) <= 0.001 and data == other for other, at in before)


def test_a_mask_for_every_frame_keeps_its_place(folder: Path, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    for number in range(144):
        mask = np.zeros((64, 96, 3), np.uint8)
        mask[:, : 20 + number // 3] = 255
        save_png(masks / f"{number:04d}.png", mask)
    still = tmp_path / "ref_mask.png"
    save_png(still, mask)
    given = {"mask": masks, "ref_mask": still}
    grade_video(folder / "in.mp4", folder / "ref.png", tmp_path / "whole.mkv", QUICK, **given)
    grade_video(folder / "in.mp4", folder / "ref.png", tmp_path / "out.mkv", QUICK, start="3", stop="3.25", **given)
    frames, found = decoded(tmp_path / "whole.mkv"), decoded(tmp_path / "out.mkv")
    for (_, planes), (_, others) in zip(found, frames[72:78], strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(planes, others, strict=True))


def test_a_saved_track_serves_a_part(folder: Path, tmp_path: Path, whole: Callable[[str, str], list]) -> None:
    grade_video(
        folder / "in.mp4", folder / "ref.png", tmp_path / "all.mkv", MODES["shot"], save_track=tmp_path / "a.track"
    )
    grade_video(
        folder / "in.mp4", folder / "ref.png", tmp_path / "out.mkv", MODES["shot"], track=tmp_path / "a.track",
        start="3.5", stop="4",
    )  # fmt: skip
    found = decoded(tmp_path / "out.mkv")
    for (_, planes), (_, others) in zip(found, whole("in.mp4", "shot")[84:96], strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(planes, others, strict=True))


def test_a_part_of_a_pipe_is_that_of_the_file(folder: Path, tmp_path: Path) -> None:
    """Nothing can be searched in a pipe: it is read from its beginning, and no farther than needed."""
    given = {"start": "2", "stop": "2.25"}
    grade_video(folder / "uneven.mkv", folder / "ref.png", tmp_path / "file.mkv", QUICK, **given)
    with standard_input((folder / "uneven.mkv").read_bytes()):
        grade_video("-", folder / "ref.png", tmp_path / "pipe.mkv", QUICK, **given)
    for (at, planes), (pts, others) in zip(decoded(tmp_path / "file.mkv"), decoded(tmp_path / "pipe.mkv"), strict=True):
        assert at == pts
        assert all(np.array_equal(a, b) for a, b in zip(planes, others, strict=True))


def test_a_part_of_numbered_pictures_is_numbered_from_one(folder: Path, tmp_path: Path) -> None:
    for number, picture in enumerate(moving_picture(12), 1):
        save_png(tmp_path / f"in_{number:02d}.png", picture)
    settings = MODES["off"].updated(mapping__strength=0.0, output__codec="auto")
    given = {"rate": 12, "start": 0.5, "stop": 0.75}
    grade_video(tmp_path / "in_%02d.png", folder / "ref.png", tmp_path / "out_%02d.png", settings, **given)
    assert sorted(path.name for path in tmp_path.glob("out_*")) == ["out_01.png", "out_02.png", "out_03.png"]
    for number in range(3):
        before, after = (
            read_picture(tmp_path / name).rgb for name in (f"in_{number + 7:02d}.png", f"out_{number + 1:02d}.png")
        )
        assert np.array_equal(before, after)


@pytest.mark.parametrize(("start", "stop", "frames"), [(1, 2.5, 36), (None, "0.3", 8), ("0.52", "0.97", 11)])
def test_progress_counts_the_frames_of_the_part(
    folder: Path, tmp_path: Path, start: Any, stop: Any, frames: int
) -> None:
    events: list[Event] = []
    report = grade_video(
        folder / "in.mp4", folder / "ref.png", tmp_path / "o.mkv", QUICK, start=start, stop=stop, progress=events.append
    )
    assert [e.total for e in events if e.kind == "start"] == [frames]
    assert report.frames == frames


@pytest.mark.parametrize(
    ("start", "stop", "message"),
    [
        ("6.1", None, r"--from 6\.1: lies behind the clip's end at 00:00:06\.000"),
        ("2", "2", "--to 2: should lie behind --from 2"),
        ("x", None, "--from x: should be a time like"),
        (-1, None, "lies before the clip's first frame"),
        (float("nan"), None, "should be a number of seconds"),
        ("1.99", "1.995", "no frame lies between --from and --to"),
        ("0:00:01:24", None, "at 24 frames/s a second has no frame 24"),
    ],
)
def test_a_part_that_can_not_be_is_said(
    folder: Path, tmp_path: Path, start: str | float, stop: str | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        grade_video(folder / "in.mp4", folder / "ref.png", tmp_path / "o.mkv", QUICK, start=start, stop=stop)
    assert not list(tmp_path.iterdir())


def test_a_track_of_a_part_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a track is of a whole clip"):
        grade_video(
            folder / "in.mp4", folder / "ref.png", tmp_path / "o.mkv", MODES["shot"], start=1,
            save_track=tmp_path / "t.track",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "rate", "seconds"),
    [("00:00:10:12", "24", "21/2"), ("00:00:10:00", "24000/1001", "10.01"), ("0:01:00:05", "25", "301/5")],
)
def test_timecodes_count_at_the_nearest_whole_rate(text: str, rate: str, seconds: str) -> None:
    assert parse_time(text, "--from", Fraction(rate)) == Fraction(seconds)


@pytest.mark.parametrize(
    ("code", "frames", "rate", "moved"),
    [
        ("01:00:00:00", 36, 24, "01:00:01:12"),
        ("23:59:59:24", 1, 25, "00:00:00:00"),
        ("00:00:59;29", 1, 30, "00:01:00;02"),
        ("00:09:59;29", 1, 30, "00:10:00;00"),
        ("00:00:00;00", 107892, 30, "01:00:00;00"),
        ("00:01:00;02", 0, 30, "00:01:00;02"),
        ("00:00:00:00", 1800, 30, "00:01:00:00"),
    ],
)
def test_a_timecode_moves_with_the_first_frame(code: str, frames: int, rate: int, moved: str) -> None:
    """SMPTE 12M: at 30 drop-frame the numbers 0 and 1 are left out in each minute but every tenth."""
    assert later(code, frames, rate) == moved
