"""Parts: a span of a clip, encoded, on disk, with all that joining needs and nothing rounded.

A part is a file of its own kind, because no container keeps the packets of every encoder as they are, nor every clock:

- the line `streamct part 1`;
- the packets in coding order, each as pts, dts and duration (int64, in the part's time base), flags (uint8: 1 a key
  frame), its length (uint32) and its bytes; all little-endian;
- a JSON object: `extradata` of the encoder (hex), `time_base` ("n/d"), `packets`, `crc` (CRC-32 of all packets as
  written);
- the length of that object (uint32) and the line `streamct part ends`, so that a part that was cut off is known.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import av
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext

from streamct.errors import OutputError
from streamct.media.files import beside, sweep, writing
from streamct.media.output import OutputPlan
from streamct.media.probe import reason
from streamct.media.writer import Writer
from streamct.model import Clip
from streamct.work import check

_BEGIN, _END = b"streamct part 1\n", b"\nstreamct part ends\n"
_PACKET, _LENGTH = struct.Struct("<qqqBI"), struct.Struct("<I")
_NO_TIME = -(1 << 63)
_KEY = 1
_DECODERS = {"av1": "libdav1d"}
"""Where the decoder that is called like its codec needs a device."""
_BESIDE: tuple[Any, ...] = ("matroska_block_additional", "new_extradata", "palette")
"""Data beside a packet that are part of the picture."""


_CODECS = {"h264", "hevc", "av1", "vp8", "vp9", "prores", "dnxhd", "ffv1", "mjpeg"}


def comes_in_parts(plan: OutputPlan) -> bool:
    """Whether packets of several runs of this encoder make one stream. The transparency of VP8 and VP9 lies beside
    their packets."""
    return plan.codec in _CODECS and not (plan.codec in ("vp8", "vp9") and "yuva" in plan.pix_fmt)


class PartWriter(Writer):
    """Encodes graded frames into a part, as a `Writer` of the whole clip would.

    threads: of the encoder, None for its own choice.

    Raises:
        OutputError: the file can't be written, or the encoder refuses the settings.
    """

    def __init__(self, clip: Clip, plan: OutputPlan, temporary: Path, threads: int | None = None) -> None:
        super().__init__(clip, plan, Path(os.devnull), threads, alone=True)
        self._packets = self._crc = 0
        self._time_base = clip.time_base
        with writing(temporary):
            self._file: IO[bytes] = open(temporary, "wb")  # noqa: SIM115
            self._file.write(_BEGIN)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._file.close()
        super().__exit__(kind, error, trace)

    def _put(self, packet: Packet) -> None:
        if any(packet.has_sidedata(kind) for kind in _BESIDE):
            raise OutputError(f"{self._plan.path}: {self._plan.encoder} makes no parts. Grade it whole with --spans 1.")
        data = bytes(packet)
        flags = _KEY * bool(packet.is_keyframe)
        head = _PACKET.pack(_written(packet.pts), _written(packet.dts), packet.duration or 0, flags, len(data))
        with writing(self._plan.path):
            for piece in (head, data):
                self._crc = zlib.crc32(piece, self._crc)
                self._file.write(piece)
        self._packets += 1
        self._time_base = packet.time_base

    def _finish(self) -> None:
        told = {
            "extradata": bytes(self._stream.codec_context.extradata or b"").hex(),
            "time_base": str(self._time_base),
            "packets": self._packets,
            "crc": self._crc,
        }
        text = json.dumps(told).encode()
        with writing(self._plan.path):
            self._file.write(text + _LENGTH.pack(len(text)) + _END)
            self._file.close()


@dataclass(frozen=True, slots=True)
class Part:
    """A part that is whole, as its end says. packets: how many. stop: where in the file they end."""

    path: Path
    extradata: bytes
    time_base: Fraction
    packets: int
    crc: int
    stop: int

    def read(self) -> Iterator[Packet]:
        """Its packets, in coding order.

        Raises:
            OutputError: they are not what was written.
        """
        crc = 0
        try:
            with open(self.path, "rb") as file:
                file.seek(len(_BEGIN))
                while file.tell() < self.stop:
                    packet, crc = self._packet(file, crc)
                    yield packet
        except (OSError, struct.error, ValueError) as cause:
            raise _broken(self.path, reason(cause)) from cause
        if crc != self.crc:
            raise _broken(self.path, "its check sum is another")

    def _packet(self, file: IO[bytes], crc: int) -> tuple[Packet, int]:
        head = file.read(_PACKET.size)
        pts, dts, duration, flags, length = _PACKET.unpack(head)
        data = file.read(length)
        crc = zlib.crc32(data, zlib.crc32(head, crc))
        packet = Packet(data)
        packet.pts, packet.dts, packet.duration = _read(pts), _read(dts), duration
        packet.time_base = self.time_base
        packet.is_keyframe = bool(flags & _KEY)
        return packet, crc


def open_part(path: Path) -> Part:
    """Look at a part's end.

    Raises:
        OutputError: it is missing, cut off or no part.
    """
    try:
        with open(path, "rb") as file:
            begin = file.read(len(_BEGIN))
            tail = len(_END) + _LENGTH.size
            size = file.seek(0, os.SEEK_END)
            if begin != _BEGIN or size < len(_BEGIN) + tail:
                raise ValueError("it is no part")
            file.seek(size - tail)
            end = file.read()
            if end[_LENGTH.size :] != _END:
                raise ValueError("it is cut off")
            (length,) = _LENGTH.unpack(end[: _LENGTH.size])
            stop = size - tail - length
            file.seek(stop)
            told = json.loads(file.read(length))
        return Part(
            path, bytes.fromhex(told["extradata"]), Fraction(told["time_base"]), told["packets"], told["crc"], stop
        )
    except (OSError, ValueError, KeyError, TypeError, struct.error) as cause:
        raise _broken(path, reason(cause)) from cause


@contextmanager
def parts_folder(target: Path) -> Iterator[Path]:
    """A folder beside `target` for its parts, which goes when the block ends. Leftovers of processes that no longer
    live are removed first.

    Raises:
        OutputError: no space, or the place can't be written to.
    """
    sweep(target.parent, target)
    folder = beside(target, kind="parts")
    try:
        with writing(target):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_part(path: Path, clip: Clip, plan: OutputPlan, times: list[int]) -> None:
    """Read a part again: all its packets, whether they have these times, and whether its first frame decodes.

    What follows is as the encoder gave it, as the check sum shows. times: pts of its frames, in the clip's time base,
    as the part's.

    Raises:
        OutputError: naming what is wrong.
    """
    part = open_part(path)
    found: list[int] = []
    first: list[Packet] = []
    for packet in part.read():
        check()
        found.append(packet.pts if packet.pts is not None else _NO_TIME)
        first = first or [packet]
    if len(found) != len(times):
        raise _broken(path, f"{len(found)} instead of {len(times)} frames")
    if sorted(found) != times:
        raise _broken(path, "its frames have other times")
    if _decoded(part, clip, plan, first) != len(first):
        raise _broken(path, "its first frame can't be decoded")


def _decoded(part: Part, clip: Clip, plan: OutputPlan, packets: list[Packet]) -> int:
    """How many sound frames come of packets that begin with a key frame."""
    context = av.CodecContext.create(_DECODERS.get(plan.codec, plan.codec), "r")
    assert isinstance(context, VideoCodecContext)
    if part.extradata:
        context.extradata = part.extradata
    context.width, context.height, context.pix_fmt = clip.width, clip.height, plan.pix_fmt
    context.thread_count = 1
    count = 0
    try:
        for packet in (*packets, None):
            for frame in context.decode(packet):
                count += not frame.is_corrupt
    except av.FFmpegError as cause:
        raise _broken(part.path, f"it does not decode ({reason(cause)})") from cause
    return count


def _broken(path: Path, why: str) -> OutputError:
    return OutputError(f"{path}: is not a whole part ({why}). Remove it and run again; it is made anew.")


def _written(time: int | None) -> int:
    return _NO_TIME if time is None else time


def _read(time: int) -> int | None:
    return None if time == _NO_TIME else time
