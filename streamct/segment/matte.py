"""Mattes that the user gives: a picture for all frames, a folder of numbered pictures, or a video."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamct.color.proxy import box_means
from streamct.errors import InputError, MaskError
from streamct.media.image import list_pictures, read_picture
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.model import Clip

_STILL_ENDINGS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".avif", ".gif")
_REMEMBERED = 128
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


class Matte:
    """White is foreground, black background, grey in between. Other sizes are scaled to the clip's.

    path: a picture, a folder with one picture a frame, or a video with as many frames.

    Raises:
        MaskError: missing or unreadable.
    """

    name = "matte"

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise MaskError(f"{path}: no such mask. Check the path.")
        self._path = path
        self._lock = threading.Lock()
        self._held: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        self._source: _Still | _Folder | _Video
        if path.is_dir():
            self._source = _Folder(path)
        elif path.suffix.lower() in _STILL_ENDINGS:
            self._source = _Still(path)
        else:
            self._source = _Video(path)

    def begin(self, frames: int | None, width: int, height: int) -> None:
        """Check the number of masks where both numbers are known."""
        if frames is not None and self._source.count is not None:
            self._compare(frames)

    def mask(self, index: int, width: int, height: int) -> NDArray[np.uint8]:
        """The frame's matte at (height, width)."""
        with self._lock:
            key = index if self._source.count is not None or isinstance(self._source, _Video) else 0
            matte = self._held.get(key)
            if matte is None:
                matte = self._source.read(key)
                self._held[key] = matte
                if len(self._held) > _REMEMBERED:
                    self._held.popitem(last=False)
        return resized(matte, width, height)

    def end(self, frames: int) -> None:
        """Compare the numbers again, now that both are known, and close the file."""
        if isinstance(self._source, _Video):
            self._source.exhaust()
        if self._source.count is not None:
            self._compare(frames)

    def _compare(self, frames: int) -> None:
        if self._source.count != frames:
            raise MaskError(
                f"{self._path}: holds {self._source.count} masks, but the clip has {frames} frames. "
                "Give one mask a frame, or a single picture for all frames."
            )


class _Still:
    count = None

    def __init__(self, path: Path) -> None:
        self._matte = still_matte(path)

    def read(self, index: int) -> NDArray[np.uint8]:
        return self._matte


class _Folder:
    def __init__(self, path: Path) -> None:
        self._files = list_pictures(path)
        if not self._files:
            raise MaskError(f"{path}: holds no pictures. A mask folder has one picture a frame.")
        self._path = path
        self.count: int | None = len(self._files)

    def read(self, index: int) -> NDArray[np.uint8]:
        if index >= len(self._files):
            raise MaskError(
                f"{self._path}: holds {len(self._files)} masks, but the clip has more frames. Give one mask a frame."
            )
        return still_matte(self._files[index])


class _Video:
    def __init__(self, path: Path) -> None:
        try:
            self._clip = probe(path)
        except InputError as cause:
            raise MaskError(f"mask {cause}") from cause
        self.count: int | None = self._clip.frames
        self._path = path
        self._reader = Reader(self._clip)
        self._frames = _lumas(self._reader, self._clip)
        self._next = 0
        self._kept: dict[int, NDArray[np.uint8]] = {}

    def read(self, index: int) -> NDArray[np.uint8]:
        while self._next <= index:
            try:
                matte = next(self._frames, None)
            except InputError as cause:
                raise MaskError(f"mask {cause}") from cause
            if matte is None:
                raise MaskError(
                    f"{self._path}: holds {self._next} masks, but the clip has more frames. Give one mask a frame."
                )
            self._kept[self._next] = matte
            self._next += 1
        for old in [i for i in self._kept if i < index - _REMEMBERED]:
            del self._kept[old]
        return self._kept[index]

    def exhaust(self) -> None:
        try:
            while next(self._frames, None) is not None:
                self._next += 1
        except InputError as cause:
            raise MaskError(f"mask {cause}") from cause
        self.count = self._next
        self._reader.close()


def _lumas(reader: Reader, clip: Clip) -> Iterator[NDArray[np.uint8]]:
    scale = 1 << (clip.format.depth - 8)
    low, high = (0.0, 255.0) if clip.coding.full_range else (16.0, 235.0)
    for frame in reader:
        plane = frame.planes[0].astype(np.float32) / scale
        yield np.rint(np.clip((plane - low) * (255 / (high - low)), 0, 255)).astype(np.uint8)


def still_matte(path: Path) -> NDArray[np.uint8]:
    """A picture's luma as weights (h, w) 0..255.

    Raises:
        MaskError: it can't be read.
    """
    rgb = read_picture(path, MaskError).rgb
    return np.asarray(np.rint(np.clip(rgb @ _LUMA, 0, 1) * 255), np.uint8)


def resized(matte: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """`matte` at (height, width): means of boxes where it shrinks, bilinear where it grows."""
    rows, columns = matte.shape
    if (rows, columns) == (height, width):
        return matte
    if rows >= height and columns >= width:
        return np.asarray(np.rint(box_means(matte, width, height)), np.uint8)
    y, x = _positions(height, rows), _positions(width, columns)
    y0, x0 = y.astype(np.int64), x.astype(np.int64)
    y1, x1 = np.minimum(y0 + 1, rows - 1), np.minimum(x0 + 1, columns - 1)
    fy, fx = (y - y0)[:, None].astype(np.float32), (x - x0)[None].astype(np.float32)
    wide = matte.astype(np.float32)
    across0 = wide[y0][:, x0] * (1 - fx) + wide[y0][:, x1] * fx
    across1 = wide[y1][:, x0] * (1 - fx) + wide[y1][:, x1] * fx
    return np.asarray(np.rint(across0 * (1 - fy) + across1 * fy), np.uint8)


def _positions(size: int, source: int) -> NDArray[np.float64]:
    return np.clip((np.arange(size) + 0.5) * source / size - 0.5, 0, source - 1)
