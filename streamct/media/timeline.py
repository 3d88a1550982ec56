"""What a clip's packets tell without decoding: when each of its frames is shown, and where a decoder may begin.

Frames can be numbered by packets only where each packet becomes one frame with the packet's own time. Where that is
not certain (fields in packets of their own, hidden or discarded frames, missing times, damage) there is no timeline,
and the clip is read from its beginning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import av
import numpy as np
from av.packet import Packet

from streamct.media.ebml import missing_bytes
from streamct.media.lost import looks_for_lost
from streamct.media.probe import open_input, video_stream
from streamct.model import Clip, IntArray
from streamct.work import check

_INTRA = frozenset({
    "prores", "dnxhd", "ffv1", "mjpeg", "rawvideo", "v210", "png", "huffyuv", "ffvhuff", "utvideo", "cfhd", "magicyuv",
    "jpeg2000",
})  # fmt: skip
"""Codecs whose packets are pictures, fields included. FFV1 may have others, and marks them."""
_INTER = frozenset({"h264", "hevc", "av1", "vp9", "mpeg2video", "mpeg4"})
_TOLD_EVERY = 1000
_H264_IDR = 5
_HEVC_RANDOM_ACCESS = range(16, 22)
_START_CODE = re.compile(rb"\x00\x00\x01")
_SEEKS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """The frames of a clip by their packets.

    pts: (n,) int64, ascending. keys: (k,) int64 numbers of the frames at which a decoder may begin: it gives that
    frame and all later ones as if it had begun at the first; the first one is 0. dts: (k,) int64, of their packets.
    """

    pts: IntArray
    keys: IntArray
    dts: IntArray

    @property
    def frames(self) -> int:
        """How many there are."""
        return len(self.pts)


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """A part of a clip to be decoded, and how to come there.

    first: number of the key frame where decoding begins. pts: (n,) int64, of it and the frames that follow, all of
    which are decoded. begin: number of the first frame that is wanted. seeks: times to seek to, best first.
    """

    first: int
    begin: int
    pts: IntArray
    seeks: tuple[int, ...]


def passage(timeline: Timeline, begin: int, end: int) -> Passage:
    """How to decode the frames [begin, end), limits beyond the clip cut off."""
    begin, end = max(begin, 0), min(end, timeline.frames)
    at = int(np.searchsorted(timeline.keys, begin, side="right")) - 1
    earlier = range(at, max(at - _SEEKS, -1), -1)
    first = int(timeline.keys[at])
    return Passage(first, begin, timeline.pts[first:end].copy(), tuple(int(timeline.dts[i]) for i in earlier))


def timeline_of(clip: Clip) -> Timeline | None:
    """The timeline of a file, None where packets don't tell; reads all its packets.

    Raises:
        InputError: it can't be opened.
    """
    if clip.codec not in _INTRA | _INTER or (clip.fields is not None and clip.codec not in _INTRA):
        return None
    if missing_bytes(clip.path):
        return None
    pts: list[int] = []
    keys: list[tuple[int, int]] = []
    with open_input(clip.path) as container:
        stream = video_stream(container, clip.stream)
        extradata = stream.codec_context.extradata
        begins = _Beginnings(clip.codec, extradata)
        lost = looks_for_lost(clip.codec, extradata)
        try:
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                if packet.pts is None or packet.is_discard or packet.is_corrupt:
                    return None
                if lost is not None:
                    lost.look(packet)
                    if lost.lost:  # which is told by reading it as a whole
                        return None
                if packet.is_keyframe and begins.at(packet):
                    keys.append((packet.pts, packet.pts if packet.dts is None else packet.dts))
                pts.append(packet.pts)
                if len(pts) % _TOLD_EVERY == 0:
                    check()
        except (av.FFmpegError, OSError):
            return None
    if not pts or (clip.frames is not None and clip.frames != len(pts)):
        return None
    times = np.unique(np.array(pts, np.int64))
    if len(times) != len(pts) or not keys or keys[0][0] != times[0]:
        return None
    order = sorted(keys)
    if [dts for _, dts in order] != sorted(dts for _, dts in order):
        return None
    numbers = np.searchsorted(times, np.array([key for key, _ in order], np.int64))
    return Timeline(times, numbers.astype(np.int64), np.array([dts for _, dts in order], np.int64))


class _Beginnings:
    """Tells the key frames before which no later frame looks: H.264 marks others too."""

    def __init__(self, codec: str, extradata: bytes | None) -> None:
        self._codec = codec
        length = 0  # of the numbers before each unit; 0: start codes
        if extradata is not None and extradata[:1] == b"\x01":
            if codec == "h264" and len(extradata) > 4:
                length = (extradata[4] & 3) + 1
            elif codec == "hevc" and len(extradata) > 21:
                length = (extradata[21] & 3) + 1
        self._length = length

    def at(self, packet: Packet) -> bool:
        if self._codec == "h264":
            return any(unit & 31 == _H264_IDR for unit in self._units(bytes(packet)))
        if self._codec == "hevc":
            return any((unit >> 1) & 63 in _HEVC_RANDOM_ACCESS for unit in self._units(bytes(packet)))
        return True

    def _units(self, data: bytes) -> list[int]:
        """The first byte of each NAL unit."""
        if not self._length:
            return [data[match.end()] for match in _START_CODE.finditer(data) if match.end() < len(data)]
        found, at = [], 0
        while at + self._length < len(data):
            size = int.from_bytes(data[at : at + self._length], "big")
            found.append(data[at + self._length])
            at += self._length + size
        return found
