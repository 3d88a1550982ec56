"""A preview sheet: frames before and after, the reference, both palettes and scopes, 1280 pixels wide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamct.color.correspondence import Correspondence
from streamct.color.lab import lab_to_srgb8
from streamct.lettering import fitted, text_width, write
from streamct.model import FloatArray, IntArray, Palette
from streamct.scopes import parade, vectorscope

WIDTH = 1280
_BACK, _TEXT, _DIM = (40, 40, 40), (228, 228, 228), (160, 160, 160)
_MARGIN, _GAP = 16, 8
_SIDE = 348
_LETTERS, _SMALL = 11, 9
_LINE, _NEXT_LINE = 24, 19
_TALLEST = 390
_SCOPE = 172
_STRIP, _TARGETS, _LINKS = 34, 22, 54
_BETWEEN = " · "

Picture = NDArray[np.float32]
"""(h, w, 3) sRGB values, 0..1 nominal."""


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A frame before and after, of one size, and what its label says: its time. matte: (h, w) foreground weights
    0..255, None without a mask."""

    source: Picture
    graded: Picture
    label: str
    matte: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """Two palettes and how they meet.

    becomes: (k, 3) Lab, what the map makes of the source colours; their targets are what it draws them towards.
    region: "foreground", "background", or "" for the whole picture; of_reference: likewise, of the reference.
    """

    source: Palette
    reference: Palette
    correspondence: Correspondence
    becomes: FloatArray
    region: str = ""
    of_reference: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Heading:
    """What stands at the top of a sheet. settings: parts between dots, on as many lines as they take."""

    title: str
    settings: str


def outlined(picture: Picture, matte: NDArray[np.uint8] | None) -> Picture:
    """The picture (h, w, 3) with a line around the foreground of `matte` (h, w), light inside and dark outside; of
    what is foreground by half or more. Without a matte it is the picture itself."""
    if matte is None:
        return picture
    inside = matte > 127
    around = np.pad(inside, 1, mode="edge")
    near = np.stack([around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]])
    out = picture.copy()
    out[inside & ~near.all(axis=0)] = 1
    out[~inside & near.any(axis=0)] = 0
    return out


def share_told(matte: NDArray[np.uint8] | None) -> str:
    """How much of a frame is foreground, for its label."""
    return "" if matte is None else f"  foreground {matte.mean() / 255:.0%}"


def cell_size(aspect: float, per_row: int) -> tuple[int, int]:
    """(width, height) of the largest picture of this aspect (width / height) in a row of so many."""
    room = (WIDTH - 2 * _MARGIN - _SIDE - 2 * _GAP - (per_row - 1) * _GAP) // per_row
    width = min(room, round(_TALLEST * aspect))
    return max(width, 1), max(round(width / aspect), 1)


def pictures_per_row(aspect: float) -> int:
    """How many pictures stand side by side: two, of upright ones four."""
    return 2 if aspect >= 1 else 4


def pair_sheet(
    heading: Heading, pairs: Sequence[Pair], reference: Picture, matches: Sequence[Match]
) -> NDArray[np.uint8]:
    """Each pair source | graded; beside them the reference and scopes of all three; below, the palettes. In the source
    the foreground is outlined.

    Pictures are drawn at their own size, which `cell_size` gives; the reference is scaled.

    Returns: (height, 1280, 3) uint8 sRGB.
    """
    aspect = pairs[0].source.shape[1] / pairs[0].source.shape[0]
    per_row = pictures_per_row(aspect)
    cells = []
    for pair in pairs:
        before = (outlined(pair.source, pair.matte), f"{pair.label}{share_told(pair.matte)}", _TEXT)
        cells += [before, (pair.graded, f"{pair.label}  graded", _TEXT)]
    left = _grid(cells, per_row)
    groups = [("source", [p.source for p in pairs]), ("graded", [p.graded for p in pairs]), ("reference", [reference])]
    right = np.concatenate([_captioned(fit(reference, _SIDE, _SIDE), "reference", _SIDE), _scopes(groups)])
    return _stacked(heading, left, right, matches)


def variant_sheet(
    heading: Heading, rows: Sequence[tuple[str, Picture, Sequence[tuple[str, Picture]]]], reference: Picture
) -> NDArray[np.uint8]:
    """A row of pictures for each frame (its time, its source, (variant's name, graded) ...), beside the reference."""
    aspect = rows[0][1].shape[1] / rows[0][1].shape[0]
    parts = []
    for label, source, graded in rows:
        cells = [(source, f"{label}  source", _TEXT), *((picture, name, _TEXT) for name, picture in graded)]
        parts.append(_grid(cells, variants_per_row(aspect)))
    right = _captioned(fit(reference, _SIDE, _SIDE), "reference", _SIDE)
    return _stacked(heading, np.concatenate(parts), right, ())


def variants_per_row(aspect: float) -> int:
    """How many pictures of a variant sheet stand side by side."""
    return 3 if aspect >= 1 else 5


def _canvas(height: int, width: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), _BACK, np.uint8)


def _codes(picture: Picture) -> NDArray[np.uint8]:
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def fit(picture: Picture, width: int, height: int) -> Picture:
    """The picture within width x height, by the mean of the source pixels near each place."""
    scale = min(width / picture.shape[1], height / picture.shape[0])
    columns, rows = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    return _resampled(_resampled(picture, rows).transpose(1, 0, 2), columns).transpose(1, 0, 2)


def _resampled(picture: Picture, rows: int) -> Picture:
    """To so many rows: means of boxes when there are fewer, linear when there are more."""
    have = picture.shape[0]
    if rows <= have:
        edges = np.linspace(0, have, rows + 1)
        low, high = np.floor(edges[:-1]).astype(int), np.maximum(np.ceil(edges[1:]).astype(int), 1)
        total = np.concatenate([np.zeros((1, *picture.shape[1:])), np.cumsum(picture, axis=0, dtype=np.float64)])
        return np.asarray((total[high] - total[low]) / (high - low)[:, None, None], np.float32)
    place = np.clip((np.arange(rows) + 0.5) * have / rows - 0.5, 0, have - 1)
    low = np.minimum(place.astype(int), max(have - 2, 0))
    part = (place - low)[:, None, None].astype(np.float32)
    return np.asarray(picture[low] * (1 - part) + picture[np.minimum(low + 1, have - 1)] * part)


def _captioned(picture: Picture, label: str, width: int) -> NDArray[np.uint8]:
    """A picture under its label, in the middle of `width` columns."""
    canvas = _canvas(picture.shape[0] + _LINE + _GAP, width)
    left = (width - picture.shape[1]) // 2
    write(canvas, fitted(label, _LETTERS, width), left, 8, _LETTERS, _TEXT)
    canvas[_LINE : _LINE + picture.shape[0], left : left + picture.shape[1]] = _codes(picture)
    return canvas


def _grid(cells: Sequence[tuple[Picture, str, tuple[int, int, int]]], per_row: int) -> NDArray[np.uint8]:
    room = WIDTH - 2 * _MARGIN - _SIDE - 2 * _GAP
    tall = max(picture.shape[0] for picture, _, _ in cells)
    wide = max(picture.shape[1] for picture, _, _ in cells)
    labels = [_wrapped(label, wide) for _, label, _ in cells]
    above = _LINE + _NEXT_LINE * (max(len(lines) for lines in labels) - 1)
    step = tall + above + _GAP
    canvas = _canvas(-(-len(cells) // per_row) * step, room)
    for index, (picture, _, colour) in enumerate(cells):
        top, left = index // per_row * step, index % per_row * (wide + _GAP)
        for number, line in enumerate(labels[index]):
            write(canvas, line, left, top + 8 + _NEXT_LINE * number, _LETTERS, colour)
        canvas[top + above : top + above + picture.shape[0], left : left + picture.shape[1]] = _codes(picture)
    return canvas


def _scopes(groups: Sequence[tuple[str, Sequence[Picture]]]) -> NDArray[np.uint8]:
    """For each group of pictures its parade, and its vectorscope beside it."""
    parts = []
    for name, pictures in groups:
        canvas = _canvas(_LINE + _SCOPE + 4, _SIDE)
        write(canvas, f"{name}: RGB parade, vectorscope", 0, 9, _SMALL, _DIM)
        across = _SIDE - _SCOPE - 4
        canvas[_LINE : _LINE + _SCOPE, :across] = parade(pictures, across, _SCOPE)
        canvas[_LINE : _LINE + _SCOPE, across + 4 :] = vectorscope(pictures, _SCOPE)
        parts.append(canvas)
    return np.concatenate(parts)


def _stacked(
    heading: Heading, left: NDArray[np.uint8], right: NDArray[np.uint8], matches: Sequence[Match]
) -> NDArray[np.uint8]:
    inner = WIDTH - 2 * _MARGIN
    middle = _canvas(max(len(left), len(right)), inner)
    middle[: len(left), : left.shape[1]] = left
    middle[: len(right), inner - _SIDE :] = right
    parts = [_heading(heading, inner), middle, *(_match(match, inner) for match in matches)]
    body = np.concatenate(parts)
    sheet = _canvas(len(body) + 2 * _MARGIN, WIDTH)
    sheet[_MARGIN : _MARGIN + len(body), _MARGIN : _MARGIN + inner] = body
    return sheet


def _wrapped(text: str, width: int) -> list[str]:
    """The text on lines of so many columns, broken between its parts; a part that is too long is shortened."""
    lines = [""]
    for part in text.split(_BETWEEN):
        longer = f"{lines[-1]}{_BETWEEN if lines[-1] else ''}{part}"
        if lines[-1] and text_width(longer, _LETTERS) > width:
            lines.append(part)
        else:
            lines[-1] = longer
    return [fitted(line, _LETTERS, width) for line in lines]


def _heading(heading: Heading, width: int) -> NDArray[np.uint8]:
    lines = _wrapped(heading.settings, width)
    canvas = _canvas(_LINE + 6 + _LINE * len(lines), width)
    write(canvas, fitted(heading.title, 14, width), 0, 2, 14, _TEXT)
    for number, line in enumerate(lines):
        write(canvas, line, 0, _LINE + 6 + _LINE * number, _LETTERS, _DIM)
    return canvas


def _match(match: Match, width: int) -> NDArray[np.uint8]:
    """The source palette over what its colours become, the reference palette below, a line from each to the
    reference colour nearest to its target; as wide as their weights."""
    canvas = _canvas(_LINE + _STRIP + _TARGETS + _LINKS + _STRIP + _LINE + _GAP, width)
    own_region, region = (f"{name} " if name else "" for name in (match.region, match.of_reference))
    write(canvas, f"source {own_region}palette, and what it becomes", 0, 8, _LETTERS, _TEXT)
    top = _LINE
    own, wanted = _edges(match.source, width), _edges(match.reference, width)
    _swatches(canvas[top : top + _STRIP], match.source.colours, own)
    top += _STRIP
    _swatches(canvas[top : top + _TARGETS], match.becomes, own)
    top += _TARGETS
    apart = np.linalg.norm(match.correspondence.targets[:, None] - match.reference.colours[None], axis=2)
    for i, j in enumerate(apart.argmin(axis=1)):
        colour = lab_to_srgb8(match.becomes[i])
        _link(canvas[top : top + _LINKS], (own[i] + own[i + 1]) / 2, (wanted[j] + wanted[j + 1]) / 2, colour)
    top += _LINKS
    _swatches(canvas[top : top + _STRIP], match.reference.colours, wanted)
    write(canvas, f"reference {region}palette", 0, top + _STRIP + 8, _LETTERS, _TEXT)
    note = "lines: the reference colour nearest to each target"
    write(canvas, note, width - text_width(note, _SMALL), top + _STRIP + 9, _SMALL, _DIM)
    return canvas


def _edges(palette: Palette, width: int) -> IntArray:
    least = 8
    widths = least + palette.weights * (width - least * len(palette))
    return np.asarray(np.rint(np.concatenate([[0], np.cumsum(widths)])), np.int64)


def _swatches(canvas: NDArray[np.uint8], colours: FloatArray, edges: IntArray) -> None:
    for colour, start, stop in zip(lab_to_srgb8(colours), edges[:-1], edges[1:], strict=True):
        canvas[:, start : max(stop - 1, start + 1)] = colour


def _link(canvas: NDArray[np.uint8], start: float, stop: float, colour: NDArray[np.uint8]) -> None:
    """A smooth line from column `start` at the top to `stop` at the bottom, drawn light where the colour is dark."""
    rows, columns = canvas.shape[:2]
    shade = np.maximum(colour.astype(np.float64), 112)
    t = np.linspace(0, 1, rows * 8)
    x = start + (stop - start) * t * t * (3 - 2 * t)
    # Points close enough for flat stretches as well: a step in x is filled.
    for row in range(rows):
        part = x[row * 8 : row * 8 + 9]
        low, high = int(part.min()), int(part.max()) + 2
        low, high = max(low, 0), min(high, columns)
        canvas[row, low:high] = np.rint(canvas[row, low:high] * 0.25 + shade * 0.75)
