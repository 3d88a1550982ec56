"""Print what grading foreground and background apart does, on real clips with their real masks.

    python scripts/split.py DATA [SHEET.png]

DATA holds clips/, refs/ and masks/ (see CONTRIBUTING.md). For each clip and reference: the distance of the
foreground's pixels to the reference's foreground palette, and of the background's likewise, untouched, graded
whole and graded apart; and edit-warp over edit size inside the foreground, which says how steady the split is, beside
that of a grade that hardly moves (radius 120): what is left there is the clip's own motion and the flow's error.
Distance: sliced Wasserstein between colour distributions, in a, b and in L, a, b. Needs OpenCV for the flow.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from streamct.color.coding import code_to_rgb
from streamct.color.lab import srgb_to_lab
from streamct.media.image import save_png
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.model import Palette
from streamct.pipeline import grade_video, reference_palettes
from streamct.segment.matte import Matte
from streamct.settings import Settings

CLIPS = ("davis-blackswan", "davis-dance-twirl")
REFERENCES = ("voc-2011_000003", "voc-2011_000006", "voc-2011_000025")
EVERY = 7
FLOW_SIZE = (256, 144)
QUANTILES = (np.arange(200) + 0.5) / 200


def wasserstein(lab: np.ndarray, palette: Palette, channels: list[int]) -> float:
    """Sliced 1-Wasserstein distance of pixels (n, 3) to a palette, over 32 directions."""
    rng = np.random.default_rng(0)
    total = 0.0
    for _ in range(32):
        axis = rng.normal(size=len(channels))
        axis /= np.linalg.norm(axis)
        own = np.quantile(lab[:, channels] @ axis, QUANTILES)
        places = palette.colours[:, channels] @ axis
        order = np.argsort(places)
        ends = np.cumsum(palette.weights[order])
        other = places[order][np.minimum(np.searchsorted(ends, QUANTILES), len(order) - 1)]
        total += float(np.abs(own - other).mean())
    return total / 32


def rgb_of(frame, coding) -> np.ndarray:  # type: ignore[no-untyped-def]
    height, width = frame.planes[0].shape
    full = [np.asarray(frame.planes[0], np.float64)]
    full += [np.repeat(np.repeat(np.asarray(p, np.float64), 2, 0), 2, 1)[:height, :width] for p in frame.planes[1:]]
    return np.clip(code_to_rgb(np.stack(full, axis=-1), coding, 8), 0, 1)


def frames_of(path: Path) -> list[np.ndarray]:
    clip = probe(path)
    with Reader(clip) as reader:
        return [rgb_of(frame, clip.coding).astype(np.float32) for frame in reader]


def distances(frames: list[np.ndarray], masks: list[np.ndarray], sides: tuple[Palette, Palette]) -> list[float]:
    out = []
    for channels in ([1, 2], [0, 1, 2]):
        for side, palette in enumerate(sides):
            values = []
            for rgb, mask in list(zip(frames, masks, strict=True))[::EVERY]:
                inside = mask > 127 if side == 0 else mask <= 127
                values.append(wasserstein(srgb_to_lab(rgb[inside][::5].astype(np.float64)), palette, channels))
            out.append(float(np.mean(values)))
    return out


def edit_warp(source: list[np.ndarray], graded: list[np.ndarray], masks: list[np.ndarray]) -> float:
    """Mean |r_t - warp(r_(t-1))| over mean |r| inside the foreground, r = graded - source, flow of the source."""
    size = (FLOW_SIZE[0], FLOW_SIZE[0] * source[0].shape[0] // source[0].shape[1])
    small = [cv2.resize(rgb, size, interpolation=cv2.INTER_AREA) for rgb in source]
    edits = [cv2.resize(g, size, interpolation=cv2.INTER_AREA) - s for g, s in zip(graded, small, strict=True)]
    grey = [cv2.cvtColor(np.rint(rgb * 255).astype(np.uint8), cv2.COLOR_RGB2GRAY) for rgb in small]
    inside = [cv2.resize(mask, size, interpolation=cv2.INTER_AREA) > 250 for mask in masks]
    grid = np.stack(np.meshgrid(np.arange(size[0]), np.arange(size[1])), axis=-1).astype(np.float32)
    change, amount = [], []
    for t in range(1, len(grey)):
        flow = cv2.calcOpticalFlowFarneback(grey[t], grey[t - 1], None, 0.5, 3, 15, 3, 5, 1.2, 0)
        at = grid + flow
        warped = cv2.remap(edits[t - 1], at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        before = cv2.remap(inside[t - 1].astype(np.float32), at[..., 0], at[..., 1], cv2.INTER_LINEAR) > 0.99
        both = inside[t] & before
        change.append(np.abs(edits[t] - warped)[both].sum())
        amount.append(np.abs(edits[t])[both].sum())
    return float(np.sum(change) / np.sum(amount))


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    data = Path(sys.argv[1])
    settings = Settings().updated(output__codec="ffv1")
    lines = []
    print(
        "distance to the reference's part, fore/background: untouched -> graded whole -> graded apart; in a,b | L,a,b"
    )
    for name in CLIPS:
        source = data / "clips" / f"{name}.mp4"
        before = frames_of(source)
        given = Matte(data / "masks" / name)
        height, width = before[0].shape[:2]
        masks = [given.mask(i, width, height) for i in range(len(before))]
        for reference in REFERENCES:
            picture, part = data / "refs" / f"{reference}.jpg", data / "masks" / "refs-voc" / f"{reference}.png"
            with tempfile.TemporaryDirectory() as folder:
                matte = Path(folder) / "matte.png"
                foreground_of_class_map(part, matte)
                sides = reference_palettes(picture, settings, matte).split
                if sides is None:
                    print(f"{name:18} {reference}: no split")
                    continue
                whole, apart = Path(folder) / "whole.mkv", Path(folder) / "apart.mkv"
                grade_video(source, picture, whole, settings)
                grade_video(source, picture, apart, settings, mask=data / "masks" / name, ref_mask=matte)
                graded = {"whole": frames_of(whole), "apart": frames_of(apart)}
                slow = settings.updated(time__radius=120)
                grade_video(source, picture, apart, slow, mask=data / "masks" / name, ref_mask=matte, overwrite=True)
                still = edit_warp(before, frames_of(apart), masks)
            rows = [distances(frames, masks, sides) for frames in (before, graded["whole"], graded["apart"])]
            told = " | ".join(
                "  ".join(f"{'fb'[i % 2]} " + " -> ".join(f"{row[i]:5.1f}" for row in rows) for i in pair)
                for pair in ((0, 1), (2, 3))
            )
            warps = " ".join(f"{kind} {edit_warp(before, frames, masks):.3f}" for kind, frames in graded.items())
            print(f"{name:18} {reference[-6:]}: {told}   edit-warp inside: {warps} still {still:.3f}", flush=True)
            lines.append(sheet_line(picture, before, masks, graded))
    if len(sys.argv) == 3 and lines:
        save_png(Path(sys.argv[2]), np.concatenate(lines))


def foreground_of_class_map(path: Path, out: Path) -> None:
    """A class map (0 background, 255 void) as a matte: white for every class."""
    from streamct.media.image import read_picture

    colours = read_picture(path).rgb
    save_png(out, np.repeat(np.uint8(255) * (colours.max(axis=-1, keepdims=True) > 0), 3, axis=2))


def sheet_line(picture: Path, before: list, masks: list, graded: dict) -> np.ndarray:  # type: ignore[type-arg]
    from streamct.media.image import read_picture

    reference = cv2.resize(read_picture(picture).rgb, (320, 240), interpolation=cv2.INTER_AREA)
    at = len(before) // 2
    tiles = [reference]
    for tile in (before[at], masks[at][..., None].repeat(3, 2) / 255, graded["whole"][at], graded["apart"][at]):
        tiles.append(cv2.resize(np.asarray(tile, np.float32), (427, 240), interpolation=cv2.INTER_AREA))
    return np.rint(np.clip(np.concatenate(tiles, axis=1), 0, 1) * 255).astype(np.uint8)


if __name__ == "__main__":
    main()
