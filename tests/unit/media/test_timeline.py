"""Clips told by their packets, and passages read by seeking."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import moving_picture, write_clip
from streams import moving_planes, write_planes

from streamct.errors import DamagedInputError
from streamct.media.passage_reader import PassageReader
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.media.timeline import Passage, passage, timeline_of
from streamct.model import Frame

FRAMES = 40


def grouped(
    path: Path, codec: str = "libx264", every: int = 12, times: list[int] | None = None, **options: str
) -> Path:
    planes = [moving_planes(index, 64, 48) for index in range(FRAMES)]
    return write_planes(
        path, "yuv420p", planes, (64, 48), codec=codec, times=times, time_base=Fraction(1, 1000), rate=Fraction(25),
        options={"g": str(every), **options},
    )  # fmt: skip


def kept(frame: Frame) -> tuple[int, int, list[np.ndarray]]:
    return frame.index, frame.pts, [plane.copy() for plane in frame.planes]


UNEVEN = np.cumsum([40, 33, 47, 20, 60] * (FRAMES // 5)).tolist()
KINDS = [
    ("a.mp4", "libx264", {"bf": "3"}), ("a.mkv", "libx264", {"bf": "3"}), ("a.ts", "libx264", {"bf": "2"}),
    ("a.mp4", "libx265", {"x265-params": "log-level=none:open-gop=1"}), ("a.mkv", "ffv1", {"level": "3"}),
    ("a.webm", "libvpx-vp9", {"lag-in-frames": "10", "auto-alt-ref": "1"}), ("a.mkv", "mpeg4", {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "codec", "options"), KINDS, ids=lambda v: v if isinstance(v, str) else "")
@pytest.mark.parametrize("times", [None, UNEVEN], ids=["even", "uneven"])
def test_a_passage_holds_the_frames_and_times_of_the_whole(
    tmp_path: Path, name: str, codec: str, options: dict[str, str], times: list[int] | None
) -> None:
    clip = probe(grouped(tmp_path / name, codec, times=times or [40 * n for n in range(FRAMES)], **options))
    timeline = timeline_of(clip)
    assert timeline is not None
    with Reader(clip) as reader:
        whole = [kept(frame) for frame in reader]
    assert timeline.frames == len(whole)
    assert timeline.pts.tolist() == [pts for _, pts, _ in whole]
    assert len(timeline.keys) >= 3
    for begin, end in ((0, 5), (11, 13), (12, 14), (25, 37), (FRAMES - 3, FRAMES + 9)):
        with PassageReader(clip, passage(timeline, begin, end)) as part:
            found = [kept(frame) for frame in part]
        assert [index for index, _, _ in found] == list(range(begin, min(end, FRAMES)))
        for ours, theirs in zip(found, whole[begin:end], strict=True):
            assert ours[1] == theirs[1]
            for mine, other in zip(ours[2], theirs[2], strict=True):
                np.testing.assert_array_equal(mine, other)


def test_key_frames_behind_which_older_frames_are_looked_at_are_no_beginnings(tmp_path: Path) -> None:
    clip = probe(grouped(tmp_path / "open.mp4", **{"bf": "3", "x264-params": "open-gop=1"}))
    timeline = timeline_of(clip)
    assert timeline is not None
    assert timeline.keys.tolist() == [0]


def test_a_truncated_file_has_no_timeline(tmp_path: Path) -> None:
    path = grouped(tmp_path / "whole.mkv", "ffv1")
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert timeline_of(probe(cut)) is None


def test_clips_whose_packets_are_fields_or_may_be_hidden_have_no_timeline(tmp_path: Path) -> None:
    planes = [moving_planes(index, 64, 48) for index in range(8)]
    woven = write_planes(
        tmp_path / "woven.mp4", "yuv420p", planes, (64, 48), codec="libx264", fields="tff",
        options={"flags": "+ildct+ilme", "x264-params": "tff=1"},
    )  # fmt: skip
    assert timeline_of(probe(woven)) is None
    hidden = write_clip(tmp_path / "hidden.webm", moving_picture(8), codec="libvpx")
    assert timeline_of(probe(hidden)) is None


def test_a_frame_that_does_not_come_where_its_packet_lies_is_an_error_that_names_it(tmp_path: Path) -> None:
    clip = probe(grouped(tmp_path / "a.mp4", times=[40 * n for n in range(FRAMES)]))
    timeline = timeline_of(clip)
    assert timeline is not None
    way = passage(timeline, 12, 20)
    moved = Passage(way.first, way.begin, way.pts + np.arange(len(way.pts)), way.seeks)
    with (
        PassageReader(clip, moved) as reader,
        pytest.raises(DamagedInputError, match=r"a\.mp4: frame 13 at 00:00:00\.5"),
    ):
        list(reader)
