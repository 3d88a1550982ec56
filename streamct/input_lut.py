"""LUT files that are read: .cube; and the one that comes before the grade, which turns camera log into Rec.709."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamct.color.cube import Cube
from streamct.color.cube_text import parse_cube
from streamct.errors import LutError
from streamct.media.source import Source
from streamct.model import Clip, ColorTags
from streamct.settings import Settings

_RGB, _BT709 = 0, 1  # of ITU-T H.273


def read_cube(path: Path) -> Cube:
    """The cube of a .cube file.

    Raises:
        LutError: missing, unreadable, of another format, or not as the format's specification has it.
    """
    if path.suffix.lower() != ".cube":
        raise LutError(f"{path}: is no .cube file; other LUT formats are not read. Export the LUT as .cube.")
    try:
        data = path.read_bytes()
    except OSError as cause:
        raise LutError(f"{path}: can't be read ({cause.strerror or cause}).") from cause
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # only titles and comments may hold more than ASCII, and any byte is one there
    return parse_cube(text, str(path))


def through_lut(clip: Clip, settings: Settings) -> Clip:
    """The clip as `settings.input.lut` shows it: its colours behind the LUT, tagged and written as Rec.709.

    Raises:
        LutError: see `read_cube`.
    """
    if settings.input.lut is None:
        return clip
    cube = read_cube(settings.input.lut)
    coding = replace(clip.coding, transfer="srgb", primaries="bt709", lut=cube.carried)
    tags = ColorTags(_RGB if coding.matrix == "rgb" else _BT709, _BT709, _BT709, clip.tags.range)
    return replace(clip, coding=coding, tags=tags, mastering=None, light=None)


def source_through_lut(source: Source, settings: Settings) -> Source:
    """The source with its clip `through_lut`."""
    return source if settings.input.lut is None else replace(source, clip=through_lut(source.clip, settings))


def picture_through_lut(rgb: NDArray[np.float32], settings: Settings) -> NDArray[np.float32]:
    """A picture (h, w, 3) behind `settings.input.lut`, where there is one.

    Raises:
        LutError: see `read_cube`.
    """
    if settings.input.lut is None:
        return rgb
    return read_cube(settings.input.lut).carried(rgb).astype(np.float32)
