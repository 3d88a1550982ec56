"""Is the written file what it should be? Asked before it gets its name."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from streamct.errors import OutputError
from streamct.media.alpha import alpha_decoder
from streamct.media.aspect import held_aspect
from streamct.media.copied import CopiedStream
from streamct.media.encoders import carries_hdr, keeps_fields
from streamct.media.fields import field_of, first_field
from streamct.media.headers import holds_hdr
from streamct.media.output import ROTATING_CONTAINERS, Y4M, OutputPlan, carries_tags
from streamct.media.probe import (
    content_light,
    display_matrix,
    mastering_display,
    reason,
    tags_of,
    video_stream,
)
from streamct.media.tags import reported
from streamct.model import Clip, ColorTags, MasteringDisplay
from streamct.work import cores

_CLOCKS = {
    "matroska": Fraction(1, 1000),
    "webm": Fraction(1, 1000),
    "mpegts": Fraction(1, 90_000),
    "flv": Fraction(1, 1000),
}
_SHIFTING = {"mpegts", "avi", "flv", "nut"}
"""Containers that start where they like, NUT so that no decoding time lies before 0, with all streams together; the
others shift only what would begin before 0."""
_FULL = 2  # of AVColorRange
_POINT_STEP = Fraction(1, 10_000)
_LIGHT_STEP = Fraction(1, 1000)
_ASPECT_STEP = Fraction(1, 1000)
"""For codecs, which hold a pixel aspect in small numbers: how near depends on the encoder."""
_THREADS = 16
"""Of the decoder: each holds a picture."""
_LAST = 16
"""Packets at the end of which every frame is decoded."""


@dataclass(slots=True)
class _Found:
    packets: int = 0
    size: int = 0
    times: list[Fraction] = field(default_factory=list)


def verify(
    clip: Clip,
    plan: OutputPlan,
    written: Path,
    index: int,
    times: list[int],
    copied: Sequence[CopiedStream] = (),
) -> None:
    """Count packets and compare times, tags, shape and streams; decode the first and the last group of pictures.

    index: of the graded stream in the written file. times: the pts that were written, in the clip's time base.
    copied: the streams beside it. A container with a fixed clock may round each time to its nearest tick; one that
    can't begin before 0 may shift all streams by the same amount.

    Raises:
        OutputError: naming what differs.
    """
    try:
        with av.open(str(written)) as container:
            wrong = _differences(container, clip, plan, index, times, copied)
        if wrong is None:
            wrong = _decode_ends(written, index, clip, plan)
    except (av.FFmpegError, OSError) as cause:
        wrong = f"it can't be read back ({reason(cause)})"
    if wrong is not None:
        raise OutputError(f"{plan.path}: the written file did not pass its check: {wrong}. Nothing was replaced.")


def verify_piped(clip: Clip, plan: OutputPlan, times: list[int], encoded: Sequence[Fraction]) -> None:
    """What can be told of a stream that is gone: whether each frame became one packet, at its time.

    That every byte was taken, writing has shown. times: of the frames, in the clip's time base. encoded: of the
    packets, in seconds.

    Raises:
        OutputError: naming what differs.
    """
    wrong = None
    if len(encoded) != len(times):
        wrong = f"{len(encoded)} packets of {len(times)} frames"
    elif plan.container != Y4M and sorted(encoded) != [time * clip.time_base for time in times]:
        wrong = "packets that do not have the frames' times"
    if wrong is not None:
        raise OutputError(f"{plan.path}: the encoder made {wrong}. What was written is not to be used.")


def _differences(
    container: av.container.InputContainer,
    clip: Clip,
    plan: OutputPlan,
    index: int,
    times: list[int],
    copied: Sequence[CopiedStream],
) -> str | None:
    if index >= len(container.streams) or container.streams[index].type != "video":
        return "its video stream is missing"
    if len(container.streams) < len(copied) + 1:
        return f"{len(container.streams)} instead of {len(copied) + 1} streams"
    stream = video_stream(container, index)
    found = {s.index: _Found() for s in container.streams}
    for packet in container.demux():
        if packet.size:
            entry = found[packet.stream.index]
            entry.packets += 1
            entry.size += packet.size
            if packet.pts is not None:
                entry.times.append(packet.pts * packet.time_base)
    return (
        _shape(stream, clip, plan)
        or _tags(stream, plan)
        or _times(stream, found[index], clip, plan, times, copied)
        or _others(container, found, plan, found[index].times, times[0] * clip.time_base, copied)
    )


def _shape(stream: VideoStream, clip: Clip, plan: OutputPlan) -> str | None:
    context = stream.codec_context
    if (context.width, context.height) != (clip.width, clip.height):
        return f"{context.width}x{context.height} instead of {clip.width}x{clip.height} pixels"
    held = held_aspect(clip.sample_aspect, plan.container, plan.codec, clip.width, clip.height)
    aspect, wanted = stream.sample_aspect_ratio or Fraction(1), held or Fraction(1)
    if abs(aspect / wanted - 1) > (0 if held == clip.sample_aspect else _ASPECT_STEP):
        return f"the pixel aspect is {aspect} instead of {wanted}"
    return None


def _tags(stream: VideoStream, plan: OutputPlan) -> str | None:
    if not carries_tags(plan.container, plan.codec):
        return None
    wrong = _unlike(tags_of(stream.codec_context), plan.tags, plan)
    return None if wrong is None else f"the colour {wrong}"


def _unlike(found: ColorTags, wanted: ColorTags, plan: OutputPlan) -> str | None:
    """The first tag that is not as wanted. That pictures are R'G'B', their format says."""
    rgb = av.VideoFormat(plan.pix_fmt).is_rgb
    for name in ("matrix", "primaries", "transfer"):
        is_, should = getattr(found, name), getattr(wanted, name)
        if is_ != should and not (rgb and name == "matrix"):
            return f"{name} tag is {is_} instead of {should}"
    if (found.range == _FULL) != (wanted.range == _FULL) and not rgb:
        return f"range tag is {found.range} instead of {wanted.range}"
    return None


def _times(
    stream: VideoStream,
    found: _Found,
    clip: Clip,
    plan: OutputPlan,
    times: list[int],
    copied: Sequence[CopiedStream],
) -> str | None:
    if found.packets != len(times):
        return f"{found.packets} instead of {len(times)} frames"
    if plan.container == Y4M:
        return None
    if len(found.times) != found.packets:
        return f"{found.packets - len(found.times)} frames have no time"
    slack = max(_CLOCKS.get(plan.container, Fraction(0)), stream.time_base or Fraction(0))
    wanted = [t * clip.time_base for t in times]
    earliest = min([Fraction(0), wanted[0], *(c.first for c in copied if c.first is not None)])
    offset = sorted(found.times)[0] - wanted[0]
    if plan.container not in _SHIFTING and abs(offset + earliest) > slack:
        offset = Fraction(0)
    worst = max(abs(f - w - offset) for f, w in zip(sorted(found.times), wanted, strict=True))
    return f"frame times differ by up to {float(worst) * 1000:.1f} ms" if worst > slack else None


def _others(
    container: av.container.InputContainer,
    found: dict[int, _Found],
    plan: OutputPlan,
    video: list[Fraction],
    first: Fraction,
    copied: Sequence[CopiedStream],
) -> str | None:
    offset = min(video) - first
    for wanted in copied:
        stream = container.streams[wanted.index % len(container.streams)]
        is_ = found[stream.index]
        name = f"{wanted.kind} stream {stream.index}"
        if stream.type != wanted.kind:
            return f"stream {stream.index} is {stream.type} instead of {wanted.kind}"
        exact = wanted.kind in ("audio", "video")
        if wanted.recut:
            if is_.size != wanted.size:
                return f"{name} has {is_.size} instead of {wanted.size} bytes of samples"
        elif is_.packets < wanted.packets or (exact and is_.packets > wanted.packets):
            return f"{name} has {is_.packets} instead of {wanted.packets} packets"
        if wanted.kind == "audio" and wanted.first is not None and is_.times and plan.container != "avi":
            base = stream.time_base or Fraction(0)
            apart = abs(min(is_.times) - wanted.first - offset)
            if apart > 2 * max(_CLOCKS.get(plan.container, Fraction(0)), base):
                return f"{name} is {float(apart) * 1000:.1f} ms off against the pictures"
    return None


def _decode_ends(path: Path, index: int, clip: Clip, plan: OutputPlan) -> str | None:
    with av.open(str(path)) as container:
        stream = video_stream(container, index)
        alpha = alpha_decoder(stream)
        first = next(container.decode(stream) if alpha is None else _decoded_by(alpha, container, stream), None)
        if first is None or first.is_corrupt:
            return "its first frame can't be decoded"
        if plan.container in ROTATING_CONTAINERS and _turn(display_matrix(first)) != _turn(clip.display_matrix):
            return "the rotation is lost"
        if carries_tags(plan.container, plan.codec) and alpha is None:  # whose decoder knows nothing of the file's
            wrong = _unlike(tags_of(first), reported(plan.tags, plan.codec), plan)
            if wrong is not None:
                return f"in its pictures the colour {wrong}"
        if "yuva" in plan.pix_fmt and "yuva" not in first.format.name:
            return "its alpha is lost"
        order = int(stream.codec_context.field_order)
        told = (first_field(first, order), field_of(first))
        if clip.fields is not None and keeps_fields(plan.encoder) and told != (clip.fields, clip.fields):
            return f"its {clip.fields} field does not come first any more"
        lit = carries_hdr(plan.encoder) or holds_hdr(plan.container)
        if clip.light is not None and lit and content_light(first) != clip.light:
            return f"the content light level is {content_light(first)} instead of {clip.light}"
        if clip.mastering is not None and lit:
            found = mastering_display(first)
            if found is None or not _same_display(found, clip.mastering):
                return "the mastering display's data are " + ("lost" if found is None else "not the same")
    count, corrupt = _decoded(path, index, sought=True)
    if not count:  # MPEG-TS has no index: a short file may be sought past its last key frame
        count, corrupt = _decoded(path, index, sought=False)
    return None if count and not corrupt else "its last frames can't be decoded"


def _same_display(found: MasteringDisplay, wanted: MasteringDisplay) -> bool:
    """Whether two displays are the same but for the steps in which codecs count."""
    points = [
        abs(a - b)
        for one, other in zip((*found.primaries, found.white), (*wanted.primaries, wanted.white), strict=True)
        for a, b in zip(one, other, strict=True)
    ]
    lights = [abs(a - b) <= _LIGHT_STEP + b / 1000 for a, b in zip(found.luminance, wanted.luminance, strict=True)]
    return max(points) <= _POINT_STEP and all(lights)


def _decoded_by(
    decoder: VideoCodecContext, container: av.container.InputContainer, stream: VideoStream
) -> Iterator[av.VideoFrame]:
    for packet in container.demux(stream):
        yield from decoder.decode(packet)


def _decoded(path: Path, index: int, sought: bool) -> tuple[int, int]:
    """How many frames decode from the last key frame on, or from the beginning, and how many are corrupt.

    Before the last of them, frames that no other refers to are left out, which halves the time.
    """
    with av.open(str(path)) as container:
        stream = video_stream(container, index)
        context = stream.codec_context
        context.thread_type, context.thread_count = "AUTO", min(cores(), _THREADS)  # nothing else is at work by now
        if stream.duration and sought:
            start = stream.start_time or 0
            container.seek(start + max(stream.duration - 1, 0), stream=stream)
        count, corrupt = 0, 0
        waiting: deque[Packet] = deque()
        for packet in container.demux(stream):
            waiting.append(packet)
            ended = packet.size == 0
            context.skip_frame = "DEFAULT" if ended else "NONREF"
            while waiting and (ended or len(waiting) > _LAST):
                for frame in context.decode(waiting.popleft()):
                    count, corrupt = count + 1, corrupt + bool(frame.is_corrupt)
    return count, corrupt


def _turn(matrix: tuple[int, ...] | None) -> tuple[int, ...]:
    """The rotation and mirroring of a display matrix, without its translation."""
    return (1, 0, 0, 1) if matrix is None else tuple(round(matrix[i] / 65536) for i in (0, 1, 3, 4))
