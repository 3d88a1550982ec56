"""Parts and previews with a network's masks: those of a run over the whole clip."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import decoded, write_clip
from networks import RedIsForeground, moving_scene

from streamct import previewer, run
from streamct.media.image import save_png
from streamct.media.probe import probe
from streamct.model import Frame
from streamct.pipeline import grade_video
from streamct.settings import Settings
from streamct.sheets import write_sheet

FRAMES = 120


class Firm(RedIsForeground):
    """Takes what is redder than blue for foreground, in whole numbers, so that no batch changes it."""

    name = "deeplabv3-mobilenet"
    precision = "exact"

    def memory(self) -> int:
        return 0

    def segment(self, proxies: Any) -> Any:
        return (proxies[..., 0] > proxies[..., 2]).astype(np.float32)


@pytest.fixture(scope="module", autouse=True)
def _network() -> Any:
    filled = {"segmenter": Firm.name, "size": 64, "every": 2, "device": "cpu"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "resolve", lambda s, note: (s.model_copy(update=filled), None))
        patch.setattr(run, "load", lambda s: Firm(batch=2, size=64))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A moving thing over 120 frames, upside down from frame 70 on; and a reference with a thing of its own."""
    folder = tmp_path_factory.mktemp("masked")
    pictures, _ = moving_scene(FRAMES, width=96, height=64)
    shots = [
        p if t < 70 else np.clip(p[::-1].astype(int) + 40, 0, 255).astype(np.uint8) for t, p in enumerate(pictures)
    ]
    write_clip(folder / "in.mp4", shots, pix_fmt="yuv444p")
    reference = np.full((60, 80, 3), (20, 90, 60), np.uint8)
    reference[15:45, 20:60] = (240, 200, 20)
    save_png(folder / "ref.png", reference)
    return folder


def settings(mode: str) -> Settings:
    return Settings().updated(
        time__mode=mode, time__radius=3, time__knot_spacing=3, palette__size=4, output__codec="ffv1",
        segment__segmenter="auto",
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(folder: Path) -> dict[str, list]:
    out = {}
    for mode in ("window", "shot"):
        grade_video(folder / "in.mp4", folder / "ref.png", folder / f"{mode}.mkv", settings(mode))
        out[mode] = decoded(folder / f"{mode}.mkv")
    return out


def same(first: Any, second: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("mode", ["window", "shot"])
@pytest.mark.parametrize(("start", "stop", "frames"), [("2.5", "3", slice(60, 72)), ("4.5", None, slice(108, 120))])
def test_a_part_has_the_masks_of_the_full_run(
    folder: Path, tmp_path: Path, whole: dict, mode: str, start: str, stop: str | None, frames: slice
) -> None:
    out = tmp_path / "out.mkv"
    report = grade_video(folder / "in.mp4", folder / "ref.png", out, settings(mode), start=start, stop=stop)
    assert report.segmenter == Firm.name
    for (_, found), (_, wanted) in zip(decoded(out), whole[mode][frames], strict=True):
        assert same(found, wanted)


@pytest.mark.parametrize("mode", ["window", "shot"])
def test_a_preview_has_the_masks_of_the_full_run(
    folder: Path, tmp_path: Path, whole: dict, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: dict[int, Any] = {}
    real = previewer.Previewer._rendered

    def rendered(self: object, frame: Frame, grade: object, mask: object) -> object:
        planes = real(self, frame, grade, mask)
        shown[frame.pts] = planes
        return planes

    monkeypatch.setattr(previewer.Previewer, "_rendered", rendered)
    write_sheet(folder / "in.mp4", folder / "ref.png", tmp_path / "s.png", settings(mode), at=("0.5", "2.875", "3.5"))
    ticks = probe(folder / "in.mp4").time_base * 24
    assert sorted(round(pts * ticks) for pts in shown) == [12, 69, 84]
    for pts, planes in shown.items():
        assert same(planes, whole[mode][round(pts * Fraction(ticks))][1])
