"""File -> Clip."""

from __future__ import annotations

import logging
import math
import stat
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.bitstream import BitStreamFilterContext
from av.codec.hwaccel import HWAccel
from av.filter import Graph
from av.packet import Packet
from av.sidedata.sidedata import Type as SideDataType
from av.video.codeccontext import VideoCodecContext

from streamct.errors import InputError, NoVideoError
from streamct.media.alpha import alpha_decoder, says_alpha
from streamct.media.fields import first_field
from streamct.media.formats import graded_format, is_full_range_by_name, is_readable
from streamct.media.matroska import chroma_site
from streamct.media.movie import lacks_index
from streamct.media.pipes import STDIN
from streamct.media.siting import FIXED
from streamct.media.tags import agreed, coding_of
from streamct.model import Clip, Coding, ColorTags, MasteringDisplay, PixelFormat

av.logging.set_level(None)
logging.getLogger("libav").setLevel(logging.CRITICAL + 1)  # for the moments in which `chroma_location` listens
_told = threading.Lock()

_H26X_LOCATIONS = {n: n + 1 for n in range(6)}
_CHROMA_FIELDS = {
    "h264": ("chroma_sample_loc_type_top_field", _H26X_LOCATIONS),
    "hevc": ("chroma_sample_loc_type_top_field", _H26X_LOCATIONS),
    "av1": ("chroma_sample_position", {1: 1, 2: 3}),
}
_DYNAMIC_HDR = ("DYNAMIC_HDR_PLUS", "DOVI_RPU_BUFFER", "DOVI_METADATA")
_AS_CODED = (65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
_BRIGHTEST = 10_000
"""cd/m2, the peak of PQ: what a display may be mastered for at most."""
_KINDS = 64
"""More than FFmpeg has of data beside a frame."""
_FASTEST = 480
"""Frames/s above which an average rate is a slip of the container, not a rate."""


def open_input(path: Path, hwaccel: HWAccel | None = None) -> av.container.InputContainer:
    """The opened file. hwaccel: a device that decodes it, known to work.

    Raises:
        InputError: missing, a folder, empty, unreadable, or of no known format.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder, not a video. Give one file.")
    if not path.exists():
        raise InputError(f"{path}: no such file. Check the path.")
    try:
        status = path.stat()
        if stat.S_ISFIFO(status.st_mode) or stat.S_ISSOCK(status.st_mode) or stat.S_ISCHR(status.st_mode):
            raise InputError(
                f"{path}: is no file but a pipe or a device, which can be read only once. Give - for it, and redirect "
                f"it to {STDIN}: streamct video - ... < {path}"
            )
        if status.st_size == 0:
            raise InputError(f"{path}: is empty (0 bytes). Copy or export it again.")
        return av.open(str(path), metadata_errors="replace", hwaccel=hwaccel)
    except PermissionError as cause:
        raise InputError(f"{path}: may not be read. Check its permissions.") from cause
    except (av.FFmpegError, OSError) as cause:
        if lacks_index(path):
            raise InputError(
                f"{path}: its index (moov) is missing, without which no picture is found: recording or copying it "
                "broke off. Copy it again; a tool for repair, such as untrunc, needs another clip of the same camera."
            ) from cause
        raise InputError(
            f"{path}: can't be opened as a video ({reason(cause)}). It is damaged, incomplete or not a video."
        ) from cause


def reason(cause: Exception) -> str:
    """What FFmpeg or the system says, without its numbers and function names."""
    return str(getattr(cause, "strerror", None) or cause)


def video_stream(container: av.container.InputContainer, index: int) -> av.video.stream.VideoStream:
    """The stream with this index, which must be a video."""
    stream = container.streams[index]
    assert isinstance(stream, av.video.stream.VideoStream)
    return stream


def is_cover(stream: av.stream.Stream) -> bool:
    """Whether a stream is a still attached to the file (cover art)."""
    return stream.type == "video" and bool(stream.disposition & av.stream.Disposition.attached_pic)


def probe(path: Path, stream: int | None = None) -> Clip:
    """What the file declares, and what its first frame shows.

    stream: index of the video stream to grade; None: the best one.

    Raises:
        InputError: the file can't be opened, or has no such stream.
        NoVideoError: no video stream, or none of its frames can be decoded.
    """
    with open_input(path) as container:
        chosen = choose(container, path, stream)
        return describe(container, chosen, path, container.demux(chosen))


def describe(
    container: av.container.InputContainer, chosen: av.video.stream.VideoStream, path: Path, packets: Iterable[Packet]
) -> Clip:
    """What an open file declares, and what the first frame of a stream shows.

    packets: of that stream, from its beginning; as many are taken as the first frame needs. path: for messages.

    Raises:
        InputError, NoVideoError: see `probe`.
    """
    context = chosen.codec_context
    header = tags_of(context)  # which decoding replaces by what the pictures say
    first = _first_frame(packets, chosen, path)
    name = first.format.name
    if not is_readable(name):
        raise InputError(
            f"{path}: its pixel format {name} can't be read. Convert it to yuv420p, yuv444p10le or gbrp12le first."
        )
    codec = context.codec.canonical_name
    tags, contradicted = agreed(header, tags_of(first), codec)
    rate = chosen.average_rate or chosen.guessed_rate
    if rate and rate > _FASTEST and chosen.guessed_rate:
        rate = chosen.guessed_rate
    time_base = chosen.time_base
    assert time_base is not None
    return Clip(
        path=path,
        stream=chosen.index,
        width=first.width,
        height=first.height,
        time_base=time_base,
        frames=_count(container, chosen),
        rate=Fraction(rate) if rate else None,
        codec=codec,
        container=container.format.name,
        source_format=name,
        format=graded_format(name),
        coding=_coding(tags, name, first.height, path),
        tags=tags,
        duration=_duration(container, chosen),
        sample_aspect=chosen.sample_aspect_ratio or None,
        display_matrix=display_matrix(first),
        profile=context.profile,
        fields=first_field(first, int(context.field_order)),
        chroma_location=_chroma_location(container, chosen, path, graded_format(name)),
        mastering=mastering_display(first),
        light=content_light(first),
        unread_alpha=says_alpha(chosen) and not graded_format(name).alpha,
        contradicted=contradicted,
        dynamic_hdr=any(_side_data(first, kind) is not None for kind in _DYNAMIC_HDR),
    )


def choose(container: av.container.InputContainer, path: Path, index: int | None) -> av.video.stream.VideoStream:
    """The video stream with this index; None: the best one.

    Raises:
        InputError, NoVideoError: there is none.
    """
    videos = [s for s in container.streams.video if not is_cover(s) and s.codec_context is not None]
    if index is not None:
        for video in videos:
            if video.index == index:
                return video
        unknown = _unknown(container, index)
        if unknown is not None:
            raise NoVideoError(f"{path}: {unknown}")
        known = ", ".join(str(v.index) for v in videos) or "none"
        raise InputError(f"{path}: stream {index} is not a video stream. Video streams: {known}.")
    if not videos:
        unknown = _unknown(container)
        if unknown is not None:
            raise NoVideoError(f"{path}: {unknown}")
        kinds = ", ".join(sorted({_kind(s) for s in container.streams})) or "nothing"
        raise NoVideoError(f"{path}: has no video stream (found: {kinds}). Give a file with a picture.")
    best = container.streams.best("video")
    return best if best in videos else videos[0]


def _kind(stream: av.stream.Stream) -> str:
    return "cover art" if is_cover(stream) else stream.type


def _unknown(container: av.container.InputContainer, index: int | None = None) -> str | None:
    """A sentence on a video stream whose codec FFmpeg does not know."""
    for stream in container.streams.video:
        context: VideoCodecContext | None = stream.codec_context
        if context is None and index in (None, stream.index):
            return (
                f"its video (stream {stream.index}) is coded in a way that nothing here knows. Convert it to H.264 or "
                "FFV1 with the program that made it."
            )
    return None


def _first_frame(packets: Iterable[Packet], stream: av.video.stream.VideoStream, path: Path) -> av.VideoFrame:
    cause: Exception | None = None
    decoder = alpha_decoder(stream) or stream.codec_context
    try:
        for packet in packets:
            try:
                for frame in decoder.decode(packet):
                    assert isinstance(frame, av.VideoFrame)
                    return frame
            except (av.FFmpegError, OSError) as error:  # whoever reads on will decide about the damage
                cause = cause or error
    except (av.FFmpegError, OSError) as error:
        cause = cause or error
    if cause is None:
        raise NoVideoError(f"{path}: its video stream has no decodable frame. It is damaged or incomplete.")
    raise NoVideoError(
        f"{path}: no frame of its video stream ({stream.codec_context.name}) can be decoded ({reason(cause)}). "
        "It is damaged or incomplete; export it again."
    ) from cause


def display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """The nine numbers that turn a frame for display, 16.16 and 2.30 fixed point; None if it is shown as coded."""
    data = _side_data(frame, "DISPLAYMATRIX")
    if data is None:
        return _turned(frame.rotation) if frame.rotation else None
    matrix = struct.unpack("=9i", data)
    return None if matrix == _AS_CODED else matrix


def _turned(degrees: int) -> tuple[int, ...]:
    """The display matrix of a counter-clockwise turn."""
    cosine, sine = (round(f(math.radians(degrees)) * 65536) for f in (math.cos, math.sin))
    return cosine, -sine, 0, sine, cosine, 0, 0, 0, 1 << 30


def mastering_display(frame: av.VideoFrame) -> MasteringDisplay | None:
    """What the frame says of its mastering display, if that is complete and possible (AVMasteringDisplayMetadata)."""
    data = _side_data(frame, "MASTERING_DISPLAY_METADATA")
    if data is None:
        return None
    *numbers, has_primaries, has_luminance = struct.unpack_from("=22i", data)
    if not (has_primaries and has_luminance) or 0 in numbers[1::2]:
        return None
    red_x, red_y, green_x, green_y, blue_x, blue_y, white_x, white_y, low, high = (
        Fraction(n, d) for n, d in zip(numbers[::2], numbers[1::2], strict=True)
    )
    primaries = ((red_x, red_y), (green_x, green_y), (blue_x, blue_y))
    places = (red_x, red_y, green_x, green_y, blue_x, blue_y, white_x, white_y)
    if not all(0 <= n <= 1 for n in places) or not all(0 <= n <= _BRIGHTEST for n in (low, high)):
        return None  # a float of Matroska's may be anything
    return MasteringDisplay(primaries, (white_x, white_y), (low, high))


def content_light(frame: av.VideoFrame) -> tuple[int, int] | None:
    """MaxCLL and MaxFALL in cd/m2, if the frame tells them."""
    data = _side_data(frame, "CONTENT_LIGHT_LEVEL")
    return struct.unpack_from("=2I", data) if data is not None else None


def _side_data(frame: av.VideoFrame, kind: str) -> bytes | None:
    try:
        side_data: Any = frame.side_data
    except ValueError:  # PyAV can't list them if it does not know one of the kinds, such as EXIF
        frame = _with_known_data(frame)
        side_data = frame.side_data
    for item in side_data.keys():  # noqa: SIM118  (iterating yields keys that look-up refuses)
        if item.type.name == kind:
            return bytes(item)
    return None


def _with_known_data(frame: av.VideoFrame) -> av.VideoFrame:
    """The frame without the data beside it whose kind PyAV does not know."""
    known = {kind.value for kind in SideDataType}
    graph = Graph()
    last = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1)
    )
    for number in set(range(_KINDS)) - known:
        filtered = graph.add("sidedata", f"mode=delete:type={number}")
        last.link_to(filtered)
        last = filtered
    sink = graph.add("buffersink")
    last.link_to(sink)
    graph.configure()
    graph.vpush(frame)
    found = graph.vpull()
    assert isinstance(found, av.VideoFrame)
    return found


@contextmanager
def listening(level: int) -> Iterator[list[tuple[int, str, str]]]:
    """What FFmpeg logs from this thread in the block, as (level, who, text)."""
    with _told:  # the level is everyone's: two at a time would leave it raised
        before = av.logging.get_level()
        av.logging.set_level(level)
        try:
            with av.logging.Capture() as lines:
                yield lines
        finally:
            av.logging.set_level(before)


def chroma_location(stream: av.video.stream.VideoStream) -> int:
    """Where the stream's headers say that chroma samples lie, as AVChromaLocation; 0: they don't.

    PyAV does not tell; FFmpeg's `trace_headers` filter prints every header field, among them this one.
    """
    key = _CHROMA_FIELDS.get(stream.codec_context.codec.canonical_name)
    if key is None:
        return 0
    field, numbers = key
    try:
        with listening(av.logging.INFO) as lines:
            BitStreamFilterContext("trace_headers", stream)
    except (av.FFmpegError, ValueError):
        return 0
    for _, _, text in lines:
        if field in text:
            return numbers.get(int(text.rsplit("=", 1)[1]), 0)
    return 0


def _chroma_location(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream, path: Path, layout: PixelFormat
) -> int:
    """Where the stream's own headers say that chroma samples lie, or the file's if the codec has no place for it."""
    if not (layout.sub_x or layout.sub_y):
        return 0
    codec = stream.codec_context.codec.canonical_name
    if codec in _CHROMA_FIELDS or codec in FIXED:
        return (FIXED.get(codec) or chroma_location(stream)) if "420" in layout.name else 0
    if not container.format.name.startswith("matroska") or not path.is_file():
        return 0
    return chroma_site(path, [video.index for video in container.streams.video].index(stream.index))


def tags_of(source: VideoCodecContext | av.VideoFrame) -> ColorTags:
    """What a decoder or one of its frames says of the colours."""
    return ColorTags(
        int(source.colorspace), int(source.color_primaries), int(source.color_trc), int(source.color_range)
    )


def _coding(tags: ColorTags, name: str, height: int, path: Path) -> Coding:
    layout = av.VideoFormat(name)
    full = tags.range == 2 or name.startswith("yuvj") or is_full_range_by_name(name)
    return coding_of(tags, layout.is_rgb or layout.has_palette, full, height, path)


def _count(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> int | None:
    """Frames that decoding should give: the container's index where it has a whole one, else what it says."""
    entries = stream.index_entries
    if container.format.name.startswith("mov") and stream.frames and len(entries) == stream.frames:
        return sum(1 for entry in entries if not entry.is_discard)
    if container.format.name == "avi" and len(entries) == stream.frames:
        return sum(1 for entry in entries if entry.size) or None  # an empty entry shows the last frame again
    return stream.frames or None


def _duration(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> Fraction | None:
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    return Fraction(container.duration, 1_000_000) if container.duration else None
