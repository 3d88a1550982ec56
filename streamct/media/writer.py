"""Frames -> the output file: encoded in order with the source's times and tags, other streams beside them."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av.filter import Graph
from av.packet import Packet
from av.video.reformatter import VideoReformatter

from streamct.errors import OutputError
from streamct.media.alpha import announce_alpha
from streamct.media.copied import CopiedStream
from streamct.media.demuxer import Demuxer
from streamct.media.dnxhr import tell_matrix
from streamct.media.encoders import counts_frames, keeps_fields
from streamct.media.files import writing
from streamct.media.formats import FULL_RANGE_ALIASES, convert
from streamct.media.headers import HeaderPipe, passes_headers, room, tell_header, told_of
from streamct.media.matroska import Told
from streamct.media.output import DEFAULT_RATE, LIMITED_ONLY, Y4M, OutputPlan
from streamct.media.passthrough import Passthrough
from streamct.media.pipes import StandardOutput
from streamct.media.probe import is_cover, reason
from streamct.media.reader import plane_views
from streamct.media.trim import Trim
from streamct.model import Clip, Frame

_KEYFRAME_SECONDS = 10
_WITHOUT_NEGATIVE_TIMES = {"mpegts", "nut", "flv"}
_TOLD_BY_X265 = 3
"""So many frames it needs to tell when each is to be decoded; of fewer it gives whatever lies in memory."""
_PROGRESSIVE, _TOP_FIELD_FIRST, _BOTTOM_FIELD_FIRST = 1, 2, 3  # of AVFieldOrder


class Writer:
    """Encodes graded frames into `temporary`, or into a pipe, as `plan` says. Use as a context manager.

    `allocate` may be called from one thread and `write` from another. threads: of the encoder, None for its
    own choice. After `close`, `times` holds the pts of all frames, in
    the clip's time base, `encoded` the times in seconds of all packets made of them, and `copied` tells what was
    copied beside them. tolerate: other streams may end early. demuxer: where these come from, None for the file.
    alone: there are none. trim: the part that is written; frames come with their times in the output.

    Raises:
        OutputError: the file can't be written, or the encoder refuses the settings.
    """

    def __init__(
        self,
        clip: Clip,
        plan: OutputPlan,
        temporary: Path | StandardOutput,
        threads: int | None = None,
        tolerate: bool = False,
        demuxer: Demuxer | None = None,
        alone: bool = False,
        trim: Trim | None = None,
    ) -> None:
        self._clip = clip
        self._plan = plan
        self._converter = VideoReformatter()
        rgb = av.VideoFormat(plan.pix_fmt).is_rgb if plan.codec in LIMITED_ONLY else True
        self._narrowed = clip.coding.full_range and not rgb
        self._fields = _field_marker(clip, plan) if clip.fields is not None and keeps_fields(plan.encoder) else None
        self._spare: deque[av.VideoFrame] = deque()
        self._closed = False
        self.times: list[int] = []
        self.encoded: list[Fraction] = []
        self._durations: dict[Fraction, Fraction] = {}
        self._earliest = Fraction(0)
        self._temporary = temporary
        self._told: list[Told] = []
        self._pipe: HeaderPipe | None = None
        self._others = Passthrough(clip, plan, tolerate, demuxer, alone, trim)
        try:
            with writing(plan.path):
                options = {"movie_timescale": str(self._others.clock)} if plan.container in ("mp4", "mov") else {}
                options |= self._others.options
                options |= room(told_of(clip, plan.pix_fmt), plan.container)
                if plan.container == Y4M:
                    options["strict"] = "-1"  # which more than 8 bits need
                target: object = str(temporary) if isinstance(temporary, Path) else temporary
                if passes_headers(plan.container, not isinstance(temporary, Path)):
                    sink = open(temporary, "wb") if isinstance(temporary, Path) else temporary  # noqa: SIM115
                    target = self._pipe = HeaderPipe(sink, plan.container, self._told)
                self._container = av.open(target, "w", format=plan.container, container_options=options)
        except BaseException:
            self._others.close()
            if self._pipe is not None:
                self._pipe.finish()
            raise
        self._threads = threads
        try:
            self._stream = self._others.attach(self._container, self._add_video)
        except BaseException:
            self._others.close()
            raise
        announce_alpha(self._stream, plan.codec, plan.pix_fmt)
        tracks = [stream for stream in self._container.streams.video if not is_cover(stream)]
        known = {index: Told(aspect) for index, aspect in self._others.aspects.items()}
        known[self._stream.index] = told_of(clip, plan.pix_fmt)
        self._told += [known.get(stream.index, Told()) for stream in tracks]
        self._number = sum(stream.index < self._stream.index for stream in tracks)

    @property
    def index(self) -> int:
        """Of the graded stream in the output."""
        return self._others.found_at(self._stream.index)

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be copied."""
        return tuple(self._others.notes)

    @property
    def copied(self) -> tuple[CopiedStream, ...]:
        """The other streams, as far as they have been copied."""
        return self._others.copied

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._others.close()
        if not self._closed:
            self._closed = True
            try:
                try:
                    self._container.close()
                    self._tell()
                finally:
                    if self._pipe is not None:
                        self._pipe.finish()
            except (av.FFmpegError, OSError, ValueError, OutputError):
                if error is None:
                    raise

    def _add_video(self) -> av.video.stream.VideoStream:
        clip, plan = self._clip, self._plan
        rate = clip.rate or Fraction(DEFAULT_RATE)
        try:
            stream = self._container.add_stream(
                plan.encoder, rate=rate, options=dict(plan.options), width=clip.width, height=clip.height,
                time_base=1 / rate if plan.container == Y4M or counts_frames(plan.codec) else clip.time_base,
            )  # fmt: skip
            if counts_frames(plan.codec):
                stream.time_base = clip.time_base
        except ValueError as cause:
            raise OutputError(f"{plan.path}: {cause}. Choose another container or --codec.") from cause
        assert isinstance(stream, av.video.stream.VideoStream)
        context = stream.codec_context
        context.pix_fmt = plan.pix_fmt
        context.gop_size = max(1, min(round(rate * _KEYFRAME_SECONDS), 600))
        tags = plan.tags
        context.colorspace, context.color_range = tags.matrix, tags.range
        context.color_primaries, context.color_trc = tags.primaries, tags.transfer
        if clip.sample_aspect:
            context.sample_aspect_ratio = clip.sample_aspect
        context.thread_type = "AUTO"  # PyAV's own choice has x264 cut pictures into slices, which is slower and larger
        if self._threads is not None:
            context.thread_count = self._threads
        if plan.codec == "hevc" and plan.container in ("mp4", "mov"):
            context.codec_tag = "hvc1"  # the only spelling that Apple's players take
        if self._fields is not None:
            told = self._others.field_order
            usual = _TOP_FIELD_FIRST if clip.fields == "top" else _BOTTOM_FIELD_FIRST
            context.field_order = told if told > _PROGRESSIVE else usual
        elif clip.fields is None and self._others.field_order == _PROGRESSIVE:
            context.field_order = _PROGRESSIVE
        if clip.display_matrix is not None:
            stream.set_display_matrix(clip.display_matrix)
        return stream

    def allocate(self, frame: Frame) -> Frame:
        """A frame like `frame` with memory of its own, to be filled: that of one written before, if there is one."""
        clip = self._clip
        name = clip.format.name
        if FULL_RANGE_ALIASES.get(self._plan.pix_fmt) == name:
            name = self._plan.pix_fmt
        try:
            picture = self._spare.pop()
            picture.make_writable()  # in memory of its own, should the encoder still hold it
        except IndexError:
            picture = av.VideoFrame(clip.width, clip.height, name)
        picture.pts, picture.time_base, picture.duration = frame.pts, clip.time_base, frame.duration
        planes = plane_views(picture, clip.format)
        return Frame(
            planes,
            clip.format,
            frame.index,
            frame.pts,
            clip.time_base,
            frame.duration,
            frame.key,
            False,
            picture,
        )

    def write(self, frame: Frame) -> None:
        """Encode the next frame in presentation order."""
        picture = frame.owner
        if picture.format.name != self._plan.pix_fmt or self._narrowed:
            full = False if self._narrowed else None
            picture = convert(picture, self._plan.pix_fmt, self._clip.coding, self._converter, full_range=full)
            picture.duration = frame.duration
        tags = self._plan.tags
        picture.colorspace, picture.color_range = tags.matrix, tags.range
        # Some encoders ask the pictures only.
        picture.color_primaries, picture.color_trc = tags.primaries, tags.transfer
        if self._fields is not None:
            self._fields.push(picture)
            picture = self._fields.pull()
        if self._plan.container == Y4M:
            picture.pts, picture.time_base = frame.index, 1 / (self._clip.rate or Fraction(DEFAULT_RATE))
        if counts_frames(self._plan.codec):
            picture.pts, picture.time_base = len(self.times), 1 / (self._clip.rate or Fraction(DEFAULT_RATE))
        self.times.append(frame.pts)
        if frame.duration:
            time = picture.pts * picture.time_base if self._plan.container == Y4M else frame.pts * frame.time_base
            self._durations[time] = frame.duration * frame.time_base
        self._mux(picture)
        self._spare.append(frame.owner)

    def close(self) -> None:
        """Flush the encoder, copy what is left of the other streams and finish the file."""
        self._mux(None)
        self._finish()

    def _finish(self) -> None:
        with writing(self._plan.path):
            try:
                self._others.advance(self._container, None)
                self._closed = True
                self._container.close()
                self._tell()
                self._say_shift()
            except av.FFmpegError as cause:
                if isinstance(cause, OSError):
                    raise
                raise self._refusal(cause) from cause

    def _tell(self) -> None:
        if self._pipe is not None:
            self._pipe.finish()
        elif isinstance(self._temporary, Path):
            tell_header(self._temporary, self._plan.container, self._told, self._number)

    def _say_shift(self) -> None:
        firsts = [told.first for told in self._others.copied if told.first is not None]
        earliest = min([self._earliest, *firsts])
        if self._plan.container in _WITHOUT_NEGATIVE_TIMES and earliest < 0:
            self._others.notes.append(
                f"all times are {float(-earliest):.3f} s later than in the input: {self._plan.kind} begin at 0 with "
                "what is decoded first, which is not what is shown first"
            )

    def _refusal(self, cause: av.FFmpegError) -> OutputError:
        plan = self._plan
        advice = "Name the output .mkv."
        if plan.container == "matroska":  # which takes nearly all: the streams are at fault
            advice = f"Those of {self._clip.path} are probably damaged. Export or copy it again."
        return OutputError(f"{plan.path}: {plan.kind} can't take these streams ({reason(cause)}). {advice}")

    def _mux(self, picture: av.VideoFrame | None) -> None:
        with writing(self._plan.path):
            try:
                packets = self._stream.encode(picture)
            except (av.FFmpegError, ValueError) as cause:
                if isinstance(cause, OSError) and cause.errno == 28:
                    raise
                plan, clip = self._plan, self._clip
                raise OutputError(
                    f"{plan.path}: the encoder {plan.encoder} refused {clip.width}x{clip.height} {plan.pix_fmt} "
                    f"with {plan.options} ({reason(cause)})."
                ) from cause
            for packet in packets:
                if self._plan.encoder == "dnxhd":
                    tell_matrix(packet, self._plan.tags.matrix)
                if counts_frames(self._plan.codec):
                    packet.pts = packet.dts = self.times[packet.pts or 0]  # no frame refers to a later one
                    packet.time_base = self._clip.time_base
                if self._plan.encoder == "libx265" and len(self.times) < _TOLD_BY_X265:
                    packet.dts = packet.pts  # there is no frame to refer to a later one
                if packet.pts is not None and packet.dts is not None and packet.dts > packet.pts:
                    packet.dts = packet.pts  # nothing is decoded after it is shown
                if packet.pts is not None:
                    time = packet.pts * packet.time_base
                    self.encoded.append(time)
                    if (length := self._durations.pop(time, None)) is not None:
                        packet.duration = round(length / packet.time_base)  # encoders know of one frame rate only
                self._put(packet)

    def _put(self, packet: Packet) -> None:
        """Write a packet, after those of the other streams that are due before it."""
        try:
            if packet.dts is not None:
                self._earliest = min(self._earliest, packet.dts * packet.time_base)
                self._others.advance(self._container, packet.dts * packet.time_base)
            self._container.mux_one(packet)
        except av.FFmpegError as cause:
            if isinstance(cause, OSError):
                raise
            raise self._refusal(cause) from cause


def _field_marker(clip: Clip, plan: OutputPlan) -> Graph:
    """A filter that does nothing but mark frames as interlaced, which PyAV can't."""
    graph = Graph()
    layout = av.VideoFormat(plan.pix_fmt, clip.width, clip.height)
    source = graph.add_buffer(width=clip.width, height=clip.height, format=layout, time_base=clip.time_base)
    marker = graph.add("setfield", "tff" if clip.fields == "top" else "bff")
    sink = graph.add("buffersink")
    source.link_to(marker)
    marker.link_to(sink)
    graph.configure()
    return graph
