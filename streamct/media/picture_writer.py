"""Frames -> numbered pictures, which appear together or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
import pyvips
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from streamct.errors import OutputError
from streamct.media.copied import CopiedStream
from streamct.media.files import beside, check_target, sweep, writing
from streamct.media.formats import convert
from streamct.media.image_read import Picture
from streamct.media.image_write import picture_bytes
from streamct.media.output import OutputPlan
from streamct.media.reader import plane_views
from streamct.media.sequence import SEQUENCE, Pattern, pattern_of
from streamct.model import Clip, Frame, PixelFormat

_WEIGHTS = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
    "smpte240m": (0.212, 0.087),
}
"""Of red and blue in Y' (ITU-R BT.601, BT.709, BT.2020)."""


def output_pattern(path: Path) -> Pattern:
    """The pattern that an output is known to be."""
    pattern = pattern_of(path)
    assert pattern is not None
    return pattern


def first_number(clip: Clip) -> int:
    """The first picture's: as in the input where that is numbered pictures, else 1."""
    pattern = pattern_of(clip.path) if clip.container == SEQUENCE else None
    return 1 if pattern is None else pattern.numbers()[0]


def check_pictures(clip: Clip, path: Path, others: tuple[Path, ...], overwrite: bool) -> None:
    """Refuse a pattern whose files exist without leave, or are inputs of the run, or a folder not to be written to.

    others: further inputs.

    Raises:
        OutputError: any of these.
    """
    pattern = output_pattern(path)
    first = first_number(clip)
    check_target(pattern.path(first), (), overwrite=True)
    there = pattern.numbers()
    inputs = set(others)
    if (own := pattern_of(clip.path) if clip.container == SEQUENCE else None) is not None:
        inputs |= {own.path(number) for number in own.numbers()}
    inputs = {entry.resolve() for entry in inputs}
    for number in there:
        if pattern.path(number).resolve() in inputs:
            raise OutputError(
                f"{pattern.path(number)}: is an input of this run; an input is never overwritten. Name another output."
            )
    if there and not overwrite:
        more = f" and {len(there) - 1} more exist" if len(there) > 1 else " exists"
        raise OutputError(
            f"{pattern.path(there[0])}{more} already. Pass --overwrite (-y) to replace them, or name another output."
        )


@contextmanager
def pictures_whole(path: Path, overwrite: bool) -> Iterator[Path]:
    """A temporary folder beside the pictures of a pattern; they take their places when the block ends well.

    If one can't, those before it are taken back and what they replaced is restored. Leftovers of processes that no
    longer live are removed first.

    Raises:
        OutputError: no space, or the folder can't be written to.
    """
    sweep(path.parent, path)
    temporary = beside(path)
    try:
        with writing(path):
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
        yield temporary
        with writing(path):
            _put(temporary, path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put(source: Path, target: Path) -> None:
    old = source / "old"
    old.mkdir()
    done: list[str] = []
    try:
        for name in sorted(entry.name for entry in source.iterdir() if entry != old):
            if (target / name).exists():
                os.replace(target / name, old / name)
            done.append(name)
            os.replace(source / name, target / name)
    except BaseException:
        for name in done:
            with suppress(OSError):
                (target / name).unlink(missing_ok=True)
                if (old / name).exists():
                    os.replace(old / name, target / name)
        raise


class PictureWriter:
    """Writes graded frames as pictures into a folder, with the same face as `Writer`.

    Deep frames become 16 bits a sample where the format has them. Y'CbCr becomes R'G'B' by the clip's matrix.

    Raises:
        OutputError: a picture can't be written.
    """

    index = 0
    copied: tuple[CopiedStream, ...] = ()

    def __init__(self, clip: Clip, plan: OutputPlan, folder: Path, quality: int) -> None:
        self._clip = clip
        self._plan = plan
        self._folder = folder
        self._pattern = output_pattern(plan.path)
        self._first = first_number(clip)
        self._quality = quality
        self._converter = VideoReformatter()
        self._written: list[str] = []
        self.times: list[int] = []
        self.encoded: list[Fraction] = []
        self.notes: tuple[str, ...] = ()

    def __enter__(self) -> PictureWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def allocate(self, frame: Frame) -> Frame:
        """A frame like `frame` with memory of its own, to be filled."""
        clip = self._clip
        picture = av.VideoFrame(clip.width, clip.height, clip.format.name)
        planes = plane_views(picture, clip.format)
        return Frame(
            planes, clip.format, frame.index, frame.pts, clip.time_base, frame.duration, frame.key, owner=picture
        )

    def write(self, frame: Frame) -> None:
        """Write the next picture."""
        clip = self._clip
        number = self._first + (frame.pts if clip.container == SEQUENCE else frame.index)
        path = self._pattern.path(number)
        rgb, alpha = self._rgb(frame)
        like = Picture(path, rgb, alpha, 8 if clip.format.depth == 8 else 16)
        data, notes = picture_bytes(path, rgb, like, self._quality)
        with writing(path):
            (self._folder / path.name).write_bytes(data)
        self._written.append(path.name)
        self.times.append(frame.pts)
        kept = {note.replace(path.name, self._plan.path.name): None for note in notes}
        self.notes = tuple(dict.fromkeys([*self.notes, *kept]))

    def close(self) -> None:
        """Bring what was written to the disk, and tell what else lies under the pattern's names."""
        stale = [
            path.name for path in map(self._pattern.path, self._pattern.numbers()) if path.name not in self._written
        ]
        if stale:
            more = f" and {len(stale) - 1} more are" if len(stale) > 1 else " is"
            self.notes = (*self.notes, f"{self._pattern.path(0).parent}: {stale[0]}{more} not of this run")
        with writing(self._plan.path):
            for name in self._written:
                descriptor = os.open(self._folder / name, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)

    def verify(self) -> None:
        """Open all pictures, decode the first and the last.

        Raises:
            OutputError: naming what is wrong.
        """
        size = (self._clip.width, self._clip.height)
        try:
            for name in self._written:
                image = pyvips.Image.new_from_file(str(self._folder / name), fail_on="error")
                if (image.width, image.height) != size:
                    raise self._failed(f"{name} is {image.width}x{image.height} instead of {size[0]}x{size[1]} pixels")
                if name in (self._written[0], self._written[-1]):
                    image.avg()
        except pyvips.Error as cause:
            raise self._failed(f"{name} can't be read back") from cause

    def _failed(self, what: str) -> OutputError:
        return OutputError(f"{self._plan.path}: the pictures did not pass their check: {what}. Nothing was replaced.")

    def _rgb(self, frame: Frame) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """R'G'B' (h, w, 3), 0..1, and alpha."""
        layout, planes = frame.format, frame.planes
        top = np.float32((1 << layout.depth) - 1)
        alpha = planes[3].astype(np.float32) / top if layout.alpha else None
        if layout.rgb:
            green, blue, red = (plane.astype(np.float32) / top for plane in planes[:3])
            return np.stack([red, green, blue], axis=-1), alpha
        if layout.sub_x or layout.sub_y:
            name = f"yuv{'a' if layout.alpha else ''}444p{'' if layout.depth == 8 else f'{layout.depth}le'}"
            whole = convert(frame.owner, name, self._clip.coding, self._converter)
            planes = plane_views(whole, PixelFormat(name, layout.depth, 0, 0, alpha=layout.alpha))
        return self._matrixed(planes, layout.depth), alpha

    def _matrixed(self, planes: tuple[NDArray[np.generic], ...], depth: int) -> NDArray[np.float32]:
        """R'G'B' of Y', Cb, Cr codes at full size (ITU-T H.273, equations 38 to 46 the other way)."""
        coding = self._clip.coding
        unit = 1 << (depth - 8)
        top = np.float32((1 << depth) - 1)
        low, luma_range, chroma_range = (0, top, top) if coding.full_range else (16 * unit, 219 * unit, 224 * unit)
        y = (planes[0].astype(np.float32) - np.float32(low)) / np.float32(luma_range)
        cb, cr = ((p.astype(np.float32) - np.float32(128 * unit)) / np.float32(chroma_range) for p in planes[1:3])
        red_weight, blue_weight = _WEIGHTS[coding.matrix]
        red = y + np.float32(2 * (1 - red_weight)) * cr
        blue = y + np.float32(2 * (1 - blue_weight)) * cb
        green = (y - np.float32(red_weight) * red - np.float32(blue_weight) * blue) / np.float32(
            1 - red_weight - blue_weight
        )
        return np.stack([red, green, blue], axis=-1)
