"""Numbered pictures and animated WebP as clips.

Pictures are read by `streamct.media.image`: profiles turned into sRGB, EXIF orientation applied. Frames are planar
R'G'B' of 8 bits for pictures of 8, of 12 for deeper ones, the most that Luts take.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamct.errors import DamagedInputError, InputError, NoVideoError, UsageError
from streamct.media.formats import DIRECT
from streamct.media.image_read import PICTURE_EXTENSIONS, Animation, Picture, read_picture
from streamct.model import Clip, Coding, ColorTags, Frame, Plane

SEQUENCE = "sequence"
"""Container of a clip, or of an output, that is numbered pictures."""
DEFAULT_RATE = Fraction(24)
_NUMBER = re.compile(r"%(?:0(\d+))?d")
_SRGB = ColorTags(matrix=0, primaries=1, transfer=13, range=2)
_NTSC = {"23.976": 24, "29.97": 30, "47.952": 48, "59.94": 60, "119.88": 120}
_CODECS = {".jpg": "mjpeg", ".jpeg": "mjpeg", ".tif": "tiff"}
_MILLISECOND = Fraction(1, 1000)


@dataclass(frozen=True, slots=True)
class Pattern:
    """File names with a number, such as `frame_%05d.png`: at least `digits` digits between `before` and `after`."""

    folder: Path
    before: str
    digits: int
    after: str

    def path(self, number: int) -> Path:
        """The file of this number."""
        return self.folder / f"{self.before}{number:0{self.digits}d}{self.after}"

    def numbers(self) -> list[int]:
        """Of the files that there are, ascending."""
        name = re.compile(rf"{re.escape(self.before)}(\d+){re.escape(self.after)}")
        try:
            found = [(int(match[1]), entry) for entry in self.folder.iterdir() if (match := name.fullmatch(entry.name))]
        except OSError:
            return []
        return sorted(number for number, entry in found if self.path(number) == entry)


def pattern_of(path: Path) -> Pattern | None:
    """The pattern that a path is, None for a plain name."""
    match = _NUMBER.search(path.name)
    if match is None:
        return None
    return Pattern(path.parent, path.name[: match.start()], int(match[1] or 1), path.name[match.end() :])


def frames_a_second(rate: Fraction | float | str | None) -> Fraction:
    """A rate as a user writes it: 24, 23.976 (24000/1001 is meant), 30000/1001.

    Raises:
        UsageError: it is no such number.
    """
    if rate is None:
        return DEFAULT_RATE
    try:
        found = Fraction(_NTSC[str(rate)] * 1000, 1001) if str(rate) in _NTSC else Fraction(str(rate))
    except (ValueError, ZeroDivisionError) as cause:
        raise UsageError(
            f"--rate {rate}: is not a number of frames a second. Write 24, 23.976 or 24000/1001."
        ) from cause
    if not 0 < found <= 1000:
        raise UsageError(f"--rate {rate}: must be above 0 and at most 1000 frames a second.")
    return found


class Pictures(Protocol):
    """Pictures that follow each other in time."""

    def __len__(self) -> int:
        """How many there are."""

    def name(self, index: int) -> str:
        """What messages call one of them."""

    def time(self, index: int) -> tuple[int, int]:
        """When one is shown and for how long, in ticks."""

    def read(self, index: int) -> Picture:
        """Decode one.

        Raises:
            DamagedInputError: it can't be read.
        """


class Numbered:
    """The pictures of a pattern, one tick each.

    Raises:
        InputError: there are none, their ending is no picture's, or a number is missing.
    """

    def __init__(self, path: Path, pattern: Pattern) -> None:
        if path.suffix.lower() not in PICTURE_EXTENSIONS:
            raise InputError(f"{path}: no pictures by this ending are known. Use {', '.join(PICTURE_EXTENSIONS)}.")
        numbers = pattern.numbers()
        if not numbers:
            raise InputError(f"{path}: no file fits this pattern, such as {pattern.path(1).name}. Check the name.")
        missing = sorted(set(range(numbers[0], numbers[-1])) - set(numbers))
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise InputError(
                f"{path}: {pattern.path(missing[0]).name} is missing{more}, of {pattern.path(numbers[0]).name} to "
                f"{pattern.path(numbers[-1]).name}. Restore it, or number the pictures without gaps."
            )
        self.first = numbers[0]
        self._paths = [pattern.path(number) for number in numbers]

    def __len__(self) -> int:
        return len(self._paths)

    def name(self, index: int) -> str:
        return str(self._paths[index])

    def time(self, index: int) -> tuple[int, int]:
        return index, 1

    def read(self, index: int) -> Picture:
        return read_picture(self._paths[index], DamagedInputError)


class Animated:
    """The pictures of an animated WebP, each for as many milliseconds as it says."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._animation = Animation(path)
        ends = np.cumsum(self._animation.durations).tolist()
        self._times = list(zip([0, *ends], self._animation.durations, strict=False))

    def __len__(self) -> int:
        return len(self._times)

    def name(self, index: int) -> str:
        return f"{self._path}: picture {index + 1}"

    def time(self, index: int) -> tuple[int, int]:
        return self._times[index]

    def read(self, index: int) -> Picture:
        return self._animation.read(index)


def probe_sequence(path: Path, pattern: Pattern, rate: Fraction) -> tuple[Clip, Numbered]:
    """The clip that numbered pictures are.

    Raises:
        InputError: see `Numbered`. DamagedInputError: the first one can't be read.
    """
    pictures = Numbered(path, pattern)
    ending = path.suffix.lower()
    codec = _CODECS.get(ending, ending[1:])
    return _clip(path, pictures, 1 / rate, rate, codec, SEQUENCE), pictures


def probe_animation(path: Path) -> tuple[Clip, Animated]:
    """The clip that a WebP file is, moving or not.

    Raises:
        InputError, NoVideoError: it can't be read.
    """
    pictures = Animated(path)
    if not len(pictures):
        raise NoVideoError(f"{path}: holds no picture. Export it again.")
    start, length = pictures.time(len(pictures) - 1)
    rate = Fraction(len(pictures) * 1000, start + length)
    return _clip(path, pictures, _MILLISECOND, rate, "webp", "webp"), pictures


def _clip(path: Path, pictures: Pictures, tick: Fraction, rate: Fraction, codec: str, container: str) -> Clip:
    first = pictures.read(0)
    height, width = first.rgb.shape[:2]
    deep = first.depth > 8
    layout = DIRECT[f"gbr{'' if first.alpha is None else 'a'}p{'12le' if deep else ''}"]
    start, length = pictures.time(len(pictures) - 1)
    return Clip(
        path=path, stream=0, width=width, height=height, time_base=tick, frames=len(pictures), rate=rate, codec=codec,
        container=container, source_format="rgb48le" if deep else "rgb24", format=layout,
        coding=Coding("rgb", True), tags=_SRGB, duration=(start + length) * tick,
    )  # fmt: skip


class PictureReader:
    """Pictures -> Frames, as `Reader` does for a video. Use as a context manager and iterate once.

    tolerate: show the picture before again for what can't be read, so that none is missing, and tell it in `warnings`.

    Raises (while iterating):
        DamagedInputError: a picture can't be read; tolerated: none can. InputError: one is of another size.
    """

    def __init__(self, clip: Clip, pictures: Pictures, tolerate: bool = False) -> None:
        self._clip = clip
        self._pictures = pictures
        self._tolerate = tolerate
        self.warnings: list[str] = []

    def __enter__(self) -> PictureReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is held open."""

    def __iter__(self) -> Iterator[Frame]:
        clip = self._clip
        picture: Picture | None = None
        for index in range(len(self._pictures)):
            try:
                picture = self._pictures.read(index)
            except DamagedInputError as error:
                if not self._tolerate:
                    raise DamagedInputError(f"{error} Or grade the others with --tolerate-corrupt.") from error
                if picture is None:
                    raise
                self._warn(f"{error} The picture before it takes its place.")
            else:
                self._check(index, picture)
            pts, length = self._pictures.time(index)
            yield Frame(_planes(picture, clip), clip.format, index, pts, clip.time_base, length, key=True)

    def _check(self, index: int, picture: Picture) -> None:
        clip, name = self._clip, self._pictures.name(index)
        height, width = picture.rgb.shape[:2]
        if (width, height) != (clip.width, clip.height):
            raise InputError(
                f"{name}: is {width}x{height}, the first picture {clip.width}x{clip.height}. Scale them to one size."
            )
        for phrase in picture.lost:
            self._warn(f"{clip.path}: {phrase}")
        if (picture.depth > 8) and clip.format.depth == 8:
            self._warn(f"{name}: has {picture.depth} bits a sample, the first picture 8; all are graded at 8")
        if picture.alpha is not None and not clip.format.alpha:
            self._warn(f"{name}: has transparency, the first picture none; it is left out")
        if picture.rgb.min() < -_BEYOND or picture.rgb.max() > 1 + _BEYOND:
            self._warn(f"{clip.path}: colours beyond sRGB are clipped to it")

    def _warn(self, line: str) -> None:
        if line not in self.warnings:
            self.warnings.append(line)


_BEYOND = 1 / 510


def _planes(picture: Picture, clip: Clip) -> tuple[Plane, ...]:
    layout = clip.format
    red, green, blue = (picture.rgb[..., band] for band in range(3))
    bands: list[NDArray[np.float32]] = [green, blue, red]
    if layout.alpha:
        bands.append(np.ones_like(green) if picture.alpha is None else picture.alpha)
    top = np.float32((1 << layout.depth) - 1)
    return tuple(np.rint(np.clip(band, 0, 1) * top).astype(layout.dtype) for band in bands)
