"""Parts in order -> the output: their packets as they are, everything else as a `Writer` of the whole clip adds it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from streamct.errors import OutputError
from streamct.media.files import writing
from streamct.media.output import OutputPlan
from streamct.media.parts import Part, open_part
from streamct.media.probe import reason, video_stream
from streamct.media.reader import timecode
from streamct.media.writer import Writer
from streamct.model import Clip, IntArray
from streamct.work import check

_START_CODE = re.compile(rb"\x00\x00\x00?\x01")
_COMMENTS = {"h264": lambda unit: unit[0] & 31 == 6, "hevc": lambda unit: (unit[0] >> 1) & 63 in (39, 40)}
"""Units that say how and by whom something was encoded, but not how to decode it."""
_AFTER_JOIN = 2
_BACK = (0, 1, 12)
"""Seconds before a join."""
_TOLD_EVERY = 256


class Joiner(Writer):
    """Writes parts into `temporary`, as `plan` says. Use as a context manager: `add` once, then `close`.

    The encoder is opened and encodes nothing: tags, headers and side data are those of a run in one piece. tolerate:
    other streams may end early.

    Raises:
        OutputError: a part is not whole or made by another encoder, or the file can't be written.
    """

    def __init__(self, clip: Clip, plan: OutputPlan, temporary: Path, tolerate: bool = False) -> None:
        super().__init__(clip, plan, temporary, threads=1, tolerate=tolerate)

    def add(self, paths: Sequence[Path]) -> list[int]:
        """Copy all packets of the parts, which follow each other in time; returns the pts of each one's first frame."""
        parts = [open_part(path) for path in paths]
        pts, dts, starts = _times(parts)
        again = iter(decoding_times(pts, dts).tolist())
        self._open()
        for part in parts:
            self._compare(part)
            for number, packet in enumerate(part.read()):
                if number % _TOLD_EVERY == 0:
                    check()
                packet.dts = next(again)
                packet.stream = self._stream
                with writing(self._plan.path):
                    self._put(packet)
        self.times = sorted(pts.tolist())
        return starts

    def close(self) -> None:
        """Copy what is left of the other streams and finish the file."""
        self._finish()

    def _open(self) -> None:
        context = self._stream.codec_context
        try:
            if not context.is_open:
                context.open(strict=False)
        except (av.FFmpegError, ValueError) as cause:
            raise OutputError(
                f"{self._plan.path}: the encoder {self._plan.encoder} does not open ({reason(cause)})."
            ) from cause

    def _compare(self, part: Part) -> None:
        ours = bytes(self._stream.codec_context.extradata or b"")
        if _headers(self._plan.codec, part.extradata) != _headers(self._plan.codec, ours):
            raise OutputError(
                f"{part.path}: was encoded by another version of {self._plan.encoder} than this one. Use one version "
                "on all machines, remove the part and run again."
            )


def _times(parts: Sequence[Part]) -> tuple[IntArray, IntArray, list[int]]:
    """pts and dts of all packets in coding order, and the first pts of each part."""
    pts: list[int] = []
    dts: list[int] = []
    starts = []
    for part in parts:
        begin = len(pts)
        for packet in part.read():
            assert packet.pts is not None
            pts.append(packet.pts)
            dts.append(packet.pts if packet.dts is None else packet.dts)
        starts.append(min(pts[begin:]))
    return np.array(pts, np.int64), np.array(dts, np.int64), starts


def decoding_times(pts: IntArray, dts: IntArray) -> IntArray:
    """dts (n,) of packets in coding order with presentation times pts (n,), which are all different.

    The n-th packet is decoded when the frame is shown that lies `delay` before it in order of time; the first ones as
    much earlier as the delay lasts. So encoders number one run, and so several runs become one. dts: as the encoders
    gave them, each for its own run; they tell the delay of the first.
    """
    order = np.sort(pts)
    ranks = np.searchsorted(order, pts)
    needed = int(np.max(np.arange(len(pts)) - ranks, initial=0))
    given = int(np.count_nonzero(dts < order[0])) if len(dts) and dts[0] < order[0] else 0
    first = len(dts) if given == 0 else int(np.argmax(dts >= order[0])) or len(dts)
    delay = max(needed, min(given, first))
    delay = min(delay, len(pts) - 1)
    early = order[:delay] - (order[delay] - order[0])
    return np.concatenate([early, order[: len(pts) - delay]])


def _headers(codec: str, extradata: bytes) -> list[bytes]:
    """What a decoder has to know, without comments."""
    if codec not in _COMMENTS:
        return [extradata]
    units = [unit for unit in _START_CODE.split(extradata) if unit]
    return [unit.rstrip(b"\x00") for unit in units if not _COMMENTS[codec](unit)]


def verify_joins(plan: OutputPlan, written: Path, index: int, firsts: Sequence[int]) -> None:
    """Decode the first frames after each join of the written file.

    What lies before a join is as the encoder gave it, as its part's check sum shows, and a part begins with a key frame
    that looks back to nothing. index: of the graded stream. firsts: numbers of the frames at which parts begin.

    Raises:
        OutputError: naming the join that does not decode.
    """
    wrong = None
    try:
        with av.open(str(written)) as container:
            stream = video_stream(container, index)
            pts = sorted(p.pts for p in container.demux(stream) if p.size and p.pts is not None)
            base = stream.time_base or Fraction(1)
        for first in firsts:
            check()
            if not _decodes_at(written, index, pts[first], base):
                wrong = f"what follows frame {first} at {timecode(float(pts[first] * base))} can't be decoded"
                break
    except (av.FFmpegError, OSError, IndexError) as cause:
        wrong = f"it can't be read back ({reason(cause)})"
    if wrong is not None:
        raise OutputError(f"{plan.path}: the written file did not pass its check: {wrong}. Nothing was replaced.")


def _decodes_at(path: Path, index: int, pts: int, base: Fraction) -> bool:
    """Whether the frame at `pts` and the one after it decode. MPEG-TS has no index: a search may end behind the key
    frame, so it begins farther and farther before it."""
    with av.open(str(path)) as container:
        stream = video_stream(container, index)
        stream.thread_type, stream.codec_context.thread_count = "SLICE", 1
        begin = stream.start_time or 0
        for seconds in _BACK:
            container.seek(max(pts - int(seconds / base), begin), stream=stream)
            stream.codec_context.flush_buffers()
            count = 0
            for frame in container.decode(stream):
                if frame.pts is None or frame.pts < pts:
                    continue
                if frame.is_corrupt or (count == 0 and frame.pts != pts):
                    break
                count += 1
                if count == _AFTER_JOIN:
                    return True
            if count:
                return True
    return False
