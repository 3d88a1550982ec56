"""Which encoder a graded video gets, in which pixel format, with which options.

Unless told otherwise the encoder follows the source: a colourist's ProRes stays ProRes, 10 bits stay 10 bits.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext
from av.video.format import names  # type: ignore[attr-defined]

from streamct.errors import EncoderRefusalError, SettingsError
from streamct.media.formats import DIRECT, FULL_RANGE_ALIASES, graded_format
from streamct.media.hardware import encoders_by, hardware_codec
from streamct.media.probe import listening, reason
from streamct.media.siting import LEFT, TOP_LEFT, site_in
from streamct.model import Clip, MasteringDisplay, PixelFormat
from streamct.settings import OutputSettings

os.environ.setdefault("SVT_LOG", "0")  # else SVT-AV1 writes a page to stderr

AUTO = "auto"
_ENCODERS = {
    "h264": "libx264", "x264": "libx264", "avc": "libx264", "hevc": "libx265", "h265": "libx265",
    "x265": "libx265", "vp9": "libvpx-vp9", "av1": "libsvtav1", "prores": "prores_ks", "dnxhr": "dnxhd",
}  # fmt: skip
_FOLLOWING = {
    "h264": "libx264", "hevc": "libx265", "av1": "libsvtav1", "vp9": "libvpx-vp9", "vp8": "libvpx-vp9",
    "prores": "prores_ks", "dnxhd": "dnxhd", "ffv1": "ffv1", "mjpeg": "mjpeg",
}  # fmt: skip
"""The encoder that writes what a decoder's codec was."""


@dataclass(frozen=True, slots=True)
class _Quality:
    limits: tuple[float, float]
    crf: float
    presets: tuple[str, ...] = ()
    preset: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    name: str = "crf"


_X26X = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip
_QUALITY = {
    "libx264": _Quality((0, 51), 16, _X26X, "veryfast"),
    "libx264rgb": _Quality((0, 51), 16, _X26X, "veryfast"),
    "libx265": _Quality((0, 51), 18, _X26X, "fast", {"x265-params": "log-level=none"}),
    "libsvtav1": _Quality((1, 63), 20, tuple(str(n) for n in range(14)), "8"),
    "libvpx-vp9": _Quality((0, 63), 20, (), None, {"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}),
}
_NVENC = {"rc": "vbr", "b": "0"}
_NVENC_PRESETS = tuple(f"p{n}" for n in range(1, 8))
_QSV_PRESETS = ("veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
_QUALITY |= {
    f"{codec}_nvenc": _Quality((0, top), best, _NVENC_PRESETS, "p5", _NVENC, "cq")
    for codec, top, best in (("h264", 51, 18), ("hevc", 51, 20), ("av1", 63, 24))
}
_QUALITY |= {
    f"{codec}_qsv": _Quality((1, 51), best, _QSV_PRESETS, "medium", {}, "global_quality")
    for codec, best in (("h264", 18), ("hevc", 20), ("av1", 24))
}
_SEMI_PLANAR = {"nv12": "yuv420p", "nv16": "yuv422p", "p010le": "yuv420p10le", "p210le": "yuv422p10le"}
"""What devices call layouts whose samples are the same as in our planar ones."""
_RAW_FORMATS = {
    "wrapped_avframe": tuple(
        f"yuv{chroma}p{depth}" for chroma in ("420", "422", "444") for depth in ("", "9le", "10le", "12le")
    )
}
"""What Y4M holds, which takes frames as they are and so does not say."""
_TOOLBOX = {"flags": "+qscale", "global_quality": str(70 * 118)}  # of 100, in FFmpeg's units
_OPTIONS = {
    "ffv1": {"level": "3", "slices": "12", "slicecrc": "1", "coder": "1", "context": "0", "g": "1"},
    "mjpeg": {"flags": "+qscale", "qmin": "2", "strict": "unofficial"},  # the last allows limited range
    "prores_ks": {"vendor": "apl0"},
    "h264_videotoolbox": _TOOLBOX,
    "hevc_videotoolbox": _TOOLBOX,
}
_EVEN_SIZES = {"libx264", "libx265"}  # which want chroma samples to tile the picture
_FFV1_SLICES = ("12", "9", "6", "4", "1")  # odd sizes don't divide into each of these
_SMALL = 128
_X265_SMALL = "asm=0:aq-mode=0:cutree=0"  # x265 4.1 writes past its buffers on pictures of a few blocks
_SHORT = 8
_X265_SHORT = "bframes=0"  # and gives no sound decoding times to fewer frames than it reorders
_PRORES = {"Proxy": "proxy", "LT": "lt", "Standard": "standard", "HQ": "hq"}
_DNXHR = {"DNXHR LB": "dnxhr_lb", "DNXHR SQ": "dnxhr_sq", "DNXHR HQ": "dnxhr_hq"}
_PARAMETERS = {"libx264": "x264-params", "libx265": "x265-params", "libsvtav1": "svtav1-params"}
_COUNTING = {"mpeg1video", "mpeg2video", "mpeg4"}
_SPOKEN = {"wrapped_avframe": "raw video"}
_INTERLACING = {"libx264": "+ildct+ilme", "prores_ks": "+ildct", "mpeg2video": "+ildct+ilme", "ffv1": ""}
_INTERLACED_ONLY_IN_NAME = "keeps no fields apart; they stay woven and the output says progressive"


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoder with its settings. loses_depth: it takes fewer bits a sample than the source has."""

    encoder: str
    codec: str
    pix_fmt: str
    options: dict[str, str]
    notes: tuple[str, ...]
    loses_depth: bool = False


def followers(clip: Clip) -> list[str]:
    """Encoders to try for a clip when none is named, best first; the last one is H.264's."""
    own = _FOLLOWING.get(clip.codec)
    deep = ["libx265"] if clip.format.depth > 8 else []
    return list(dict.fromkeys([*([own] if own else []), *deep, "libx264"] if own else ["libx264"]))


def encoder_named(name: str) -> str:
    """FFmpeg's name of an encoder.

    Raises:
        SettingsError: there is none of this name; the message names the nearest.
    """
    wanted = _ENCODERS.get(name.lower(), name.lower())
    try:
        codec = av.codec.Codec(wanted, "w")
    except (av.FFmpegError, ValueError) as cause:
        known = sorted({*_ENCODERS, "ffv1", "mjpeg", "dnxhd"})
        close = encoders_by(name) or difflib.get_close_matches(name, known, n=1)
        hint = f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""
        raise SettingsError(
            f"--codec {name} (output.codec): no such encoder{hint}. Usual ones: {', '.join(known)}."
        ) from cause
    if codec.type != "video":
        raise SettingsError(f"--codec {name} (output.codec): encodes {codec.type}, not video")
    return wanted


def codec_of(encoder: str) -> str:
    """The codec that an encoder writes."""
    return str(av.codec.Codec(encoder, "w").canonical_name)


def keeps_fields(encoder: str) -> bool:
    """Whether interlaced pictures stay interlaced, and tagged so."""
    return encoder in _INTERLACING


def counts_frames(codec: str) -> bool:
    """Whether a codec's encoder wants the frame rate for its clock and numbers for times."""
    return codec in _COUNTING


def spoken(encoder: str) -> str:
    """What an encoder is called in messages."""
    return _SPOKEN.get(encoder, encoder)


def carries_hdr(encoder: str) -> bool:
    """Whether static HDR data are written into the stream."""
    return encoder in _PARAMETERS


def encoding(clip: Clip, encoder: str, settings: OutputSettings) -> Encoding:
    """Pixel format and options for a clip; the encoder is opened once, so that a refusal comes at once.

    With `settings.codec` "auto", a crf or preset that the encoder does not know is left out and said.

    Raises:
        SettingsError: preset or pixel format unknown, or crf out of the codec's range.
        OutputError: the encoder refuses such a picture.
    """
    notes: list[str] = []
    if settings.codec == AUTO:
        settings = _applicable(encoder, settings, notes)
    pix_fmt, loses_depth = _pixel_format(clip, encoder, settings.pix_fmt, notes)
    options = _options(encoder, settings)
    profile = _profile(clip, encoder, pix_fmt)
    if encoder == "dnxhd" and clip.profile == "DNXHD":
        notes.append(
            f"DNxHD becomes {(profile or '').upper().replace('DNXHR_', 'DNxHR ')}, which has no fixed data rates"
        )
    if profile is not None:
        options["profile"] = profile
    parameters = [*_small(clip, encoder), *_described(clip, encoder, pix_fmt, notes)]
    if parameters:
        name = _PARAMETERS[encoder]
        options[name] = ":".join([*([options[name]] if name in options else []), *parameters])
    if clip.fields is not None and _INTERLACING.get(encoder):
        options["flags"] = options.get("flags", "") + _INTERLACING[encoder]
    _try(clip, encoder, pix_fmt, options)
    return Encoding(encoder, codec_of(encoder), pix_fmt, options, tuple(notes), loses_depth)


def _try(clip: Clip, encoder: str, pix_fmt: str, options: dict[str, str]) -> None:
    """Open the encoder. FFV1 gets as many slices as fit."""
    choices = _FFV1_SLICES if encoder == "ffv1" else (options.get("slices"),)
    for slices in choices:
        if slices is not None:
            options["slices"] = slices
        lines: list[tuple[int, str, str]] = []
        try:
            context = av.CodecContext.create(encoder, "w")
            assert isinstance(context, VideoCodecContext)
            context.width, context.height, context.pix_fmt = clip.width, clip.height, pix_fmt
            context.framerate = clip.rate or Fraction(25)
            context.time_base = 1 / context.framerate if counts_frames(codec_of(encoder)) else clip.time_base
            context.options = dict(options)
            with listening(av.logging.ERROR) as lines:
                context.open()
            if hardware_codec(encoder) is not None:  # an opened device may still fail at work
                frame = av.VideoFrame(clip.width, clip.height, pix_fmt)
                frame.pts, frame.time_base = 0, clip.time_base
                if not [*context.encode(frame), *context.encode(None)]:
                    raise ValueError("it encodes nothing")
            return
        except (av.FFmpegError, ValueError) as cause:
            if slices == choices[-1]:
                why = lines[0][2].strip().rstrip(".") if lines else reason(cause)
                given = f" with {options}" if options else ""
                raise EncoderRefusalError(
                    f"{clip.path}: the encoder {encoder} refused {clip.width}x{clip.height} {pix_fmt}{given} "
                    f"({why}). Choose another --codec.",
                    why,
                ) from cause


def _applicable(encoder: str, settings: OutputSettings, notes: list[str]) -> OutputSettings:
    quality = _QUALITY.get(encoder)
    crf, preset = settings.crf, settings.encoder_preset
    if crf is not None and quality is None:
        notes.append(f"--crf {crf:g} (output.crf) does not apply to {spoken(encoder)} and is left out")
        crf = None
    known = {name for q in _QUALITY.values() for name in q.presets}
    if preset in known and (quality is None or preset not in quality.presets):
        notes.append(
            f"--encoder-preset {preset} (output.encoder_preset) does not apply to {spoken(encoder)} and is left out"
        )
        preset = None
    return settings.model_copy(update={"crf": crf, "encoder_preset": preset})


def _options(encoder: str, settings: OutputSettings) -> dict[str, str]:
    quality = _QUALITY.get(encoder)
    if quality is None:
        if settings.crf is not None:
            raise SettingsError(f"--crf {settings.crf:g} (output.crf): {encoder} has no constant quality; leave it out")
        options = dict(_OPTIONS.get(encoder, {}))
        if settings.encoder_preset is not None:
            options["preset"] = settings.encoder_preset
        return options
    crf = quality.crf if settings.crf is None else settings.crf
    low, high = quality.limits
    if not low <= crf <= high:
        raise SettingsError(f"--crf {crf:g} (output.crf): {encoder} takes {low:g} (best) to {high:g}")
    options = {quality.name: f"{crf:g}", **quality.options}
    preset = settings.encoder_preset or quality.preset
    if preset is not None:
        if preset not in quality.presets:
            close = difflib.get_close_matches(preset, quality.presets, n=1, cutoff=0.0)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise SettingsError(
                f"--encoder-preset {preset} (output.encoder_preset): {encoder} has no such preset{hint}; "
                f"it knows {', '.join(quality.presets) or 'none'}"
            )
        options["preset"] = preset
    return options


def _profile(clip: Clip, encoder: str, pix_fmt: str) -> str | None:
    """The source's profile where the pixel format allows it, else the best one for that."""
    full_chroma = "444" in pix_fmt or av.VideoFormat(pix_fmt).is_rgb
    if encoder == "prores_ks":
        if full_chroma:
            return "4444xq" if clip.profile == "XQ" else "4444"
        return _PRORES.get(clip.profile or "", "hq")
    if encoder == "dnxhd":
        if full_chroma:
            return "dnxhr_444"
        return "dnxhr_hqx" if "10" in pix_fmt else _DNXHR.get(clip.profile or "", "dnxhr_hq")
    return None


def _small(clip: Clip, encoder: str) -> list[str]:
    if encoder != "libx265":
        return []
    narrow = [_X265_SMALL] if min(clip.width, clip.height) < _SMALL else []
    return narrow + ([_X265_SHORT] if clip.frames is not None and clip.frames < _SHORT else [])


def _described(clip: Clip, encoder: str, pix_fmt: str, notes: list[str]) -> list[str]:
    """Parameters by which the encoder repeats what the source says of its samples and of its mastering."""
    parameters = []
    if clip.fields is not None:
        if encoder not in _INTERLACING:
            notes.append(f"{spoken(encoder)} {_INTERLACED_ONLY_IN_NAME}")
        if encoder == "libx264":
            parameters.append("tff=1" if clip.fields == "top" else "bff=1")
    site = site_in(clip, pix_fmt) if "420" in pix_fmt else 0
    if site > 0:
        if encoder in ("libx264", "libx265"):
            parameters.append(f"chromaloc={site - 1}")
        elif encoder == "libsvtav1" and site in (LEFT, TOP_LEFT):
            where = "left" if site == LEFT else "topleft"
            parameters.append(f"chroma-sample-position={where}")
    if encoder in _PARAMETERS:
        parameters += _mastering(encoder, clip.mastering, clip.light)
    return parameters


def _mastering(encoder: str, display: MasteringDisplay | None, light: tuple[int, int] | None) -> list[str]:
    av1 = encoder == "libsvtav1"
    parameters = []
    if display is not None:
        step, unit = (Fraction(1), Fraction(1)) if av1 else (Fraction(1, 50_000), Fraction(1, 10_000))

        def number(value: Fraction, scale: Fraction) -> str:
            return f"{float(value):.6f}" if av1 else str(round(value / scale))

        red, green, blue = display.primaries
        points = (("G", green), ("B", blue), ("R", red), ("WP", display.white))
        text = "".join(f"{name}({number(x, step)},{number(y, step)})" for name, (x, y) in points)
        low, high = display.luminance
        name = "master-display" if encoder == "libx265" else "mastering-display"
        parameters.append(f"{name}={text}L({number(high, unit)},{number(low, unit)})")
    if light is not None:
        name = {"libx264": "cll", "libx265": "max-cll", "libsvtav1": "content-light"}[encoder]
        parameters.append(f"{name}={light[0]},{light[1]}")
    return parameters


def _pixel_format(clip: Clip, encoder: str, wanted: str | None, notes: list[str]) -> tuple[str, bool]:
    layout = clip.format
    takes = list(_RAW_FORMATS.get(encoder, ())) or [f.name for f in av.codec.Codec(encoder, "w").video_formats or []]
    if wanted is not None:
        known = takes or sorted(names)
        if wanted not in known:
            close = difflib.get_close_matches(wanted, known, n=1, cutoff=0.0)
            raise SettingsError(
                f"--pix-fmt {wanted} (output.pix_fmt): {spoken(encoder)} does not take it (did you mean {close[0]!r}?)"
            )
        return wanted, False
    if encoder in _EVEN_SIZES:
        takes = [name for name in takes if _divides(clip, name)]
    if not takes or layout.name in takes:
        return layout.name, False
    spelled = {FULL_RANGE_ALIASES.get(name, _SEMI_PLANAR.get(name, name)): name for name in reversed(takes)}
    if layout.rgb:
        spelled = {graded_format(name).name: name for name in reversed(takes) if _is_packed(name)} | spelled
    if layout.name in spelled:
        return spelled[layout.name], False
    if spelled.keys().isdisjoint(DIRECT):
        spelled = {graded_format(name).name: name for name in reversed(takes) if _is_packed(name)}
    if not spelled:
        raise EncoderRefusalError(
            f"{clip.path}: the encoder {encoder} takes none of the layouts that graded pictures may have, only "
            f"{', '.join(takes[:6])}. Choose another --codec.",
            "it takes no such pictures",
        )
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
    same_chroma = (chosen.sub_x, chosen.sub_y) == (layout.sub_x, layout.sub_y)
    if layout.rgb != chosen.rgb or lost or not same_chroma:
        detail = f", which loses {' and '.join(lost)}" if lost else ""
        tiled = encoder not in _EVEN_SIZES or _divides(clip, layout.name)
        size = "" if tiled else f" of {clip.width}x{clip.height} pixels"
        notes.append(f"{spoken(encoder)} does not take {layout.name}{size}; the output is {chosen.name}{detail}")
    return spelled[chosen.name], chosen.depth < layout.depth


def _is_packed(name: str) -> bool:
    """Whether a format holds red, green and blue of whole bytes side by side, and so all of a planar one."""
    layout = av.VideoFormat(name)
    return layout.is_rgb and not layout.has_palette and min(part.bits for part in layout.components) in (8, 16)


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
