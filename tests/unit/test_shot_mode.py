"""The mode `shot`, lists of cuts and saved tracks through the whole pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import decoded, moving_picture, write_clip
from networks import RedIsForeground

from streamct import run, tracks
from streamct.errors import OutputError, TrackError, UsageError
from streamct.media.image import save_png
from streamct.media.probe import probe
from streamct.pipeline import grade_video
from streamct.settings import Settings


class Coarse(RedIsForeground):
    """Takes what is redder than blue for foreground."""

    precision = "exact"

    def memory(self) -> int:
        return 0

    def segment(self, proxies: Any) -> Any:
        self.batches.append(proxies)
        return (proxies[..., 0] > proxies[..., 2]).astype(np.float32)


SHOT = Settings().updated(output__codec="ffv1", time__mode="shot")
CUT, FRAMES = 9, 16


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Two shots of still pictures."""
    one, other = moving_picture(1, seed=1)[0], moving_picture(1, seed=2)[0][:, :, ::-1] // 2
    return write_clip(
        tmp_path / "in.mkv", [one] * CUT + [other] * (FRAMES - CUT), codec="ffv1", pix_fmt="yuv444p"
    )  # fmt: skip


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    save_png(tmp_path / "ref.png", moving_picture(1, seed=5)[0][..., ::-1])
    return tmp_path / "ref.png"


def planes(path: Path) -> np.ndarray:
    return np.array([np.stack(frame) for _, frame in decoded(path)])


def test_every_frame_of_a_shot_gets_the_same_grade(clip: Path, reference: Path, tmp_path: Path) -> None:
    report = grade_video(clip, reference, tmp_path / "out.mkv", SHOT)
    assert report.frames == FRAMES
    graded, source = planes(tmp_path / "out.mkv"), planes(clip)
    assert np.ptp(graded[:CUT], axis=0).max() == 0
    assert np.ptp(graded[CUT:], axis=0).max() == 0
    assert np.abs(graded.astype(int) - source).mean(axis=(1, 2, 3)).min() > 1


def test_the_first_frame_of_a_shot_is_graded_as_if_the_shot_were_a_clip(
    clip: Path, reference: Path, tmp_path: Path
) -> None:
    alone = [moving_picture(1, seed=2)[0][:, :, ::-1] // 2] * (FRAMES - CUT)
    write_clip(tmp_path / "alone.mkv", alone, codec="ffv1", pix_fmt="yuv444p")
    for mode in ("shot", "window"):
        settings = SHOT.updated(time__mode=mode)
        for name in ("in", "alone"):
            grade_video(tmp_path / f"{name}.mkv", reference, tmp_path / f"{name}-{mode}.mkv", settings)
        whole, part = planes(tmp_path / f"in-{mode}.mkv"), planes(tmp_path / f"alone-{mode}.mkv")
        np.testing.assert_array_equal(whole[CUT:], part)


def test_a_saved_track_gives_the_same_pixels_without_a_first_pass(
    clip: Path, reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    track = tmp_path / "in.track.npz"
    grade_video(clip, reference, tmp_path / "a.mkv", SHOT, save_track=track)

    def looked_through(*_: Any) -> None:
        raise AssertionError("the clip was analysed again")

    monkeypatch.setattr(tracks, "_look_through", looked_through)
    grade_video(clip, reference, tmp_path / "b.mkv", SHOT, track=track)
    np.testing.assert_array_equal(planes(tmp_path / "a.mkv"), planes(tmp_path / "b.mkv"))
    stronger = SHOT.updated(mapping__strength=0.5)
    grade_video(clip, reference, tmp_path / "c.mkv", stronger, track=track)
    assert (planes(tmp_path / "c.mkv") != planes(tmp_path / "a.mkv")).any()


def test_a_track_with_a_matte_needs_the_matte_again(clip: Path, reference: Path, tmp_path: Path) -> None:
    half = np.zeros((64, 96, 3), np.uint8)
    half[:, :48] = 255
    save_png(tmp_path / "half.png", half)
    track, masks = tmp_path / "t.npz", {"mask": tmp_path / "half.png", "ref_mask": tmp_path / "half.png"}
    save_png(reference, moving_picture(1, seed=5)[0][..., ::-1])
    grade_video(clip, reference, tmp_path / "a.mkv", SHOT, save_track=track, **masks)
    grade_video(clip, reference, tmp_path / "b.mkv", SHOT, track=track, **masks)
    np.testing.assert_array_equal(planes(tmp_path / "a.mkv"), planes(tmp_path / "b.mkv"))
    with pytest.raises(TrackError, match=r"was made with a --mask\. --mask: Give it again"):
        grade_video(clip, reference, tmp_path / "c.mkv", SHOT, track=track)


def test_a_track_made_with_other_palettes_is_used_and_said(clip: Path, reference: Path, tmp_path: Path) -> None:
    track = tmp_path / "t.npz"
    grade_video(clip, reference, tmp_path / "a.mkv", SHOT, save_track=track)
    report = grade_video(clip, reference, tmp_path / "b.mkv", SHOT.updated(palette__size=4), track=track)
    assert any("was made with other settings" in line for line in report.warnings)


def test_a_track_of_another_clip_is_refused(clip: Path, reference: Path, tmp_path: Path) -> None:
    grade_video(clip, reference, tmp_path / "a.mkv", SHOT, save_track=tmp_path / "t.npz")
    other = write_clip(tmp_path / "other.mkv", moving_picture(FRAMES), codec="ffv1", pix_fmt="yuv444p")
    with pytest.raises(TrackError, match=r"t\.npz: is the track of in\.mkv .*other\.mkv"):
        grade_video(other, reference, tmp_path / "b.mkv", SHOT, track=tmp_path / "t.npz")
    assert not (tmp_path / "b.mkv").exists()


def test_listed_cuts_are_where_the_grade_changes(clip: Path, reference: Path, tmp_path: Path) -> None:
    (tmp_path / "cuts.txt").write_text("4\n00:00:00.500\n")
    track = tmp_path / "t.npz"
    grade_video(clip, reference, tmp_path / "a.mkv", SHOT, cuts=tmp_path / "cuts.txt", save_track=track)
    with np.load(track) as file:
        assert file["shots"][:, 0].tolist() == [0, 4, 12]
    window = Settings().updated(output__codec="ffv1", time__radius=4)
    (tmp_path / "cuts.txt").write_text("9\n")
    grade_video(clip, reference, tmp_path / "b.mkv", window, cuts=tmp_path / "cuts.txt")
    grade_video(clip, reference, tmp_path / "c.mkv", window)
    np.testing.assert_array_equal(planes(tmp_path / "b.mkv"), planes(tmp_path / "c.mkv"))


def test_listed_cuts_behind_the_end_of_a_clip_of_unknown_length_are_told(
    clip: Path, reference: Path, tmp_path: Path
) -> None:
    assert probe(clip).frames is None  # Matroska does not say
    cuts = tmp_path / "cuts.txt"
    cuts.write_text(f"4\n{FRAMES - 1}\n{FRAMES}\n9000\n")
    window = Settings().updated(output__codec="ffv1", time__radius=4)
    for number, settings in enumerate((SHOT, window)):
        said = grade_video(clip, reference, tmp_path / f"{number}.mkv", settings, cuts=cuts).warnings
        assert [line for line in said if "cuts.txt" in line] == [
            f"{cuts}: 2 of its cuts lie behind the clip's {FRAMES} frames, the first at frame {FRAMES}. "
            "Is it the list of another clip?"
        ]
    cuts.write_text(f"{FRAMES - 1}\n")
    said = grade_video(clip, reference, tmp_path / "in time.mkv", window, cuts=cuts).warnings
    assert not any("cuts.txt" in line for line in said)


def test_a_list_of_cuts_that_changes_nothing_is_told(clip: Path, reference: Path, tmp_path: Path) -> None:
    cuts = tmp_path / "cuts.txt"
    cuts.write_text("4\n")
    off = Settings().updated(output__codec="ffv1", time__mode="off")
    said = grade_video(clip, reference, tmp_path / "out.mkv", off, cuts=cuts).warnings
    assert [line for line in said if "changes nothing" in line] == [
        f"--cuts {cuts}: changes nothing, for --temporal off grades every frame by itself"
    ]


def test_tracks_need_the_mode_shot_and_a_place(clip: Path, reference: Path, tmp_path: Path) -> None:
    window = SHOT.updated(time__mode="window")
    with pytest.raises(UsageError, match="only --temporal shot has a track"):
        grade_video(clip, reference, tmp_path / "out.mkv", window, save_track=tmp_path / "t.npz")
    with pytest.raises(OutputError, match="is an input of this run"):
        grade_video(clip, reference, tmp_path / "out.mkv", SHOT, save_track=reference, overwrite=True)
    (tmp_path / "cuts.txt").write_text("4\n")
    grade_video(clip, reference, tmp_path / "out.mkv", SHOT, save_track=tmp_path / "t.npz")
    with pytest.raises(UsageError, match="Leave one of them out"):
        grade_video(
            clip, reference, tmp_path / "x.mkv", SHOT, track=tmp_path / "t.npz", cuts=tmp_path / "cuts.txt"
        )  # fmt: skip
    with pytest.raises(OutputError, match="exists already"):
        grade_video(clip, reference, tmp_path / "x.mkv", SHOT, save_track=tmp_path / "t.npz")


def test_masks_of_a_network_are_kept_in_the_track(
    clip: Path, reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grade_video(clip, reference, tmp_path / "c.mkv", SHOT)
    fake = Coarse(batch=2, size=64)
    fake.name = "deeplabv3-mobilenet"
    filled = {"segmenter": fake.name, "size": 64, "every": 2, "device": "cpu"}
    monkeypatch.setattr(run, "resolve", lambda s, note: (s.model_copy(update=filled), None))
    monkeypatch.setattr(run, "load", lambda s: fake)
    settings = SHOT.updated(segment__segmenter="auto")
    a, b, track = tmp_path / "a.mkv", tmp_path / "b.mkv", tmp_path / "t.npz"
    grade_video(clip, reference, a, settings, save_track=track, save_masks=tmp_path / "masks")
    assert len(list((tmp_path / "masks").iterdir())) == FRAMES
    looked = len(fake.batches)
    report = grade_video(clip, reference, b, settings, track=track)
    assert report.segmenter == "deeplabv3-mobilenet"
    assert report.warnings == ()
    assert len(fake.batches) == looked + 1  # the reference's
    np.testing.assert_array_equal(planes(a), planes(b))
    assert (planes(tmp_path / "c.mkv") != planes(a)).any()
