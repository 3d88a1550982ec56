"""Print what grading foreground and background apart does, on real clips with their real masks.

    python scripts/split.py DATA [SHEET.png]

DATA holds clips/, refs/ and masks/ (see CONTRIBUTING.md). For each clip and reference:

distance: of the foreground's pixels to the reference's foreground palette, and of the background's likewise, untouched,
graded whole and graded apart; sliced Wasserstein between colour distributions, in a, b and in L, a, b.

Inside the foreground (mask at 0.99 at least in both frames, and visible in both), at proxies of 256 pixels:
edit: mean |r|, r = result - source. moves: mean difference of the source to the frame before along its optical flow,
over the edit: what the flow does not explain. edit-warp: mean |r_t - warp(r_(t-1))| over the edit, graded whole, graded
apart, and by one fixed grade for each region, which can't flicker: its floor. over: apart less the floor. drift:
the same frame in its own grade of the foreground and in its predecessor's, over the edit; no flow is involved.
Needs the extra `evaluate`.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
from flicker import grades_of, proxy, proxy_clip

from streamct.color.coding import code_to_rgb
from streamct.color.lab import srgb_to_lab
from streamct.color.proxy import planes_proxy_rgb
from streamct.grade.regions import Palettes
from streamct.grade.sample import Sampler
from streamct.grade.track import Grade
from streamct.media.image import save_png
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.metrics import motion_between
from streamct.metrics.flow import warp
from streamct.model import Clip, FloatArray, Frame, Palette
from streamct.pipeline import grade_video, reference_palettes
from streamct.render import Renderer
from streamct.segment.matte import Matte
from streamct.settings import Settings

CLIPS = ("davis-blackswan", "davis-dance-twirl")
REFERENCES = ("voc-2011_000003", "voc-2011_000006", "voc-2011_000025")
EVERY = 7
CERTAIN = 0.99 * 255
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


class Steadiness:
    """How steady grades of a clip's foreground are. Flow and masks are found once, for all grades."""

    def __init__(self, clip: Clip, given: Matte) -> None:
        self._clip = proxy_clip(clip)
        with Reader(clip, threads=1) as reader:
            self._frames = [proxy(frame, clip, self._clip) for frame in reader]
        self._renderer = Renderer(self._frames[0].format)
        self._colours = [self._colours_of(frame.planes) for frame in self._frames]
        height, width = self._frames[0].planes[0].shape
        self._masks = [given.mask(index, width, height) for index in range(len(self._frames))]
        self._full = np.full((height, width), 255, np.uint8)
        self._back, self._inside = [], []
        certain = [(mask >= CERTAIN).astype(np.float64)[..., None] for mask in self._masks]
        moves = []
        for t in range(1, len(self._frames)):
            motion = motion_between(self._colours[t - 1], self._colours[t])
            before = warp(certain[t - 1], motion.back)[0][..., 0] > 0.99
            self._back.append(motion.back)
            self._inside.append((certain[t][..., 0] > 0) & before & motion.visible)
            source = warp(self._colours[t - 1], motion.back)[0]
            moves.append(np.abs(self._colours[t] - source)[self._inside[-1]].sum())
        self._moves = float(np.sum(moves))

    def _colours_of(self, planes: tuple[np.ndarray, ...]) -> FloatArray:
        height, width = planes[0].shape
        return planes_proxy_rgb(planes, self._frames[0].format, self._clip.coding, width, height)

    def _graded(self, frame: Frame, grade: Grade, mask: np.ndarray | None) -> FloatArray:
        planes = tuple(np.empty_like(plane) for plane in frame.planes)
        out = Frame(planes, frame.format, frame.index, frame.pts, frame.time_base)
        self._renderer.render(frame, out, grade, mask)
        return self._colours_of(planes)

    def of(self, palettes: Palettes, settings: Settings) -> dict[str, float]:
        """edit, moves, edit-warp and drift of a run towards `palettes`; without a split it is one region."""
        masks = self._masks if palettes.split is not None else None
        sampler = Sampler(self._clip.format, self._clip.coding, settings.palette)
        samples = (
            sampler.count(sampler.look(frame), None if masks is None else masks[frame.index]) for frame in self._frames
        )
        found = list(grades_of(self._clip, samples, palettes, settings, range(len(self._frames))))
        edits = []
        for frame, grade, source in zip(self._frames, found, self._colours, strict=True):
            mask = None if masks is None else masks[frame.index]
            edits.append(self._graded(frame, grade, mask) - source)
        change = amount = drift = 0.0
        for t in range(1, len(edits)):
            inside = self._inside[t - 1]
            change += np.abs(edits[t] - warp(edits[t - 1], self._back[t - 1])[0])[inside].sum()
            amount += np.abs(edits[t])[inside].sum()
            own, before = (self._graded(self._frames[t], found[k], self._full) for k in (t, t - 1))
            drift += np.abs(own - before)[inside].sum()
        pixels = 3 * sum(int(inside.sum()) for inside in self._inside)
        return {
            "edit": amount / pixels, "moves": self._moves / amount, "warp": change / amount, "drift": drift / amount
        }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("sheet", type=Path, nargs="?", metavar="SHEET.png")
    asked = parser.parse_args()
    data = asked.data
    settings = Settings().updated(output__codec="ffv1")
    lines, steady = [], []
    print("distance, fore/background: untouched -> graded whole -> graded apart; in a,b | L,a,b")
    for name in CLIPS:
        source = data / "clips" / f"{name}.mp4"
        before = frames_of(source)
        given = Matte(data / "masks" / name)
        height, width = before[0].shape[:2]
        masks = [given.mask(i, width, height) for i in range(len(before))]
        steadiness = Steadiness(probe(source), given)
        for reference in REFERENCES:
            picture, part = data / "refs" / f"{reference}.jpg", data / "masks" / "refs-voc" / f"{reference}.png"
            palettes = reference_palettes(picture, settings, part)
            if palettes.split is None:
                print(f"{name:18} {reference}: no split")
                continue
            with tempfile.TemporaryDirectory() as folder:
                whole, apart = Path(folder) / "whole.mkv", Path(folder) / "apart.mkv"
                grade_video(source, picture, whole, settings)
                grade_video(source, picture, apart, settings, mask=data / "masks" / name, ref_mask=part)
                graded = {"whole": frames_of(whole), "apart": frames_of(apart)}
            rows = [distances(frames, masks, palettes.split) for frames in (before, graded["whole"], graded["apart"])]
            told = " | ".join(
                "  ".join(f"{'fb'[i % 2]} " + " -> ".join(f"{row[i]:5.1f}" for row in rows) for i in pair)
                for pair in ((0, 1), (2, 3))
            )
            print(f"{name:18} {reference[-6:]}: {told}", flush=True)
            steady.append(f"{name:18} {reference[-6:]}: {steady_line(steadiness, palettes, settings)}")
            lines.append(sheet_line(picture, before, masks, graded))
    head = f"{'edit':>9}{'moves':>8}  edit-warp:{'whole':>7}{'apart':>8}{'floor':>8}{'over':>9}{'drift':>9}"
    print(f"\n{'inside the foreground':26}{head}")
    print("\n".join(steady))
    if asked.sheet is not None and lines:
        save_png(asked.sheet, np.concatenate(lines))


def steady_line(steadiness: Steadiness, palettes: Palettes, settings: Settings) -> str:
    whole = steadiness.of(Palettes(palettes.whole), settings)
    apart = steadiness.of(palettes, settings)
    fixed = steadiness.of(palettes, settings.updated(time__mode="shot"))
    return (
        f"{apart['edit']:8.4f}{apart['moves']:8.2f}{whole['warp']:19.3f}{apart['warp']:8.3f}{fixed['warp']:8.3f}"
        f"{apart['warp'] - fixed['warp']:+9.4f}{apart['drift']:9.4f}"
    )


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
