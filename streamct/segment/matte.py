"""Mattes that the user gives: a picture for all frames, a folder of numbered pictures, or a video."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Generator
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamct.color.proxy import box_means
from streamct.errors import InputError, MaskError
from streamct.media.image import PICTURE_EXTENSIONS, list_pictures, read_picture
from streamct.media.passage_reader import PassageReader
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.media.timeline import Passage, Timeline, timeline_of
from streamct.model import Clip
from streamct.segment.class_map import coloured_map, grey_map, is_grey_map
from streamct.segment.upright import as_shown, as_stored, quarter_turns, stretched_over_clip

_HELD_BYTES = 1 << 27
"""Mattes kept for the moment when their frame is rendered: 64 of 1080p. What is needed later is read again."""
_FEWEST = 4
_LOOKED_AT = 5
"""Pictures of a folder by which it is told what they are."""
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


class Matte:
    """White is foreground, black background, grey in between; of class maps all but background is foreground. Other
    sizes are scaled to the clip's. They are taken as the clip is shown, upright, and given as it is stored.

    path: a picture, a folder with one picture a frame, or a video with as many frames. way: of a video, to the mattes
    that will be asked for; None: from its first. threads: of its decoder, None for its own choice.

    Raises:
        MaskError: missing or unreadable.
    """

    name = "matte"

    def __init__(self, path: Path, way: Passage | None = None, threads: int | None = None) -> None:
        if not path.exists():
            numbered = " Numbered masks are named by their folder." if "%" in path.name else ""
            raise MaskError(f"{path}: no such mask. Check the path.{numbered}")
        self.path = path
        self._source: _Still | _Folder | _Video
        if path.is_dir():
            self._source = _Folder(path)
        elif path.suffix.lower() in PICTURE_EXTENSIONS:
            self._source = _Still(path)
        else:
            self._source = _Video(path, way, threads)
        self._matrix: tuple[int, ...] | None = None
        self._misfit = ""

    def suit(self, clip: Clip) -> None:
        """Turn them as a clip is stored, and note where they have another shape."""
        self._matrix = clip.display_matrix
        self._misfit = stretched_over_clip(self.path, self._source.size, clip)

    def timeline(self) -> Timeline | None:
        """Of a video, to find ways in it; None where its packets don't tell, and for pictures, which need none."""
        return timeline_of(self._source.clip) if isinstance(self._source, _Video) else None

    @property
    def told(self) -> str:
        """What the user should know of how it is read; empty for a matte as it should be."""
        return "; ".join(line for line in (self._source.told, self._misfit) if line)

    @property
    def count(self) -> int | None:
        """How many there are; None: one for all, or not known."""
        return self._source.count

    @property
    def counted(self) -> bool:
        """Whether it is known from the start how many frames it serves."""
        return self._source.count is not None or isinstance(self._source, _Still)

    def begin(self, frames: int | None, width: int, height: int) -> None:
        """Check the number of masks where both numbers are known."""
        if frames is not None and self._source.count is not None:
            self._compare(frames)

    def mask(self, index: int, width: int, height: int) -> NDArray[np.uint8]:
        """The frame's matte at (height, width) of the stored picture."""
        return resized(as_stored(self._source.read(index), self._matrix), width, height)

    def end(self, frames: int) -> None:
        """Compare the numbers again, now that both are known, and close the file."""
        self._source.end()
        if self._source.count is not None:
            self._compare(frames)

    def close(self) -> None:
        """Let go of a video and its decoders; what is asked for afterwards opens it again."""
        self._source.close()

    def _compare(self, frames: int) -> None:
        if self._source.count != frames:
            raise MaskError(
                f"{self.path}: holds {self._source.count} masks, but the clip has {frames} frames. "
                "Give one mask a frame, or a single picture for all frames; "
                "masks of a part serve the same --from and --to."
            )


class _Held:
    """The latest mattes, as many as fit into `_HELD_BYTES`."""

    def __init__(self) -> None:
        self._mattes: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        self._bytes = 0

    def get(self, index: int) -> NDArray[np.uint8] | None:
        return self._mattes.get(index)

    def put(self, index: int, matte: NDArray[np.uint8], share: int = 1) -> None:
        if index not in self._mattes:
            self._bytes += matte.nbytes
        self._mattes[index] = matte
        while self._bytes > _HELD_BYTES // share and len(self._mattes) > _FEWEST:
            self._bytes -= self._mattes.popitem(last=False)[1].nbytes


class _Still:
    count = None

    def __init__(self, path: Path) -> None:
        self._matte, self.told = read_matte(path)
        self.size = self._matte.shape[1], self._matte.shape[0]

    def read(self, index: int) -> NDArray[np.uint8]:
        return self._matte

    def end(self) -> None:
        pass

    def close(self) -> None:
        pass


def _refuse_gaps(folder: Path, files: list[Path]) -> None:
    """Numbered masks have to be numbered without a gap: behind one, each would serve the wrong frame."""
    found = [re.findall(r"\d+", file.stem) for file in files]
    if not all(found):
        return
    numbers = [int(digits[-1]) for digits in found]
    for before, after in pairwise(numbers):
        if after > before + 1:
            raise MaskError(
                f"{folder}: there is no mask between the numbers {before} and {after}. Add what is missing."
            )


class _Folder:
    def __init__(self, path: Path) -> None:
        try:
            self._files = list_pictures(path)
        except InputError as cause:
            raise MaskError(f"mask {cause}") from cause
        if not self._files:
            raise MaskError(f"{path}: holds no pictures. A mask folder has one picture a frame.")
        _refuse_gaps(path, self._files)
        self._path = path
        self._held = _Held()
        self._lock = threading.Lock()
        self.count: int | None = len(self._files)
        self.size = (0, 0)
        self._numbered, self.told = self._look()

    def _look(self) -> tuple[bool, str]:
        """Whether its pictures are grey class maps, by some of them: a single one might be a matte that fades in."""
        places = np.unique(np.linspace(0, len(self._files) - 1, _LOOKED_AT).astype(int))
        found, told = [], ""
        for place in places.tolist():
            try:
                rgb, _, codes = _read(self._files[place])
            except MaskError:  # will be named when its frame is due
                continue
            self.size = rgb.shape[1], rgb.shape[0]
            coloured = coloured_map(rgb)
            if coloured is not None:
                told = told or f"{self._files[place]}: {coloured.told}"
            elif codes.any():
                found.append((self._files[place], codes))
        numbered = bool(found) and all(is_grey_map(codes) for _, codes in found)
        if numbered:
            told = told or f"{found[0][0]}: {grey_map(found[0][1]).told}"
        return numbered, told

    def read(self, index: int) -> NDArray[np.uint8]:
        if index >= len(self._files):
            raise MaskError(
                f"{self._path}: holds {len(self._files)} masks, but the clip has more frames. Give one mask a frame."
            )
        with self._lock:
            matte = self._held.get(index)
        if matte is None:
            matte = read_matte(self._files[index], self._numbered)[0]  # outside the lock: several threads may decode
            with self._lock:
                self._held.put(index, matte)
        return matte

    def end(self) -> None:
        pass

    def close(self) -> None:
        pass


class _Cursor:
    """One decoder's walk through a matte video, from where `way` begins, or else from its first matte."""

    def __init__(self, clip: Clip, way: Passage | None, threads: int | None) -> None:
        self.next = 0 if way is None else way.begin
        self.held = _Held()
        self._clip = clip
        self._threads = threads
        self._sought = way is not None
        self._reader = Reader(clip, threads) if way is None else PassageReader(clip, way, threads)
        self._lumas = _lumas(self._reader, clip)

    def advance(self) -> bool:
        """Decode one matte; False at the end."""
        try:
            matte = self._decoded()
        except InputError as cause:
            raise MaskError(f"mask {cause}") from cause
        if matte is None:
            return False
        self.held.put(self.next, matte, share=_CURSORS)
        self.next += 1
        return True

    def _decoded(self) -> NDArray[np.uint8] | None:
        try:
            return next(self._lumas, None)
        except InputError:
            if not self._sought:
                raise
        self._restart()
        return next(self._lumas, None)

    def _restart(self) -> None:
        """Go to the same matte from the first one: the video reads otherwise by seeking."""
        self.close()
        self._sought = False
        self._reader = Reader(self._clip, self._threads)
        self._lumas = _lumas(self._reader, self._clip)
        for _ in range(self.next):
            if next(self._lumas, None) is None:
                return

    def close(self) -> None:
        self._lumas.close()
        self._reader.close()


_CURSORS = 2


class _Video:
    """A frame is sampled long before it is rendered: where the mattes between do not fit into memory, a second
    decoder follows the first."""

    told = ""

    def __init__(self, path: Path, way: Passage | None, threads: int | None) -> None:
        try:
            self.clip = probe(path)
        except InputError as cause:
            raise MaskError(f"mask {cause}") from cause
        self.count: int | None = self.clip.frames
        sides = self.clip.width, self.clip.height
        self.size = sides[::-1] if quarter_turns(self.clip.display_matrix) % 2 else sides
        self._path = path
        self._way = way
        self._threads = threads
        self._lock = threading.Lock()
        self._cursors: list[_Cursor] = []

    def read(self, index: int) -> NDArray[np.uint8]:
        with self._lock:
            for cursor in self._cursors:
                matte = cursor.held.get(index)
                if matte is not None:
                    return matte
            cursor = self._behind(index)
            while cursor.next <= index:
                if not cursor.advance():
                    raise MaskError(
                        f"{self._path}: holds {cursor.next} masks, but the clip has more frames. Give one mask a frame."
                    )
            matte = cursor.held.get(index)
            assert matte is not None
            return matte

    def _behind(self, index: int) -> _Cursor:
        before = [cursor for cursor in self._cursors if cursor.next <= index]
        if before:
            return max(before, key=lambda cursor: cursor.next)
        if len(self._cursors) == _CURSORS:
            last = min(self._cursors, key=lambda cursor: cursor.next)
            last.close()
            self._cursors.remove(last)
        self._cursors.append(_Cursor(self.clip, self._way, self._threads))
        return self._cursors[-1]

    def end(self) -> None:
        with self._lock:
            first = max(self._cursors or [self._behind(0)], key=lambda cursor: cursor.next)
            while first.advance():
                pass
            self.count = first.next
        self.close()

    def close(self) -> None:
        with self._lock:
            for cursor in self._cursors:
                cursor.close()
            self._cursors.clear()


def _lumas(reader: Reader, clip: Clip) -> Generator[NDArray[np.uint8]]:
    scale = 1 << (clip.format.depth - 8)
    low, high = (0.0, 255.0) if clip.coding.full_range else (16.0, 235.0)
    for frame in reader:
        plane = frame.planes[0].astype(np.float32) / scale
        luma = np.rint(np.clip((plane - low) * (255 / (high - low)), 0, 255)).astype(np.uint8)
        yield as_shown(luma, clip.display_matrix)


def read_matte(path: Path, numbered: bool | None = None) -> tuple[NDArray[np.uint8], str]:
    """A picture's luma as weights (h, w) 0..255, of a class map 255 for all but background; and what the user should
    know of how it was read, empty for a matte as it should be.

    numbered: whether a grey picture is a class map; None: judge by itself.

    Raises:
        MaskError: it can't be read.
    """
    rgb, luma, codes = _read(path)
    found = coloured_map(rgb)
    if found is None and (is_grey_map(codes) if numbered is None else numbered):
        found = grey_map(codes)
    return (luma, "") if found is None else (found.weights, f"{path}: {found.told}")


def _read(path: Path) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint8]]:
    """A picture (h, w, 3), its luma (h, w) in codes, and the codes that may number classes: the same, but those of 16
    bits where none is over 255. What is transparent is black."""
    picture = read_picture(path, MaskError)
    rgb = picture.rgb if picture.alpha is None else picture.rgb * picture.alpha[..., None]
    luma = np.asarray(np.rint(np.clip(rgb @ _LUMA, 0, 1) * 255), np.uint8)
    if picture.depth == 16 and luma.max() <= 1:
        codes = np.rint(rgb[..., 1] * 65535)
        if codes.max() <= 255:
            return rgb, luma, codes.astype(np.uint8)
    return rgb, luma, luma


def resized(matte: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """`matte` at (height, width), its rows contiguous: means of boxes where it shrinks, bilinear where it grows."""
    rows, columns = matte.shape
    if (rows, columns) == (height, width):
        return np.ascontiguousarray(matte)
    if rows >= height and columns >= width:
        return np.asarray(np.rint(box_means(matte, width, height)), np.uint8)
    y, x = _positions(height, rows), _positions(width, columns)
    y0, x0 = y.astype(np.int64), x.astype(np.int64)
    y1, x1 = np.minimum(y0 + 1, rows - 1), np.minimum(x0 + 1, columns - 1)
    fy, fx = (y - y0)[:, None].astype(np.float32), (x - x0)[None].astype(np.float32)
    wide = matte.astype(np.float32)
    across0 = wide[y0][:, x0] * (1 - fx) + wide[y0][:, x1] * fx
    across1 = wide[y1][:, x0] * (1 - fx) + wide[y1][:, x1] * fx
    return np.asarray(np.rint(across0 * (1 - fy) + across1 * fy), np.uint8, order="C")


def _positions(size: int, source: int) -> NDArray[np.float64]:
    return np.clip((np.arange(size) + 0.5) * source / size - 0.5, 0, source - 1)
