"""Clips with everything in them, made sample by sample: any pixel format, any times, many streams."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

Planes = list[NDArray[Any]]


def plane_shapes(pix_fmt: str, width: int, height: int) -> list[tuple[int, int, type]]:
    """(rows, samples a row, dtype) of each plane of a frame, by FFmpeg's own description of the format."""
    frame = av.VideoFrame(width, height, pix_fmt)
    deep = max(component.bits for component in frame.format.components) > 8
    packed = len(frame.planes) < len(frame.format.components)
    shapes = []
    for index, plane in enumerate(frame.planes):
        share = len(frame.format.components) if len(frame.planes) == 1 else 2 if packed and index == 1 else 1
        shapes.append((plane.height, plane.width * share, np.uint16 if deep else np.uint8))
    return shapes


def random_planes(pix_fmt: str, width: int, height: int, seed: int = 0) -> Planes:
    """Random codes in the format's whole range (p010 and its kin: at the top of the 16 bits)."""
    rng = np.random.default_rng(seed)
    depth = max(component.bits for component in av.VideoFormat(pix_fmt).components)
    shift = 16 - depth if pix_fmt.startswith(("p010", "p012", "p210", "p410")) else 0
    return [
        (rng.integers(0, 1 << depth, (rows, columns)) << shift).astype(dtype)
        for rows, columns, dtype in plane_shapes(pix_fmt, width, height)
    ]


def frame_of(planes: Planes, pix_fmt: str, width: int, height: int) -> av.VideoFrame:
    """A frame with these samples."""
    frame = av.VideoFrame(width, height, pix_fmt)
    for plane, samples in zip(frame.planes, planes, strict=True):
        flat = np.frombuffer(memoryview(plane), samples.dtype)
        step = plane.line_size // samples.itemsize
        flat[: step * samples.shape[0]].reshape(samples.shape[0], step)[:, : samples.shape[1]] = samples
    return frame


def samples_of(frame: av.VideoFrame) -> Planes:
    """Copies of a frame's samples, one array a plane."""
    out = []
    for plane, (rows, columns, dtype) in zip(
        frame.planes, plane_shapes(frame.format.name, frame.width, frame.height), strict=True
    ):
        flat = np.frombuffer(memoryview(plane), dtype)
        step = plane.line_size // flat.itemsize
        out.append(flat[: step * rows].reshape(rows, step)[:, :columns].copy())
    return out


def write_planes(
    path: Path,
    pix_fmt: str,
    frames: Sequence[Planes],
    size: tuple[int, int],
    *,
    codec: str = "ffv1",
    times: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    rate: Fraction = Fraction(25),
    tags: tuple[int, int, int, int] = (2, 2, 2, 0),
    aspect: Fraction | None = None,
    rotation: int | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    fields: str | None = None,
    untold: bool = False,
    stereo: str | None = None,
) -> Path:
    """One video stream with just these samples. tags: matrix, primaries, transfer, range. fields: "tff" or "bff".
    untold: only the frames tell their order, not the headers. stereo: the mode in which they hold two views."""
    width, height = size
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        stream = container.add_stream(
            codec, rate=rate, width=width, height=height, options=options or {}, time_base=time_base
        )
        stream.pix_fmt = pix_fmt
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = tags
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        if rotation is not None:
            stream.set_display_rotation(rotation)
        if stereo is not None:
            stream.metadata["stereo_mode"] = stereo
        marker = _field_marker(fields, pix_fmt, size, time_base) if fields else None
        if fields is not None and not untold:
            context.field_order = 2 if fields == "tff" else 3
        for index, planes in enumerate(frames):
            frame = frame_of(planes, pix_fmt, width, height)
            frame.colorspace, frame.color_range = tags[0], tags[3]
            frame.pts, frame.time_base = (times[index] if times else index), time_base
            if marker is not None:
                marker.push(frame)
                frame = marker.pull()
            container.mux(stream.encode(frame))
        for packet in stream.encode(None):
            if codec == "libx265" and len(frames) < 3:
                packet.dts = packet.pts  # x265 has none for so few
            container.mux(packet)
    return path


def _field_marker(fields: str, pix_fmt: str, size: tuple[int, int], time_base: Fraction) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_buffer(width=size[0], height=size[1], format=av.VideoFormat(pix_fmt, *size), time_base=time_base)
    marker, sink = graph.add("setfield", fields), graph.add("buffersink")
    source.link_to(marker)
    marker.link_to(sink)
    graph.configure()
    return graph


def write_packed(path: Path, pix_fmt: str, frames: Sequence[NDArray[np.uint8]], size: tuple[int, int]) -> Path:
    """Raw frames of a packed format, each (rows, bytes a row)."""
    width, height = size
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=25, width=width, height=height)
        stream.pix_fmt = pix_fmt
        for index, rows in enumerate(frames):
            frame = av.VideoFrame(width, height, pix_fmt)
            flat = np.frombuffer(memoryview(frame.planes[0]), np.uint8)
            step = frame.planes[0].line_size
            flat[: step * height].reshape(height, step)[:, : rows.shape[1]] = rows
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_rich(
    path: Path,
    *,
    frames: int = 20,
    size: tuple[int, int] = (64, 48),
    video: str = "libx264",
    audios: Sequence[str] = ("aac", "aac"),
    subtitle: str | None = None,
    attachment: bool = False,
    chapters: bool = True,
    options: dict[str, str] | None = None,
    fast_start: bool = False,
) -> Path:
    """A clip with sound tracks in two languages, subtitles, chapters, an attachment and metadata."""
    width, height = size
    seconds = frames / 25
    muxer = {"movflags": "faststart"} if fast_start else {}
    with av.open(str(path), "w", container_options=muxer) as container:
        container.metadata.update({"title": "A day at sea", "comment": "made by code", "artist": "nobody"})
        stream = container.add_stream(video, rate=25, width=width, height=height, options=options or {})
        stream.pix_fmt = "yuv420p"
        stream.metadata["language"] = "eng"
        sounds = []
        for index, name in enumerate(audios):
            sound = container.add_stream(name, rate=48000, layout="mono")
            sound.metadata["language"] = ("eng", "deu", "fra")[index]
            sound.disposition = av.stream.Disposition.default if index == 0 else av.stream.Disposition.comment
            sounds.append(sound)
        text = container.add_mux_stream(subtitle, time_base=Fraction(1, 1000)) if subtitle else None
        if text is not None:
            text.metadata["language"] = "nld"
        if attachment:
            container.add_attachment("font.ttf", "application/x-truetype-font", b"not really a font" * 10)
        if chapters:
            _add_chapters(container, int(seconds * 1000))
        for index in range(frames):
            frame = frame_of(moving_planes(index, width, height), "yuv420p", width, height)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for index, sound in enumerate(sounds):
            _write_noise(container, sound, seconds, index)
        if text is not None:
            for number, start in enumerate(range(0, int(seconds * 1000) - 100, 300)):
                payload = f"line {number}".encode()
                packet = av.Packet(len(payload).to_bytes(2, "big") + payload if subtitle == "mov_text" else payload)
                packet.pts = packet.dts = start
                packet.duration, packet.time_base, packet.stream = 200, Fraction(1, 1000), text
                container.mux(packet)
    return path


def moving_planes(index: int, width: int, height: int) -> Planes:
    """Y'CbCr 4:2:0 planes of a gradient that moves."""
    y, x = np.mgrid[0:height, 0:width]
    luma = 40 + (3 * x + 2 * y + 5 * index) % 160
    cy, cx = np.mgrid[0 : (height + 1) // 2, 0 : (width + 1) // 2]
    return [p.astype(np.uint8) for p in (luma, 90 + (2 * cx + index) % 70, 100 + (2 * cy + index) % 60)]


def _write_noise(container: av.container.OutputContainer, stream: Any, seconds: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kind = stream.codec_context.format.name if stream.codec_context.format else "fltp"
    for start in range(0, int(48000 * seconds), 1024):
        noise = rng.uniform(-0.2, 0.2, (1, 1024))
        samples = noise.astype(np.float32) if kind.startswith("flt") else (noise * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples, kind, "mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def packet_hashes(path: Path, kinds: Sequence[str] = ("audio", "subtitle")) -> list[tuple[str, str]]:
    """Kind and hash over all packets' bytes of each stream of these kinds, in the file's order."""
    with av.open(str(path), metadata_errors="replace") as container:
        hashes = {s.index: hashlib.sha256() for s in container.streams if s.type in kinds}
        names = {s.index: s.type for s in container.streams}
        streams = [s for s in container.streams if s.index in hashes]
        for packet in container.demux(streams) if streams else ():
            if packet.size:
                hashes[packet.stream.index].update(bytes(packet))
    return [(names[index], found.hexdigest()) for index, found in hashes.items()]


def packet_times(path: Path, kind: str, number: int = 0) -> list[Fraction]:
    """Presentation times in seconds of one stream's packets, in order."""
    with av.open(str(path), metadata_errors="replace") as container:
        stream = [s for s in container.streams if s.type == kind][number]
        return sorted(p.pts * p.time_base for p in container.demux(stream) if p.size and p.pts is not None)


def write_sound(path: Path) -> Path:
    """A file with a sound track and nothing else."""
    with av.open(str(path), "w") as container:
        _write_noise(container, container.add_stream("aac", rate=48000, layout="mono"), 0.5, 0)
    return path


def write_with_cover(
    path: Path, *, video: bool, first: bool = False, chapters: bool = False, timecode: str | None = None
) -> Path:
    """A sound track and a cover picture, with or without a real video. first: the cover comes before all others."""
    width, height = 64, 48
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=25, width=16, height=16) if first else None
        stream = container.add_stream("libx264", rate=25, width=width, height=height) if video else None
        sound = container.add_stream("aac", rate=48000, layout="mono")
        cover = cover or container.add_stream("mjpeg", rate=25, width=16, height=16)
        if stream is not None and timecode is not None:
            stream.metadata["timecode"] = timecode
        if chapters:
            _add_chapters(container, 320)
        cover.pix_fmt = "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = frame_of(moving_planes(0, 16, 16), "yuvj420p", 16, 16)
        picture.pts = 0
        for packet in [*cover.encode(picture), *cover.encode(None)]:
            container.mux(packet)
        for index in range(8 if stream is not None else 0):
            frame = frame_of(moving_planes(index, width, height), "yuv420p", width, height)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode(None))
        _write_noise(container, sound, 0.3, 0)
    return path


def _add_chapters(container: av.container.OutputContainer, milliseconds: int) -> None:
    half = milliseconds // 2
    container.set_chapters(
        [
            {"id": n, "start": a, "end": b, "time_base": Fraction(1, 1000), "metadata": {"title": f"part {n}"}}
            for n, (a, b) in enumerate([(0, half), (half, milliseconds)])
        ]
    )


def shift_audio(source: Path, target: Path, seconds: int) -> Path:
    """A copy of a clip whose sound starts later."""
    with av.open(str(source)) as before, av.open(str(target), "w") as after:
        streams = {s.index: after.add_stream_from_template(s, opaque=True) for s in before.streams}
        for packet in before.demux():
            if packet.size:
                if packet.stream.type == "audio":
                    packet.pts += seconds / packet.time_base
                    packet.dts += seconds / packet.time_base
                packet.stream = streams[packet.stream.index]
                after.mux(packet)
    return target


def write_two_videos(path: Path) -> Path:
    """Two video streams of different size."""
    with av.open(str(path), "w") as container:
        sizes = [(64, 48), (32, 24)]
        videos = [container.add_stream("libx264", rate=25, width=w, height=h) for w, h in sizes]
        for index in range(6):
            for video, size in zip(videos, sizes, strict=True):
                frame = frame_of(moving_planes(index, *size), "yuv420p", *size)
                frame.pts, frame.time_base = index, Fraction(1, 25)
                container.mux(video.encode(frame))
        for video in videos:
            container.mux(video.encode(None))
    return path


def codec_tag(path: Path) -> str:
    """Four letters by which a container names its video's codec."""
    with av.open(str(path)) as container:
        return str(container.streams.video[0].codec_context.codec_tag)
