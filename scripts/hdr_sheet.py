"""Grade HDR clips with references and make one sheet of them, toned down to what an SDR screen shows.

    python scripts/hdr_sheet.py OUT.png --refs REF [REF ...] --clips CLIP [CLIP ...]

A row a clip and reference: two frames before and after, beside the reference. Printed for each: mean L* before and
after, L* of diffuse white (100) after, the largest shift in a, b where the source has L* < 3, the share of pixels with
a channel at its highest code, and whether tags and HDR metadata are the same. Grades are lossless (FFV1), made in a
temporary folder. CLIP may be a folder of clips.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from streamct.color.coding import code_to_rgb
from streamct.color.lab import coded_to_lab
from streamct.color.proxy import box_means, picture_proxy_rgb, planes_proxy_rgb, proxy_size
from streamct.color.shown import shown
from streamct.errors import StreamctError
from streamct.media.image import read_picture, save_png
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.model import Clip, FloatArray, Frame
from streamct.pipeline import grade_video
from streamct.settings import Settings

_CELL = (360, 204)


def moments(clip: Clip) -> list[Frame]:
    with Reader(clip) as reader:
        frames = list(reader)
    return [frames[len(frames) // 4], frames[3 * len(frames) // 4]]


def cell(rgb: FloatArray) -> np.ndarray:
    out = np.full((_CELL[1], _CELL[0], 3), 32, np.uint8)
    out[: rgb.shape[0], : rgb.shape[1]] = np.rint(np.clip(rgb, 0, 1) * 255)
    return out


def picture(frame: Frame, clip: Clip) -> np.ndarray:
    scale = min(_CELL[0] / clip.width, _CELL[1] / clip.height)
    size = max(1, int(clip.width * scale)), max(1, int(clip.height * scale))
    return cell(shown(planes_proxy_rgb(frame.planes, clip.format, clip.coding, *size), clip.coding))


def colours(frame: Frame, clip: Clip) -> tuple[FloatArray, FloatArray]:
    """R'G'B' and L*a*b* at the size of the chroma planes."""
    height, width = frame.planes[1].shape
    units = np.stack([box_means(plane, width, height) for plane in frame.planes[:3]], axis=-1)
    rgb = code_to_rgb(units / (1 << (clip.format.depth - 8)), clip.coding, clip.format.depth).reshape(-1, 3)
    return rgb, coded_to_lab(rgb, clip.coding)


def row(path: Path, reference: Path) -> np.ndarray:
    clip = probe(path)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "graded.mkv"
        grade_video(path, reference, out, Settings().updated(output__codec="ffv1"))
        graded = probe(out)
        cells, before, after = [], [], []
        for source, result in zip(moments(clip), moments(graded), strict=True):
            cells += [picture(source, clip), picture(result, graded)]
            before.append(colours(source, clip))
            after.append(colours(result, graded))
    (rgb, lab), (mapped, moved) = (
        tuple(np.concatenate(part) for part in zip(*parts, strict=True)) for parts in (before, after)
    )
    black = lab[:, 0] < 3
    white = np.abs(lab[:, 0] - 100) < 5
    tint = np.hypot(*(moved - lab)[black, 1:].T)
    top = [(part >= 0.999).any(axis=1).mean() for part in (rgb, mapped)]
    same = all(
        getattr(clip, name) == getattr(graded, name) for name in ("tags", "coding", "format", "mastering", "light")
    )
    print(
        f"{path.name:28}{reference.name:26} L* {lab[:, 0].mean():6.1f} -> {moved[:, 0].mean():6.1f}"
        f"  white {moved[white, 0].mean() if white.any() else np.nan:6.1f}"
        f"  highest {lab[:, 0].max():6.1f} -> {moved[:, 0].max():6.1f}"
        f"  tint of blacks {tint.max() if black.any() else np.nan:5.2f}"
        f"  at the top {top[0]:7.3%} -> {top[1]:7.3%}  tags {'same' if same else 'DIFFER'}",
        flush=True,
    )
    rgb_reference = read_picture(reference).rgb
    size = proxy_size(rgb_reference.shape[1], rgb_reference.shape[0], _CELL[1])
    cells.append(cell(picture_proxy_rgb(rgb_reference, *size)))
    return np.concatenate([np.pad(c, ((2, 2), (2, 2), (0, 0))) for c in cells], axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sheet", metavar="OUT.png", type=Path)
    parser.add_argument("--refs", metavar="REF", type=Path, nargs="+", required=True)
    parser.add_argument("--clips", metavar="CLIP", type=Path, nargs="+", required=True)
    asked = parser.parse_args()
    clips = [file for clip in asked.clips for file in (sorted(clip.iterdir()) if clip.is_dir() else [clip])]
    if not clips:
        parser.error(f"{' '.join(map(str, asked.clips))}: no clips in there")
    try:
        rows = [row(clip, reference) for clip in clips for reference in asked.refs]
        save_png(asked.sheet, np.concatenate(rows))
    except StreamctError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
