"""Clip -> Frames, in presentation order with the source's exact times."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import TracebackType

import av
import numpy as np
from av.codec.hwaccel import HWAccel
from av.packet import Packet
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from streamct.errors import DamagedInputError
from streamct.media.alpha import alpha_decoder
from streamct.media.beginnings import Beginning
from streamct.media.demuxer import Demuxer
from streamct.media.ebml import missing_bytes
from streamct.media.formats import FULL_RANGE_ALIASES, convert, graded_format
from streamct.media.lost import looks_for_lost
from streamct.media.missing import MissingPictures
from streamct.media.probe import open_input, reason, video_stream
from streamct.media.restarts import Restarts, restarts_of
from streamct.media.slices import broken_slices
from streamct.model import Clip, Frame, PixelFormat, Plane


def plane_views(frame: av.VideoFrame, layout: PixelFormat) -> tuple[Plane, ...]:
    """The planes of `frame` as (rows, columns) arrays on its own memory."""
    views = []
    for plane in frame.planes:
        flat = np.frombuffer(memoryview(plane), layout.dtype)
        step = plane.line_size // flat.itemsize
        views.append(flat[: step * plane.height].reshape(plane.height, step)[:, : plane.width])
    return tuple(views)


def threading_of(tolerate: bool) -> str:
    """How a decoder shares its work among threads.

    Several frames at once is fastest, but then a broken packet takes those with it that are in work beside it, and at
    the end of the file all that are left. With slices the decoder fails at the broken packet and goes on behind it.
    """
    return "SLICE" if tolerate else "AUTO"


class Reader:
    """Decodes a clip's video stream. Use as a context manager and iterate once.

    threads: of the decoder, None for its own choice. tolerate: yield what decodes of a damaged file, with its
    times, and tell the damage in `warnings`, which also tells what was repaired. demuxer: what to read from instead
    of the file. hwaccel: a device that decodes.

    Raises (while iterating):
        DamagedInputError: fewer frames than declared, corrupt frames, or a decoder error; tolerated: no frame.
    """

    _from_beginning = True
    """Whether the first packet it reads is the file's."""

    def __init__(
        self,
        clip: Clip,
        threads: int | None = None,
        tolerate: bool = False,
        demuxer: Demuxer | None = None,
        hwaccel: HWAccel | None = None,
    ) -> None:
        self._clip = clip
        self._tolerate = tolerate
        self._failures: list[str] = []
        self._broken: set[int | None] = set()
        self._lost: MissingPictures | None = None
        self._restarts: Restarts | None = None
        self._beginning = Beginning()
        self._moved = 0
        self._first_moved = ""
        self._sliced = False
        self._demuxer = demuxer
        self._container = open_input(clip.path, hwaccel) if demuxer is None else demuxer.container
        self._stream = video_stream(self._container, clip.stream)
        if demuxer is None:  # whose decoder runs already
            self._stream.thread_type = threading_of(tolerate)
            if threads is not None:
                self._stream.codec_context.thread_count = threads
        self._decoder = alpha_decoder(self._stream, threads) or self._stream.codec_context
        self._converter = VideoReformatter()
        self._lock = threading.Lock()
        self._warnings: list[str] = []

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_piped(self) -> bool:
        """Whether it reads what comes once."""
        return self._demuxer is not None

    @property
    def warnings(self) -> list[str]:
        """What was repaired, and what is damaged."""
        said = list(self._warnings)
        if self._moved:
            one = self._moved == 1
            some = "1 frame time that repeats or runs" if one else f"{self._moved} frame times that repeat or run"
            were = f"backwards {'was' if one else 'were'} moved forward"
            said.append(f"{self._clip.path}: {some} {were}, the first at {self._first_moved}")
        if self._restarts is not None and self._restarts.first is not None:
            often = "once" if self._restarts.count == 1 else f"{self._restarts.count} times"
            at = timecode(float(self._restarts.first))
            said.append(
                f"{self._clip.path}: its clock begins again {often}, first at {at}; what follows was moved behind what "
                "comes before, at the frame rate"
            )
        return said

    @property
    def lacking(self) -> set[int]:
        """Times of the frames read so far that are made from pictures that are missing, or can't be."""
        return set() if self._lost is None else self._lost.spoilt

    def close(self) -> None:
        """Stop the decoder and close the file."""
        with self._lock:
            if self._demuxer is None:
                self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        clip = self._clip
        index, corrupt, first_corrupt, spoilt = 0, 0, None, 0
        last: int | None = None
        for decoded in self._decoded():
            pts = self._time(decoded, last)
            last = pts
            broken = bool(decoded.is_corrupt) or decoded.pts in self._broken
            if broken:
                corrupt += 1
                first_corrupt = first_corrupt if first_corrupt is not None else pts
            lacking = self._lacks(decoded)
            spoilt += lacking
            frame = self._direct(decoded)
            yield Frame(
                plane_views(frame, clip.format), clip.format, index, pts, clip.time_base,
                decoded.duration or 0, bool(decoded.key_frame), broken or lacking, frame,
            )  # fmt: skip
            index += 1
        self._check(index, last, corrupt, first_corrupt, spoilt)

    def _decoded(self) -> Iterator[av.VideoFrame]:
        count, end = 0, None
        self._lost = looks_for_lost(self._clip.codec, self._stream.codec_context.extradata)
        for packet in self._packets():
            self._beginning.look(packet)
            if self._lost is not None:
                self._lost.look(packet)
            if self._clip.codec == "ffv1" and packet.size:
                self._check_slices(packet)
            try:
                frames = self._decoder.decode(packet)
            except (av.FFmpegError, OSError) as cause:
                if self._from_beginning and self._beginning.waits:
                    continue
                if packet.is_corrupt and self._clip.frames is not None:
                    continue  # cut off, as the last one of a truncated file: the count of frames will tell
                where = "" if end is None else f" after {timecode(float(end * self._clip.time_base))}"
                failure = f"decoding stopped at frame {count}{where} ({reason(cause)})"
                if not self._tolerate:
                    raise self._damaged(failure) from cause
                self._failures.append(failure.replace("stopped", "failed"))
                continue
            for frame in frames:
                assert isinstance(frame, av.VideoFrame)
                count, end = count + 1, frame.pts
                self._beginning.decoded(frame.pts)
                yield frame

    def _check_slices(self, packet: Packet[VideoStream]) -> None:
        """Mark the frame of a packet of FFV1 that does not match its checksums, or no longer has any."""
        count = broken_slices(bytes(packet))
        if count or (count is None and self._sliced):
            self._broken.add(packet.pts)
        self._sliced = self._sliced or count is not None

    def _lacks(self, frame: av.VideoFrame) -> bool:
        """Whether a frame was made from pictures that are missing."""
        return frame.pts in self.lacking

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        try:
            if self._demuxer is not None:
                self._restarts = self._demuxer.restarts
                yield from self._demuxer.video()
                return
            self._restarts = restarts_of(self._container, self._stream)
            packets = self._container.demux(self._stream)
            yield from packets if self._restarts is None else self._restarts.steady(packets)
        except (av.FFmpegError, OSError) as cause:
            failure = f"reading stopped ({reason(cause)})"
            if not self._tolerate:
                raise self._damaged(failure) from cause
            self._failures.append(failure)

    def _time(self, frame: av.VideoFrame, last: int | None) -> int:
        step = frame.duration or self._ticks_per_frame()
        if frame.pts is None:
            self._warn("frames without a time were placed after their neighbours")
            return 0 if last is None else last + step
        if last is not None and frame.pts <= last:
            self._moved += 1
            self._first_moved = self._first_moved or timecode(float(last * self._clip.time_base))
            return last + 1
        return int(frame.pts)

    def _ticks_per_frame(self) -> int:
        rate = self._clip.rate
        return max(1, round(1 / (rate * self._clip.time_base))) if rate else 1

    def _direct(self, frame: av.VideoFrame) -> av.VideoFrame:
        clip = self._clip
        name = frame.format.name
        if name != clip.source_format and graded_format(name).name != clip.format.name:
            self._warn(
                f"the pixel format changes from {clip.source_format} to {name}; all frames are converted to the first "
                "one's"
            )
        if (frame.width, frame.height) != (clip.width, clip.height):
            self._warn(
                f"the picture's size changes from {clip.width}x{clip.height} to {frame.width}x{frame.height}; "
                "all frames are scaled to the first one's"
            )
        elif FULL_RANGE_ALIASES.get(name, name) == clip.format.name:
            return frame
        return convert(frame, clip.format.name, clip.coding, self._converter, (clip.width, clip.height))

    def _check(self, count: int, last: int | None, corrupt: int, first_corrupt: int | None, spoilt: int) -> None:
        clip = self._clip
        early = self._beginning.lost if self._from_beginning else 0
        if early:
            self._warn(self._beginning.said)
        expected = None if clip.frames is None else clip.frames - early
        damage = list(self._failures[:1])
        if len(self._failures) > 1:
            damage[0] += f" and {len(self._failures) - 1} times more"
        if self._lost is not None and self._lost.lost:
            at = timecode(float((self._lost.first or 0) * clip.time_base))
            some = "1 picture is" if self._lost.lost == 1 else f"{self._lost.lost} pictures are"
            shown = f"; {spoilt} of {count} frames are made without" if spoilt else ""
            if expected is not None and count < expected:
                shown += f"; {expected - count} of {expected} frames can't be made without"
            damage.append(f"at least {some} missing that others are made from, the first before {at}{shown}")
        elif expected is not None and count < expected:
            end = timecode(float((last or 0) * clip.time_base))
            of = f" of {timecode(float(clip.duration))}" if clip.duration else ""
            truncated = "; the file is probably truncated" if not damage else ""
            damage.append(f"{count} of {expected} frames could be decoded (the pictures end at {end}{of}){truncated}")
        missing = missing_bytes(clip.path) if self._demuxer is None else self._demuxer.missing_bytes()
        if missing and not damage:
            damage.append(f"it is truncated: {missing} bytes of what its header announces are missing")
        if corrupt:
            at = timecode(float((first_corrupt or 0) * clip.time_base))
            damage.append(f"{corrupt} of {count} frames are corrupt, the first at {at}")
        if damage and (not self._tolerate or not count):
            raise self._damaged(damage[0])
        for line in damage:
            self._warn(line)

    def _damaged(self, what: str) -> DamagedInputError:
        return DamagedInputError(
            f"{self._clip.path}: {what}. Export or copy it again, or grade what is there with --tolerate-corrupt."
        )

    def _warn(self, message: str) -> None:
        line = f"{self._clip.path}: {message}"
        if line not in self._warnings:
            self._warnings.append(line)


def timecode(seconds: float) -> str:
    """`hh:mm:ss.mmm` of a time in seconds."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
