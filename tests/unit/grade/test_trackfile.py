"""Tracks on disk."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from streamct.color.apply import Content
from streamct.errors import TrackError
from streamct.grade.bake import Looked
from streamct.grade.shots import Shot, Track
from streamct.grade.trackfile import analysis_digest, load_track, save_track
from streamct.model import Clip, Coding, ColorTags, Palette, PixelFormat
from streamct.settings import Settings

RNG = np.random.default_rng(0)


def palette(size: int) -> Palette:
    return Palette(RNG.normal(50, 20, (size, 3)), np.full(size, 1 / size))


MASKS = tuple(bytes(RNG.integers(0, 256, 5 + i).astype(np.uint8)) for i in range(30))
TRACK = Track(
    (
        Shot(0, 12, 7, Content(1, 30, 0, 64), Looked(palette(3), (palette(2), None), 256)),
        Shot(12, 13, 500, None, Looked(None)),
        Shot(13, 30, 512, Content(0, 32, 0, 64), Looked(palette(32), (palette(1), palette(4)), 99)),
    ),
    MASKS,
    (36, 64),
)


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    path = tmp_path / "in.mp4"
    path.write_bytes(bytes(200_000))
    tags, layout, coding = ColorTags(), PixelFormat("yuv420p", 8, 1, 1), Coding("bt709", False)
    return Clip(path, 0, 64, 36, Fraction(1, 1000), 30, Fraction(25), "h264", "mp4", "yuv420p", layout, coding, tags)


@pytest.fixture
def saved(clip: Clip, tmp_path: Path) -> Path:
    save_track(tmp_path / "track.npz", TRACK, clip, Settings(), "deeplabv3-mobilenet")
    return tmp_path / "track.npz"


def test_what_is_saved_comes_back_exactly(saved: Path, clip: Clip) -> None:
    back = load_track(saved, clip)
    assert back.segmenter == "deeplabv3-mobilenet"
    assert back.track.masks == MASKS
    assert back.track.mask_shape == (36, 64)
    for shot, same in zip(TRACK.shots, back.track.shots, strict=True):
        assert (shot.start, shot.stop, shot.pts, shot.content) == (same.start, same.stop, same.pts, same.content)
        assert shot.looked.split == same.looked.split
        own = (shot.looked.whole, *(shot.looked.sides or ()))
        for one, other in zip(own, (same.looked.whole, *(same.looked.sides or ())), strict=True):
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                np.testing.assert_array_equal(one.colours, other.colours)
                np.testing.assert_array_equal(one.weights, other.weights)


def test_the_file_says_what_it_is_without_streamct(saved: Path) -> None:
    with np.load(saved, allow_pickle=False) as file:
        header = json.loads(bytes(file["header"]))
        assert file["shots"].tolist() == [[0, 12, 7], [12, 13, 500], [13, 30, 512]]
    assert header["format"] == "streamct track"
    assert header["version"] == 1
    assert header["clip"]["name"] == "in.mp4"
    assert header["clip"]["frames"] == 30
    assert header["digest"] == analysis_digest(Settings(), "deeplabv3-mobilenet")


def test_the_digest_is_of_what_the_palettes_depend_on() -> None:
    plain = analysis_digest(Settings(), "none")
    assert analysis_digest(Settings().updated(mapping__strength=0.5, segment__every=3), "none") == plain
    assert analysis_digest(Settings().updated(palette__size=8), "none") != plain
    assert analysis_digest(Settings().updated(segment__every=3), "x") != analysis_digest(Settings(), "x")


def test_a_track_of_another_number_of_frames_is_refused_with_both_names(saved: Path, clip: Clip) -> None:
    with pytest.raises(TrackError, match=r"track\.npz: is the track of in\.mp4 \(30 frames\).*in\.mp4 has 31 frames"):
        load_track(saved, replace(clip, frames=31))


def test_a_track_of_another_clip_is_refused_with_both_names(saved: Path, clip: Clip, tmp_path: Path) -> None:
    other = tmp_path / "other.mp4"
    other.write_bytes(bytes(199_999) + b"x")
    with pytest.raises(TrackError, match=r"is the track of in\.mp4 .*other\.mp4 has other contents"):
        load_track(saved, replace(clip, path=other))
    with pytest.raises(TrackError, match=r"64 x 36 pixels.*128 x 72 pixels"):
        load_track(saved, replace(clip, width=128, height=72))


def test_a_renamed_clip_keeps_its_track(saved: Path, clip: Clip) -> None:
    moved = clip.path.rename(clip.path.with_name("moved.mp4"))
    assert load_track(saved, replace(clip, path=moved)).track.frames == 30


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 broken"])
def test_what_is_no_track_is_refused(content: bytes, clip: Clip, tmp_path: Path) -> None:
    (tmp_path / "no.npz").write_bytes(content)
    with pytest.raises(TrackError, match=r"no\.npz: is no track, or a damaged one\. --save-track writes one\.$"):
        load_track(tmp_path / "no.npz", clip)
    with pytest.raises(TrackError, match="no such track"):
        load_track(tmp_path / "missing.npz", clip)


def test_arrays_of_others_and_later_versions_are_refused(clip: Clip, tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", a=np.arange(3))
    with pytest.raises(TrackError, match="is no track"):
        load_track(tmp_path / "other.npz", clip)
    header = json.dumps({"format": "streamct track", "version": 2}).encode()
    np.savez(tmp_path / "later.npz", header=np.frombuffer(header, np.uint8))
    with pytest.raises(TrackError, match="version 2, this streamct reads version 1"):
        load_track(tmp_path / "later.npz", clip)


def test_a_damaged_track_is_refused(saved: Path, clip: Clip, tmp_path: Path) -> None:
    with np.load(saved) as file:
        arrays = {name: file[name] for name in file.files}
    del arrays["content"]
    np.savez(tmp_path / "cut.npz", **arrays)
    with pytest.raises(TrackError, match="is damaged"):
        load_track(tmp_path / "cut.npz", clip)
