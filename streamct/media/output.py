"""Which file, container, encoder and pixel format a graded video gets."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import av

from streamct.errors import EncoderRefusalError, OutputError, UsageError
from streamct.media.alpha import holds_alpha
from streamct.media.aspect import aspect_notes, held_aspect
from streamct.media.encoders import AUTO, carries_hdr, codec_of, encoder_named, encoding, followers
from streamct.media.endings import KEPT_ENDINGS
from streamct.media.fallback import ALPHA_NOTE, fallback_note, why_not
from streamct.media.formats import graded_format
from streamct.media.hardware import SOFTWARE, hardware_codec
from streamct.media.headers import holds_hdr
from streamct.media.image_read import WRITABLE_EXTENSIONS
from streamct.media.image_write import DEEP_ENDINGS, check_writable
from streamct.media.pipes import DASH, STDIN, STDOUT
from streamct.media.sequence import SEQUENCE, pattern_of
from streamct.media.siting import site_notes
from streamct.media.tags import INTERMEDIATES, PRIMARIES_NAMES, contradictions, nearly
from streamct.model import Clip, ColorTags
from streamct.settings import OutputSettings

Y4M = "yuv4mpegpipe"
_CONTAINERS = {
    ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".avi": "avi",
    ".ts": "mpegts", ".m2ts": "mpegts", ".mts": "mpegts", ".nut": "nut", ".flv": "flv", ".3gp": "3gp",
    ".y4m": Y4M,
}  # fmt: skip
_RAW = "wrapped_avframe"  # FFmpeg's encoder for Y4M
_LIMITED = {
    "mpegts": {"h264", "hevc", "mpeg2video"},
    "avi": {"ffv1", "mjpeg", "mpeg4", "rawvideo"},
    "mp4": {"h264", "hevc", "av1", "vp9", "mjpeg", "mpeg4"},
}
"""Codecs that a container holds in practice, with exact times, where its muxer claims more (or nothing)."""
_ONLY_IN_MP4 = {"vp8", "vp9", "av1"}
"""Codecs that the muxer of MOV claims, and then refuses."""
ROTATING_CONTAINERS = {"mp4", "mov", "matroska"}
"""Containers that carry a rotation for display."""
_TAGGING_CONTAINERS = {"mp4", "mov", "matroska", "webm"}
_TAGGING_CODECS = {"h264", "hevc", "av1", "prores"}
LIMITED_ONLY = {"prores", "dnxhd"}
"""Codecs whose decoders take Y'CbCr for limited range."""
DEFAULT_RATE = 25
"""Frames/s where nothing tells."""
_ANIMATIONS = {"gif", "apng", "webp"}
_STILL_ENDINGS = {".gif", ".apng", ".png", ".webp"}
_HARD_TO_PLAY = "4:4:4 keeps all colour detail, but many players want --pix-fmt yuv420p"
_RGB, _BT709 = 0, 1  # of ITU-T H.273
_LIMITED_RANGE, _FULL = 1, 2  # of AVColorRange
_PIPE_FORMATS = {"matroska": "matroska", "nut": "nut", "y4m": Y4M, "mpegts": "mpegts"}
_PIPE_NAMES = {muxer: name for name, muxer in _PIPE_FORMATS.items()}
_FALLBACKS = ((".mkv", "matroska"), (".mov", "mov"), (".nut", "nut"))
"""Containers for what the source's can't hold, best first."""


@dataclass(frozen=True, slots=True)
class OutputPlan:
    """How the output will be written.

    path: the final file. piped: it is standard output instead, and `path` its name in messages. container: FFmpeg's
    muxer. encoder, pix_fmt, options: of the video. tags: its colours; the source's, unless RGB becomes Y'CbCr or the
    other way, or a format said full range by its name alone. notes: lines that tell the user where the output
    differs from what was asked for or from the input.
    """

    path: Path
    container: str
    encoder: str
    codec: str
    pix_fmt: str
    options: dict[str, str]
    tags: ColorTags
    notes: tuple[str, ...] = ()
    piped: bool = False

    @property
    def kind(self) -> str:
        """What it becomes, in the words of a message: `.mp4 files`."""
        return (
            f"{_PIPE_NAMES.get(self.container, self.container)} streams" if self.piped else f"{self.path.suffix} files"
        )


def resolve_output(clip: Clip, output: Path | None, settings: OutputSettings) -> OutputPlan:
    """Decide path, container, encoder and pixel format. output: `-` for standard output; None: beside the input.

    With the codec "auto" the encoder follows the source; where the container asked for can't hold that codec, or
    no encoder here takes the picture without a loss of bits, it falls back and a note says so.

    Raises:
        SettingsError: unknown codec, preset or pixel format, or crf out of the codec's range.
        OutputError: the container asked for can't hold the codec, or the encoder refuses the picture.
        UsageError: the input comes from a pipe, and no output is named.
    """
    if output is None and clip.path == STDIN:
        raise UsageError("-: what comes from a pipe has no name to derive the output's from. Add -o NAME, or -o -.")
    if output is not None and output.is_dir():
        raise OutputError(f"{output}: is a folder. Name a file in it.")
    if output is None and clip.container == SEQUENCE:
        output = clip.path.with_name(f"{clip.path.stem}.graded{_picture_ending(clip.path)}")
    if output is not None and pattern_of(output) is not None:
        return _pictures(clip, output, settings)
    if _muxer(output, settings) == Y4M and settings.codec == AUTO:
        return _plan(clip, output, _RAW, settings)[0]
    if settings.codec != AUTO:
        if (codec := hardware_codec(settings.codec)) is not None:
            return _hardware(clip, output, codec, settings)
        return _plan(clip, output, encoder_named(settings.codec), settings)[0]
    plans: list[OutputPlan] = []
    refused: OutputError | None = None
    why: str | None = None
    for encoder in followers(clip):
        try:
            plan, loses_depth = _plan(clip, output, encoder, settings)
        except OutputError as error:
            refused = refused or error
            if codec_of(encoder) == clip.codec:
                why = why_not(error, clip, "this output" if output in (None, DASH) else f"{output.suffix} files")
            continue
        plans.append(plan)
        if loses_depth and plan.codec == clip.codec:
            why = f"{encoder} takes no more than {graded_format(plan.pix_fmt).depth} bits a sample here"
        if not loses_depth or (plan.codec == clip.codec and plan.codec in INTERMEDIATES):  # even with fewer bits
            break
    if not plans:
        assert refused is not None
        raise refused
    plan = plans[0] if loses_depth else plans[-1]
    if clip.container == SEQUENCE or clip.codec in _ANIMATIONS:
        if plan.codec == "h264" and "444" in plan.pix_fmt:
            return replace(plan, notes=(*plan.notes, _HARD_TO_PLAY))
    elif plan.codec != clip.codec:
        return replace(plan, notes=(fallback_note(clip, plan.codec, why), *plan.notes))
    return plan


def _plan(clip: Clip, output: Path | None, encoder: str, settings: OutputSettings) -> tuple[OutputPlan, bool]:
    codec = codec_of(encoder)
    notes: list[str] = []
    if output is None:
        path, container = _default_path(clip.path, codec, notes)
    else:
        path, container = _named(output, codec, settings)
    chosen = encoding(clip, encoder, settings)
    notes += chosen.notes
    if "yuva" in chosen.pix_fmt and not holds_alpha(container, codec):
        chosen = replace(chosen, pix_fmt=chosen.pix_fmt.replace("yuva", "yuv", 1))
        notes.append(f"alpha is left out: only Matroska and WebM hold that of {codec} video")
    elif clip.format.alpha and not graded_format(chosen.pix_fmt).alpha:
        notes.append(ALPHA_NOTE)
    if clip.unread_alpha:
        notes.append(f"alpha is left out: nothing here decodes that of this {clip.codec} video")
    tags = _tags(clip, chosen.pix_fmt)
    if codec in LIMITED_ONLY and clip.coding.full_range and not av.VideoFormat(chosen.pix_fmt).is_rgb:
        tags = replace(tags, range=_LIMITED_RANGE)
        if not clip.format.rgb:
            notes.append(f"{codec} video has limited range; the full range of the source is scaled into it")
    notes += _widened(clip, chosen.pix_fmt, tags)
    plan = OutputPlan(path, container, encoder, codec, chosen.pix_fmt, chosen.options, tags, piped=output == DASH)
    named = "raw" if codec == _RAW else codec
    if tags != ColorTags() and not carries_tags(container, codec):
        notes.append(f"{plan.kind} carry no colour tags for {named} video; players will guess them")
    if clip.display_matrix is not None and container not in ROTATING_CONTAINERS:
        notes.append(f"{plan.kind} carry no rotation; the video will be shown as it is stored")
    held = held_aspect(clip.sample_aspect, container, codec, clip.width, clip.height)
    notes += aspect_notes(clip.sample_aspect, held, plan.kind, named)
    notes += site_notes(clip, encoder, codec, container, chosen.pix_fmt, plan.kind)
    lit = clip.mastering is not None or clip.light is not None
    if lit and not (carries_hdr(encoder) or holds_hdr(container)):
        notes.append(f"{plan.kind} carry no data of the mastering display for {named} video; they are left out")
    if clip.dynamic_hdr:
        notes.append("dynamic HDR data (HDR10+, Dolby Vision) are left out: they describe the ungraded pictures")
    notes += nearly(clip.tags) + contradictions(clip.tags, clip.contradicted)
    if container == Y4M:
        notes.append(f"{plan.kind} hold no times: every frame lasts 1/{clip.rate or DEFAULT_RATE} s")
    return replace(plan, notes=tuple(notes)), chosen.loses_depth


def _widened(clip: Clip, pix_fmt: str, tags: ColorTags) -> list[str]:
    """Lines that say what becomes of grey, and of more bits a sample than are graded."""
    lines = []
    if clip.source_format.startswith(("gray", "ya")):
        untold = clip.tags.range == 0 and tags.range == _FULL
        tagged = ", tagged full range, as grey without a tag is read" if untold else ""
        lines.append(f"grey becomes {pix_fmt} for its colours{tagged}")
    bits = max(component.bits for component in av.VideoFormat(clip.source_format).components)
    if bits > clip.format.depth and clip.container != SEQUENCE:
        lines.append(
            f"{bits} bits a sample become {clip.format.depth}, the most that is graded: {clip.source_format} is read "
            f"as {clip.format.name}"
        )
    return lines


def _hardware(clip: Clip, output: Path | None, codec: str, settings: OutputSettings) -> OutputPlan:
    """With the hardware encoder that is asked for if it encodes a frame, else with the software of its codec."""
    name = settings.codec.lower()
    try:
        av.codec.Codec(name, "w")
    except ValueError:
        why = "FFmpeg was built without it"
    else:
        try:
            return _plan(clip, output, name, settings)[0]
        except EncoderRefusalError as refusal:
            why = refusal.reason
    software = SOFTWARE[codec]
    plan = _plan(clip, output, software, settings.model_copy(update={"codec": AUTO}))[0]
    note = f"{name} can't be used here ({why}); {software} encodes {codec} in software"
    return replace(plan, notes=(note, *plan.notes))


def _pictures(clip: Clip, output: Path, settings: OutputSettings) -> OutputPlan:
    """Numbered pictures."""
    check_writable(output)
    if settings.codec != AUTO or settings.crf is not None or settings.pix_fmt is not None:
        raise UsageError(f"{output}: pictures have no --codec, --crf or --pix-fmt; their ending says what they are.")
    ending = output.suffix.lower()
    notes = []
    if clip.container != SEQUENCE:
        at = f" ({clip.rate} frames/s here)" if clip.rate else ""
        notes.append(f"pictures hold neither sound nor times{at}; they are numbered from 1")
    if clip.coding.transfer != "srgb":
        notes.append(f"the pictures hold {clip.coding.transfer.upper()} codes, and nothing in them says so")
    elif clip.coding.primaries != "bt709":
        notes.append(f"the pictures hold {PRIMARIES_NAMES[clip.coding.primaries]} codes, and nothing in them says so")
    notes += nearly(clip.tags) + contradictions(clip.tags, clip.contradicted)
    if clip.display_matrix is not None:
        notes.append("the pictures are as the video is stored, not turned for display")
    if clip.fields is not None:
        notes.append("the two fields of each frame stay woven")
    deep = clip.format.depth > 8 and ending in DEEP_ENDINGS
    pix_fmt = f"rgb{'a' if clip.format.alpha else ''}{('64' if clip.format.alpha else '48') if deep else ''}"
    name = {"rgb": "rgb24"}.get(pix_fmt, pix_fmt)
    return OutputPlan(output, SEQUENCE, ending[1:], ending[1:], name, {}, ColorTags(), tuple(notes))


def _picture_ending(path: Path) -> str:
    return path.suffix if path.suffix.lower() in WRITABLE_EXTENSIONS else ".png"


def _muxer(output: Path | None, settings: OutputSettings) -> str | None:
    """The muxer that the output's name asks for, None without a name."""
    if output == DASH:
        return _PIPE_FORMATS[settings.pipe_format]
    return None if output is None else _container(output)


def _named(output: Path, codec: str, settings: OutputSettings) -> tuple[Path, str]:
    container = _muxer(output, settings)
    assert container is not None
    if output == DASH:
        if not _holds(container, codec):
            fits = [name for name, muxer in _PIPE_FORMATS.items() if _holds(muxer, codec)]
            raise OutputError(
                f"{STDOUT}: {settings.pipe_format} streams can't hold {codec} video with exact times. "
                f"Choose --format {' or '.join(fits)}, or another --codec."
            )
        return STDOUT, container
    if not _holds(container, codec):
        fits = [ending for ending, name in _CONTAINERS.items() if _holds(name, codec)]
        raise OutputError(
            f"{output}: {output.suffix} files can't hold {codec} video with exact times. "
            f"Name the output {' or '.join(fits[:4])}, or choose another --codec."
        )
    return output, container


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


def _container(path: Path) -> str:
    name = _CONTAINERS.get(path.suffix.lower())
    if name is None and path.exists() and not path.is_file():
        raise OutputError(
            f"{path}: is a device or a pipe, which takes no file. Use -o - and redirect it: -o - > {path}"
        )
    if name is None:
        raise OutputError(
            f"{path}: no container is known for {repr(path.suffix) if path.suffix else 'a name without an ending'}. "
            f"Use one of {', '.join(_CONTAINERS)}."
        )
    return name


def _holds(container: str, codec: str) -> bool:
    if container in _LIMITED:
        return codec in _LIMITED[container]
    return codec in supported_codecs(container) and not (container == "mov" and codec in _ONLY_IN_MP4)


@cache
def supported_codecs(container: str) -> frozenset[str]:
    """Names of the codecs that a muxer takes, as it says itself."""
    with av.open(os.devnull, "w", format=container) as scratch:
        return frozenset(scratch.supported_codecs)


def _default_path(source: Path, codec: str, notes: list[str]) -> tuple[Path, str]:
    ending = source.suffix.lower()
    if ending in _STILL_ENDINGS and _holds("mp4", codec):
        return source.with_name(f"{source.stem}.graded.mp4"), "mp4"
    if ending in KEPT_ENDINGS and _holds(_CONTAINERS[ending], codec):
        return source.with_name(f"{source.stem}.graded{source.suffix}"), _CONTAINERS[ending]
    container, named = next((held, name) for name, held in _FALLBACKS if _holds(held, codec))
    path = source.with_name(f"{source.stem}.graded{named}")
    if ending in _CONTAINERS and ending in KEPT_ENDINGS:
        notes.append(f"{ending} files can't hold {codec} video with exact times; writing {path.name}")
    elif ending in _CONTAINERS:
        notes.append(f"{ending} files are written only where -o names one; writing {path.name}")
    else:
        notes.append(f"nothing here writes {ending or 'such'} files; writing {path.name}")
    return path, container
