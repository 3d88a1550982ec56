"""What a finished Matroska or WebM file says of its pictures: pixel aspect, mastering display, chroma location.

PyAV gives all of these to encoders but not to the muxer, which then writes "unknown" or nothing (RFC 9559, 5.1.4).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from streamct.media.ebml import HEAD, UNKNOWN_SIZE, Element, element, elements
from streamct.model import MasteringDisplay

PADDING = {"metadata_header_padding": "256"}
"""The option of the muxer that leaves room for what is written here into the header."""
MOST = 1 << 26
"""Bytes in which a header should have come: it holds attachments."""
_SEGMENT, _SEEK_HEAD, _SEEK, _SEEK_ID, _SEEK_POSITION = 0x18538067, 0x114D9B74, 0x4DBB, 0x53AB, 0x53AC
_VOID, _CHECKSUM, _TRACKS, _TRACK, _TYPE, _VIDEO, _CLUSTER = 0xEC, 0xBF, 0x1654AE6B, 0xAE, 0x83, 0xE0, 0x1F43B675
_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT, _PIXEL_WIDTH, _PIXEL_HEIGHT = 0x54B0, 0x54BA, 0x54B2, 0xB0, 0xBA
_COLOUR, _HORIZONTAL, _VERTICAL, _MAX_CLL, _MAX_FALL = 0x55B0, 0x55B7, 0x55B8, 0x55BC, 0x55BD
_MASTERING, _RED_X, _LIGHTEST, _DARKEST = 0x55D0, 0x55D1, 0x55D9, 0x55DA
_SITES = {1: (1, 2), 2: (2, 2), 3: (1, 1)}
"""Horizontal and vertical place of chroma samples by AVChromaLocation."""
_IS_VIDEO, _PIXELS, _ASPECT = 1, 0, 3
_STEREO = 0x53B8
_VIEWS = {1: (2, 1), 2: (1, 2), 3: (1, 2), 6: (1, 2), 7: (1, 2), 8: (2, 1), 9: (2, 1), 11: (2, 1)}
"""How many views lie beside and above each other in a picture, by StereoMode; in those not listed each fills it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is to be told of a video track; what is None or 0 is left as it is.

    aspect: of pixels. mastering, light, location: as of `streamct.model.Clip`.
    """

    aspect: Fraction | None = None
    mastering: MasteringDisplay | None = None
    light: tuple[int, int] | None = None
    location: int = 0


def tell(path: Path, told: Sequence[Told]) -> None:
    """Write what is to be told of each video track, in their order, into a finished file's header.

    What changes lies before the pictures, which stay where they are; a file without the room for it stays as it is.

    Raises:
        OSError: it can't be read or written.
    """
    with open(path, "rb+") as file:
        head = bytearray()
        while len(head) < MOST and (more := file.read(max(1 << 16, len(head)))):
            head += more
            changed = with_told(head, told, path.suffix == ".webm")
            if changed is not None:
                if len(changed) == len(head):
                    file.seek(0)
                    file.write(changed)
                return


def chroma_site(path: Path, track: int) -> int:
    """Where a file says that the chroma samples of its video track lie, counted from 0, as AVChromaLocation; 0: it
    does not."""
    head = bytearray()
    with open(path, "rb") as file:
        while len(head) < MOST and (more := file.read(max(HEAD, len(head)))):
            head += more
            try:
                found = _sites(bytes(head))
            except (IndexError, StopIteration):
                continue
            if found is not None:
                return found[track] if track < len(found) else 0
    return 0


def _sites(head: bytes) -> list[int] | None:
    """Those of all video tracks; None: the tracks have not come."""
    segment = next(e for e in elements(head, 0, len(head)) if e.name == _SEGMENT)
    tracks = next(e for e in elements(head, segment.data, len(head)) if e.name in (_TRACKS, _CLUSTER))
    if tracks.name == _CLUSTER:
        return []
    if tracks.stop > len(head):
        return None
    out = []
    for track in elements(head, tracks.data, tracks.stop):
        parts = elements(head, track.data, track.stop) if track.name == _TRACK else ()
        for video in (part for part in parts if part.name == _VIDEO):
            inside = [e for e in elements(head, video.data, video.stop) if e.name == _COLOUR]
            told = {
                e.name: int.from_bytes(head[e.data : e.stop], "big")
                for colour in inside
                for e in elements(head, colour.data, colour.stop)
            }
            site = (told.get(_HORIZONTAL, 0), told.get(_VERTICAL, 0))
            out.append(next((location for location, known in _SITES.items() if known == site), 0))
    return out


def with_told(head: bytes | bytearray, told: Sequence[Told], webm: bool = False) -> bytes | None:
    """The beginning of a file in which its video tracks tell what they should; None: more of it is needed.

    Room is taken from an empty element before or behind the tracks, so that the length stays; where there is no list of
    places either, as in what is written into a pipe, it grows.
    """
    head = bytes(head)
    try:
        segment = next(e for e in elements(head, 0, len(head)) if e.name == _SEGMENT)
        parts: list[Element] = []
        for part in elements(head, segment.data, len(head)):
            parts.append(part)
            if part.name == _CLUSTER:
                break
            if part.stop > len(head):
                return None
            if part.name == _TRACKS and segment.size == UNKNOWN_SIZE:
                break  # of a pipe: what comes next may be long in coming
    except (IndexError, StopIteration):
        return None
    tracks = next((e for e in parts if e.name == _TRACKS), None)
    if tracks is None or (segment.size != UNKNOWN_SIZE and parts[-1].name != _CLUSTER):
        return None
    new = element(_TRACKS, _checked(_retold(head, tracks, list(told), webm)), tracks.data - tracks.start - 4)
    growth = len(new) - (tracks.stop - tracks.start)
    index = next((e for e in parts if e.name == _SEEK_HEAD), None)
    if growth == 0 or (index is None and segment.size == UNKNOWN_SIZE):
        return head[: tracks.start] + new + head[tracks.stop :]
    fits = [e for e in parts if e.name == _VOID and (e.stop - e.start - growth >= 2 or e.stop - e.start == growth)]
    if index is None or not fits:
        return head
    void = fits[0]
    empty = _empty(void.stop - void.start - growth)
    if void.start < tracks.start:
        moved = _reindexed(head, index, segment.data, (void.stop, tracks.start), -growth)
        between = empty + head[void.stop : tracks.start] + new
        return head[: index.start] + moved + head[index.stop : void.start] + between + head[tracks.stop :]
    moved = _reindexed(head, index, segment.data, (tracks.stop, void.start), growth)
    between = new + head[tracks.stop : void.start] + empty
    return head[: index.start] + moved + head[index.stop : tracks.start] + between + head[void.stop :]


def _empty(length: int) -> bytes:
    if length == 0:
        return b""
    width = 1 if length - 2 < 127 else 8
    return element(_VOID, bytes(length - 1 - width), width)


def _checked(payload: bytes) -> bytes:
    """The content of an element whose check sum, if it begins with one, is that of what follows it."""
    if payload[:2] != bytes((_CHECKSUM, 0x84)):
        return payload
    return payload[:2] + zlib.crc32(payload[6:]).to_bytes(4, "little") + payload[6:]


def _retold(head: bytes, tracks: Element, told: list[Told], webm: bool) -> bytes:
    out = b""
    for track in elements(head, tracks.data, tracks.stop):
        parts = list(elements(head, track.data, track.stop)) if track.name == _TRACK else []
        kind = next((head[e.data : e.stop] for e in parts if e.name == _TYPE), b"")
        if int.from_bytes(kind, "big") != _IS_VIDEO or not told:
            out += head[track.start : track.stop]
            continue
        own, content = told.pop(0), b""
        for part in parts:
            known = part.name == _VIDEO and own != Told()
            content += _described(head, part, own, webm) if known else head[part.start : part.stop]
        out += element(_TRACK, content, track.data - track.start - 1)
    return out


def _described(head: bytes, video: Element, told: Told, webm: bool) -> bytes:
    """The element of a video's picture with what is told of it."""
    parts = list(elements(head, video.data, video.stop))
    changed = _display(head, parts, told.aspect, webm) if told.aspect is not None else None
    colour = _coloured(head, next((e for e in parts if e.name == _COLOUR), None), told)
    names = {_COLOUR} if changed is None else {_COLOUR, _DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT}
    kept = b"".join(head[e.start : e.stop] for e in parts if e.name not in names)
    return element(_VIDEO, kept + (changed or b"") + colour, video.data - video.start - 1)


def _display(head: bytes, parts: list[Element], aspect: Fraction, webm: bool) -> bytes:
    sizes = {e.name: int.from_bytes(head[e.data : e.stop], "big") for e in parts}
    across, down = _VIEWS.get(sizes.get(_STEREO, 0), (1, 1))  # the display is as large as one of the two views
    width, height = Fraction(sizes[_PIXEL_WIDTH], across), Fraction(sizes[_PIXEL_HEIGHT], down)
    if aspect == 1 and across == down == 1:
        return b"" if webm else _number(_DISPLAY_UNIT, _PIXELS)
    shown = width * aspect
    if shown.denominator == height.denominator == 1 or webm:
        return _number(_DISPLAY_WIDTH, max(1, round(shown))) + _number(_DISPLAY_HEIGHT, max(1, round(height)))
    shape = shown / height  # whole pixels don't tell it, but the shape of the whole picture does
    return b"".join(
        _number(name, number)
        for name, number in (
            (_DISPLAY_WIDTH, shape.numerator), (_DISPLAY_HEIGHT, shape.denominator), (_DISPLAY_UNIT, _ASPECT),
        )
    )  # fmt: skip


def _coloured(head: bytes, colour: Element | None, told: Told) -> bytes:
    """The element of a picture's colours with its mastering display and chroma location; nothing where it has none."""
    new: dict[int, bytes] = {}
    if told.location in _SITES:
        new |= {name: _number(name, n) for name, n in zip((_HORIZONTAL, _VERTICAL), _SITES[told.location], strict=True)}
    if told.light is not None:
        new |= {name: _number(name, n) for name, n in zip((_MAX_CLL, _MAX_FALL), told.light, strict=True)}
    if told.mastering is not None:
        points = [number for point in (*told.mastering.primaries, told.mastering.white) for number in point]
        values = {_RED_X + n: number for n, number in enumerate(points)}
        values |= {_LIGHTEST: told.mastering.luminance[1], _DARKEST: told.mastering.luminance[0]}
        content = b"".join(element(name, struct.pack(">d", float(number))) for name, number in values.items())
        new[_MASTERING] = element(_MASTERING, content)
    kept = b""
    if colour is not None:
        kept = b"".join(head[e.start : e.stop] for e in elements(head, colour.data, colour.stop) if e.name not in new)
    content = kept + b"".join(new.values())
    return element(_COLOUR, content) if content else b""


def _number(name: int, number: int) -> bytes:
    return element(name, number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big"))


def _reindexed(head: bytes, index: Element, base: int, moved: tuple[int, int], growth: int) -> bytes:
    """The list of where elements are, of which those that begin within `moved` now begin `growth` bytes farther on."""
    out = b""
    for seek in elements(head, index.data, index.stop):
        if seek.name != _SEEK:
            out += head[seek.start : seek.stop]
            continue
        content = b""
        for part in elements(head, seek.data, seek.stop):
            data = head[part.data : part.stop]
            if part.name == _SEEK_POSITION and moved[0] <= base + int.from_bytes(data, "big") <= moved[1]:
                data = (int.from_bytes(data, "big") + growth).to_bytes(len(data), "big")
            content += head[part.start : part.data] + data
        out += element(_SEEK, content, seek.data - seek.start - 2)
    return element(_SEEK_HEAD, _checked(out), index.data - index.start - 4)
