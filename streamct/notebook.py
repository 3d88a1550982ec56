"""How palettes, reports and looks show themselves in a notebook: small HTML and PNG, without any library."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from streamct.color.lab import coded_to_lab, lab_to_srgb, lab_to_srgb8
from streamct.color.proxy import picture_proxy_rgb, planes_proxy_rgb, proxy_size
from streamct.errors import StreamctError
from streamct.media.excerpts import Excerpt
from streamct.media.image import PICTURE_EXTENSIONS, encode_png, read_picture
from streamct.media.probe import probe
from streamct.segment.upright import quarter_turns

if TYPE_CHECKING:
    from streamct.color.cube import Cube
    from streamct.model import Palette, Report

_WIDTH, _HEIGHT = 640, 48
_LEAST = 4
_PATCHES, _ROWS, _PATCH = 24, 9, 14
_GAP = 12


def hex_codes(palette: Palette) -> list[str]:
    """The palette's colours as `#rrggbb`; what lies outside sRGB is clipped."""
    return ["#{:02x}{:02x}{:02x}".format(*colour) for colour in lab_to_srgb8(palette.colours).tolist()]


def palette_png(palette: Palette) -> bytes:
    """A strip of swatches, each as wide as its weight."""
    widths = _LEAST + palette.weights * (_WIDTH - _LEAST * len(palette))
    edges = np.rint(np.concatenate([[0], np.cumsum(widths)])).astype(int)
    strip = np.zeros((_HEIGHT, _WIDTH, 3), np.uint8)
    for colour, left, right in zip(lab_to_srgb8(palette.colours), edges[:-1], edges[1:], strict=True):
        strip[:, left:right] = colour
    return encode_png(strip)


def palette_html(palette: Palette) -> str:
    """The strip, whose swatches tell their colour under the pointer."""
    swatches = []
    for code, lab, weight in zip(hex_codes(palette), palette.colours.tolist(), palette.weights.tolist(), strict=True):
        told = f"{code}  L* {lab[0]:.1f}  a* {lab[1]:.1f}  b* {lab[2]:.1f}  {weight:.1%}"
        swatches.append(f'<div title="{told}" style="flex:{weight:.4f} 0 4px;background:{code}"></div>')
    return (
        f'<div style="display:flex;width:{_WIDTH}px;height:{_HEIGHT}px;max-width:100%">{"".join(swatches)}</div>'
        f"<small>{len(palette)} colours, heaviest first</small>"
    )


def cube_png(cube: Cube) -> bytes:
    """Hues from dark to light and a ramp of greys, and what the cube makes of them below."""
    before = _patches()
    after = np.clip(cube(before), 0, 1)
    gap = np.ones((_GAP, before.shape[1] * _PATCH, 3))
    parts = [np.repeat(np.repeat(part, _PATCH, axis=0), _PATCH, axis=1) for part in (before, after)]
    return encode_png(np.rint(np.concatenate([parts[0], gap, parts[1]]) * 255).astype(np.uint8))


def report_html(report: Report) -> str:
    """What was done, and a picture of what came out: the picture, a frame of the video, or what the look does."""
    rows: dict[str, Any] = {
        "input": report.input.name,
        "reference": report.reference.name,
        "output": report.output,
        "frames": report.frames,
        "seconds": f"{report.seconds:.1f}",
        "segmenter": report.segmenter,
        **{key: value for key, value in report.details.items() if not isinstance(value, Mapping)},
    }
    if report.warnings:
        rows["said"] = "; ".join(report.warnings)
    cells = "".join(
        f'<tr><th style="text-align:left">{html.escape(key)}</th>'
        f'<td style="text-align:left">{html.escape(str(value))}</td></tr>'
        for key, value in rows.items()
    )
    return f"{_picture_html(report.output)}<table>{cells}</table>"


def _picture_html(path: Path) -> str:
    """A picture of an output file; nothing where it is gone or there is none to be had."""
    try:
        png = _picture_of(path)
    except (StreamctError, OSError):
        return ""
    if png is None:
        return ""
    data = base64.b64encode(png).decode()
    return f'<img alt="{html.escape(path.name)}" style="max-width:100%" src="data:image/png;base64,{data}">'


def _picture_of(path: Path) -> bytes | None:
    ending = path.suffix.lower()
    if not path.is_file():
        return None
    if ending == ".cube":
        from streamct.input_lut import read_cube

        return cube_png(read_cube(path))
    if ending in PICTURE_EXTENSIONS:
        rgb = read_picture(path).rgb
        if ending == ".png" and rgb.shape[1] <= 2 * _WIDTH:
            return path.read_bytes()
        width, height = proxy_size(rgb.shape[1], rgb.shape[0], _WIDTH)
        return encode_png(_codes(picture_proxy_rgb(rgb, width, height)))
    if ending in (".3dl", ".cdl"):
        return None
    return encode_png(_codes(_middle_frame(path)))


def _middle_frame(path: Path) -> NDArray[np.floating]:
    clip = probe(path)
    with Excerpt(clip) as excerpt:
        frame = next(iter(excerpt.frames((clip.duration or Fraction(0)) / 2)), None)
        if frame is None:
            frame = next(iter(excerpt.frames(Fraction(0))))
        squared = max(1, round(clip.width * (clip.sample_aspect or Fraction(1))))
        width, height = proxy_size(squared, clip.height, _WIDTH)
        rgb = planes_proxy_rgb(frame.planes, clip.format, clip.coding, min(width, clip.width), height)
    if (clip.coding.transfer, clip.coding.primaries) != ("srgb", "bt709"):
        rgb = lab_to_srgb(coded_to_lab(rgb, clip.coding))
    return np.rot90(rgb, quarter_turns(clip.display_matrix))


def _codes(rgb: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.asarray(np.rint(np.clip(rgb, 0, 1) * 255), np.uint8)


def _patches() -> NDArray[np.float64]:
    """(rows, patches, 3) R'G'B': saturated hues from dark to light, the last row grey from black to white."""
    hue = np.arange(_PATCHES) / _PATCHES * 6
    red, green, blue = np.abs(hue - 3) - 1, 2 - np.abs(hue - 2), 2 - np.abs(hue - 4)
    pure = np.clip(np.stack([red, green, blue], axis=-1), 0, 1)
    rows = []
    for row in range(_ROWS - 1):
        share = (row + 1) / (_ROWS / 2)
        rows.append(pure * share if share <= 1 else 1 - (1 - pure) * (2 - share))
    rows.append(np.repeat(np.linspace(0, 1, _PATCHES)[:, None], 3, axis=1))
    return np.stack(rows)
