"""Which file, container, encoder and pixel format a graded video gets."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
from av.video.codeccontext import VideoCodecContext
from av.video.format import names  # type: ignore[attr-defined]

from streamct.errors import OutputError, SettingsError
from streamct.media.formats import DIRECT, FULL_RANGE_ALIASES
from streamct.media.probe import reason
from streamct.model import Clip, ColorTags, PixelFormat
from streamct.settings import OutputSettings

os.environ.setdefault("SVT_LOG", "0")  # else SVT-AV1 writes a page to stderr

_CONTAINERS = {
    ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".avi": "avi",
    ".ts": "mpegts", ".m2ts": "mpegts", ".mts": "mpegts", ".nut": "nut", ".flv": "flv", ".3gp": "3gp",
}  # fmt: skip
_LIMITED = {
    "mpegts": {"h264", "hevc", "mpeg2video"},
    "avi": {"ffv1", "mjpeg", "mpeg4", "rawvideo"},
    "mp4": {"h264", "hevc", "av1", "vp9", "mjpeg", "mpeg4"},
}
"""Codecs that a container holds in practice, with exact times, where its muxer claims more (or nothing)."""
ROTATING_CONTAINERS = {"mp4", "mov", "matroska"}
"""Containers that carry a rotation for display."""
_TAGGING_CONTAINERS = {"mp4", "mov", "matroska", "webm"}
_TAGGING_CODECS = {"h264", "hevc", "av1", "prores"}
_RGB, _BT709 = 0, 1  # of ITU-T H.273
_LIMITED_RANGE, _FULL = 1, 2  # of AVColorRange
_DEFAULT_ENDINGS = {".mp4", ".m4v", ".mov", ".mkv", ".ts", ".m2ts", ".mts", ".webm", ".avi", ".nut"}

_ENCODERS = {
    "h264": "libx264", "x264": "libx264", "avc": "libx264", "hevc": "libx265", "h265": "libx265",
    "x265": "libx265", "vp9": "libvpx-vp9", "av1": "libsvtav1", "prores": "prores_ks", "dnxhr": "dnxhd",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Quality:
    limits: tuple[float, float]
    crf: float
    presets: tuple[str, ...] = ()
    preset: str | None = None
    options: dict[str, str] = field(default_factory=dict)


_X26X = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip
_QUALITY = {
    "libx264": _Quality((0, 51), 16, _X26X, "veryfast"),
    "libx265": _Quality((0, 51), 18, _X26X, "fast", {"x265-params": "log-level=none"}),
    "libsvtav1": _Quality((1, 63), 20, tuple(str(n) for n in range(14)), "8"),
    "libvpx-vp9": _Quality((0, 63), 20, (), None, {"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}),
}
_EVEN_SIZES = {"libx264", "libx265"}  # which want chroma samples to tile the picture
_FFV1_SLICES = ("12", "9", "6", "4", "1")  # odd sizes don't divide into each of these
_SMALL = 128
_X265_SMALL = ":asm=0:aq-mode=0:cutree=0"  # x265 4.1 writes past its buffers on pictures of a few blocks
_OPTIONS = {
    "ffv1": {"level": "3", "slices": "12", "slicecrc": "1", "coder": "1", "context": "0", "g": "1"},
    "mjpeg": {"qscale": "2", "strict": "unofficial"},  # which allows limited range
    "dnxhd": {"profile": "dnxhr_hq"},
}


@dataclass(frozen=True, slots=True)
class OutputPlan:
    """How the output will be written.

    path: the final file. container: FFmpeg's muxer. encoder, pix_fmt, options: of the video. tags: its colours;
    the source's, unless RGB becomes Y'CbCr or the other way, or a format said full range by its name alone.
    notes: lines that tell the user where the output differs from what was asked for or from the input.
    """

    path: Path
    container: str
    encoder: str
    codec: str
    pix_fmt: str
    options: dict[str, str]
    tags: ColorTags
    notes: tuple[str, ...] = ()


def resolve_output(clip: Clip, output: Path | None, settings: OutputSettings) -> OutputPlan:
    """Decide path, container, encoder and pixel format.

    Raises:
        SettingsError: unknown codec, preset or pixel format, or crf out of the codec's range.
        OutputError: the container asked for can't hold the codec.
    """
    encoder = _encoder(settings.codec)
    codec = av.codec.Codec(encoder, "w").canonical_name
    notes: list[str] = []
    if output is None:
        path, container = _default_path(clip.path, codec, encoder, notes)
    else:
        path = output
        container = _container(output)
        if not _holds(container, codec):
            fits = [ending for ending, name in _CONTAINERS.items() if _holds(name, codec)]
            raise OutputError(
                f"{output}: {output.suffix} files can't hold {codec} video with exact times. "
                f"Name the output {' or '.join(fits[:4])}, or choose another --codec."
            )
    pix_fmt = _pixel_format(clip, encoder, settings.pix_fmt, notes)
    options = _options(encoder, settings)
    if encoder == "libx265" and min(clip.width, clip.height) < _SMALL:
        options["x265-params"] += _X265_SMALL
    _try_encoder(clip, path, encoder, pix_fmt, options)
    tags = _tags(clip, pix_fmt)
    if tags != ColorTags() and not carries_tags(container, codec):
        notes.append(f"{path.suffix} files carry no colour tags for {codec} video; players will guess them")
    if clip.display_matrix is not None and container not in ROTATING_CONTAINERS:
        notes.append(f"{path.suffix} files carry no rotation; the video will be shown as it is stored")
    return OutputPlan(path, container, encoder, codec, pix_fmt, options, tags, tuple(notes))


def _tags(clip: Clip, pix_fmt: str) -> ColorTags:
    tags, coding = clip.tags, clip.coding
    becomes_rgb = av.VideoFormat(pix_fmt).is_rgb
    if clip.format.rgb and not becomes_rgb:
        return replace(tags, matrix=_BT709, range=_FULL if coding.full_range else _LIMITED_RANGE)
    if becomes_rgb and not clip.format.rgb:
        return replace(tags, matrix=_RGB, range=_FULL)
    if coding.full_range and not becomes_rgb:
        return replace(tags, range=_FULL)
    return tags


def carries_tags(container: str, codec: str) -> bool:
    """Whether matrix, primaries and transfer survive: in the container, or in the codec's own headers."""
    return codec != "mjpeg" and (container in _TAGGING_CONTAINERS or codec in _TAGGING_CODECS)


def _try_encoder(clip: Clip, path: Path, encoder: str, pix_fmt: str, options: dict[str, str]) -> None:
    """Open the encoder once, so that a refusal comes before anything is decoded. FFV1 gets as many slices as fit."""
    choices = _FFV1_SLICES if encoder == "ffv1" else (options.get("slices"),)
    for slices in choices:
        if slices is not None:
            options["slices"] = slices
        try:
            context = av.CodecContext.create(encoder, "w")
            assert isinstance(context, VideoCodecContext)
            context.width, context.height, context.pix_fmt = clip.width, clip.height, pix_fmt
            context.framerate = clip.rate or Fraction(25)
            context.time_base = clip.time_base
            context.options = dict(options)
            context.open()
            return
        except (av.FFmpegError, ValueError) as cause:
            if slices == choices[-1]:
                raise OutputError(
                    f"{path}: the encoder {encoder} refused {clip.width}x{clip.height} {pix_fmt} with {options} "
                    f"({reason(cause)}). Choose another --codec."
                ) from cause


def _encoder(name: str) -> str:
    wanted = _ENCODERS.get(name.lower(), name.lower())
    try:
        codec = av.codec.Codec(wanted, "w")
    except (av.FFmpegError, ValueError) as cause:
        known = sorted({*_ENCODERS, *_OPTIONS})
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
        raise SettingsError(
            f"output.codec = {name!r}: no such encoder (did you mean {close[0]!r}?). Usual ones: {', '.join(known)}."
        ) from cause
    if codec.type != "video":
        raise SettingsError(f"output.codec = {name!r}: encodes {codec.type}, not video")
    return wanted


def _container(path: Path) -> str:
    name = _CONTAINERS.get(path.suffix.lower())
    if name is None:
        raise OutputError(
            f"{path}: no container is known for {path.suffix or 'a name without an ending'!r}. "
            f"Use one of {', '.join(_CONTAINERS)}."
        )
    return name


def _holds(container: str, codec: str) -> bool:
    if container in _LIMITED:
        return codec in _LIMITED[container]
    return codec in supported_codecs(container)


@cache
def supported_codecs(container: str) -> frozenset[str]:
    """Names of the codecs that a muxer takes, as it says itself."""
    with av.open(os.devnull, "w", format=container) as scratch:
        return frozenset(scratch.supported_codecs)


def _default_path(source: Path, codec: str, encoder: str, notes: list[str]) -> tuple[Path, str]:
    ending = source.suffix.lower()
    if ending in _DEFAULT_ENDINGS and _holds(_CONTAINERS[ending], codec):
        return source.with_name(f"{source.stem}.graded{source.suffix}"), _CONTAINERS[ending]
    path = source.with_name(f"{source.stem}.graded.mkv")
    notes.append(f"{ending or 'this'} files can't hold {codec} video with exact times; writing {path.name}")
    return path, "matroska"


def _pixel_format(clip: Clip, encoder: str, wanted: str | None, notes: list[str]) -> str:
    layout = clip.format
    takes = [f.name for f in av.codec.Codec(encoder, "w").video_formats or []]
    if wanted is not None:
        known = takes or sorted(names)
        if wanted not in known:
            close = difflib.get_close_matches(wanted, known, n=1, cutoff=0.0)
            raise SettingsError(f"output.pix_fmt = {wanted!r}: {encoder} does not take it (did you mean {close[0]!r}?)")
        return wanted
    if encoder in _EVEN_SIZES:
        takes = [name for name in takes if _divides(clip, name)]
    if not takes or layout.name in takes:
        return layout.name
    spelled = {FULL_RANGE_ALIASES.get(name, name): name for name in reversed(takes)}
    if layout.name in spelled:
        return spelled[layout.name]
    chosen = _nearest(layout, [DIRECT[name] for name in spelled if name in DIRECT])
    lost = [
        what
        for what, gone in (
            ("alpha", layout.alpha and not chosen.alpha),
            ("bit depth", chosen.depth < layout.depth),
            ("chroma resolution", (chosen.sub_x, chosen.sub_y) > (layout.sub_x, layout.sub_y)),
        )
        if gone
    ]
    if layout.rgb == chosen.rgb and not lost and (chosen.sub_x, chosen.sub_y) == (layout.sub_x, layout.sub_y):
        return spelled[chosen.name]
    detail = f", which loses {' and '.join(lost)}" if lost else ""
    size = (
        f" of {clip.width}x{clip.height} pixels" if encoder in _EVEN_SIZES and not _divides(clip, layout.name) else ""
    )
    notes.append(f"{encoder} does not take {layout.name}{size}; the output is {chosen.name}{detail}")
    return spelled[chosen.name]


def _divides(clip: Clip, name: str) -> bool:
    layout = DIRECT.get(FULL_RANGE_ALIASES.get(name, name))
    return layout is not None and clip.width % (1 << layout.sub_x) == 0 and clip.height % (1 << layout.sub_y) == 0


def _nearest(layout: PixelFormat, choices: list[PixelFormat]) -> PixelFormat:
    def loss(other: PixelFormat) -> tuple[int, ...]:
        chroma = max(0, other.sub_x - layout.sub_x) + max(0, other.sub_y - layout.sub_y)
        depth = max(0, layout.depth - other.depth)
        excess = abs(other.depth - layout.depth) + abs(other.sub_x - layout.sub_x) + abs(other.sub_y - layout.sub_y)
        return depth, chroma, layout.alpha and not other.alpha, layout.rgb != other.rgb, excess, other.alpha

    return min(choices, key=loss)


def _options(encoder: str, settings: OutputSettings) -> dict[str, str]:
    quality = _QUALITY.get(encoder)
    if quality is None:
        if settings.crf is not None:
            raise SettingsError(f"output.crf = {settings.crf:g}: {encoder} has no constant quality; leave it out")
        options = dict(_OPTIONS.get(encoder, {}))
        if settings.encoder_preset is not None:
            options["preset"] = settings.encoder_preset
        return options
    crf = quality.crf if settings.crf is None else settings.crf
    low, high = quality.limits
    if not low <= crf <= high:
        raise SettingsError(f"output.crf = {crf:g}: {encoder} takes {low:g} (best) to {high:g}")
    options = {"crf": f"{crf:g}", **quality.options}
    preset = settings.encoder_preset or quality.preset
    if preset is not None:
        if preset not in quality.presets:
            close = difflib.get_close_matches(preset, quality.presets, n=1, cutoff=0.0)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise SettingsError(
                f"output.encoder_preset = {preset!r}: {encoder} has no such preset{hint}; "
                f"it knows {', '.join(quality.presets) or 'none'}"
            )
        options["preset"] = preset
    return options
