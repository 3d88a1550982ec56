"""Which file, container, encoder and pixel format a graded video gets."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import av

from streamct.errors import OutputError, SettingsError
from streamct.media.formats import DIRECT, FULL_RANGE_ALIASES
from streamct.model import Clip, PixelFormat
from streamct.settings import OutputSettings

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
_OPTIONS = {
    "ffv1": {"level": "3", "slices": "12", "slicecrc": "1", "coder": "1", "context": "0", "g": "1"},
    "mjpeg": {"qscale": "2"},
    "dnxhd": {"profile": "dnxhr_hq"},
}


@dataclass(frozen=True, slots=True)
class OutputPlan:
    """How the output will be written.

    path: the final file. container: FFmpeg's muxer. encoder, pix_fmt, options: of the video. notes: lines that
    tell the user where the output differs from what was asked for or from the input.
    """

    path: Path
    container: str
    encoder: str
    codec: str
    pix_fmt: str
    options: dict[str, str]
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
    pix_fmt = _pixel_format(clip.format, encoder, settings.pix_fmt, notes)
    return OutputPlan(path, container, encoder, codec, pix_fmt, _options(encoder, settings), tuple(notes))


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


def _pixel_format(layout: PixelFormat, encoder: str, wanted: str | None, notes: list[str]) -> str:
    takes = [f.name for f in av.codec.Codec(encoder, "w").video_formats or []]
    if wanted is not None:
        if takes and wanted not in takes:
            close = difflib.get_close_matches(wanted, takes, n=1, cutoff=0.0)
            raise SettingsError(f"output.pix_fmt = {wanted!r}: {encoder} does not take it (did you mean {close[0]!r}?)")
        return wanted
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
    if layout.rgb == chosen.rgb and not lost:
        return spelled[chosen.name]
    detail = f", which loses {' and '.join(lost)}" if lost else ""
    notes.append(f"{encoder} does not take {layout.name}; the output is {chosen.name}{detail}")
    return spelled[chosen.name]


def _nearest(layout: PixelFormat, choices: list[PixelFormat]) -> PixelFormat:
    def loss(other: PixelFormat) -> tuple[int, int, int, int, int]:
        chroma = max(0, other.sub_x - layout.sub_x) + max(0, other.sub_y - layout.sub_y)
        depth = max(0, layout.depth - other.depth)
        excess = abs(other.depth - layout.depth) + abs(other.sub_x - layout.sub_x)
        return depth, chroma, layout.alpha and not other.alpha, layout.rgb != other.rgb, excess

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
