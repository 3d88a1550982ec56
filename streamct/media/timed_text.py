"""Text subtitles of one kind as those of another: mov_text (3GPP TS 26.245) is all that MP4 and MOV take."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import av
from av.packet import Packet
from av.stream import Stream
from av.subtitles.codeccontext import SubtitleCodecContext
from av.subtitles.stream import SubtitleStream

Rewrite = Callable[[bytes], bytes | None]

TEXTS = {"mov_text", "subrip", "text", "webvtt", "ass"}
"""Codecs of subtitles that are written, not drawn."""
NAMES = {"subrip": "SubRip", "webvtt": "WebVTT", "ass": "ASS", "text": "plain text"}
_CLOCK = Fraction(1, 1000)
_STYLE_AT, _STYLE = 18, 12
"""Where a track's description has its default style, and the length of one: two places, a font, a face, size, RGBA."""
_USUAL = bytes((16, 255, 255, 255, 255))


def as_mov_text(output: av.container.OutputContainer, source: Stream) -> tuple[Stream, Rewrite]:
    """A stream of mov_text in the output, and what turns each packet of a text stream into one of it.

    Bold, italics and underlines are kept; other styles and places are not.
    """
    assert isinstance(source, SubtitleStream)
    reader = _reader(source.codec_context.name, source.codec_context.extradata)
    stream = output.add_stream("mov_text")
    assert isinstance(stream, SubtitleStream)
    writer = stream.codec_context
    writer.subtitle_header = reader.subtitle_header or b""
    writer.time_base = stream.time_base = _CLOCK
    writer.open()

    def converted(payload: bytes) -> bytes | None:
        packet = Packet(payload)
        packet.pts = packet.dts = 0
        packet.duration, packet.time_base = 1, _CLOCK
        try:
            texts = reader.decode2(packet)
            sample = bytes(writer.encode_subtitle(texts)) if texts is not None else b""
        except av.FFmpegError:  # it holds no text that can be read
            return None
        return _plainly_styled(sample, writer.extradata or b"") if int.from_bytes(sample[:2], "big") else None

    return stream, converted


def _plainly_styled(sample: bytes, defaults: bytes) -> bytes:
    """The sample with its styles in size and colour of the track's default, as which the encoder may write nonsense."""
    at = 2 + int.from_bytes(sample[:2], "big")
    if sample[at + 4 : at + 8] != b"styl":
        return sample
    usual = bytearray(defaults[_STYLE_AT + 7 : _STYLE_AT + _STYLE] or _USUAL)
    if usual[0] == 0 or usual[4] == 0:  # nothing would be seen
        usual[:] = _USUAL
    out = bytearray(sample)
    count = int.from_bytes(sample[at + 8 : at + 10], "big")
    for record in range(at + 10, at + 10 + count * _STYLE, _STYLE):
        out[record + 7 : record + _STYLE] = usual
    return bytes(out)


def _reader(name: str, extradata: bytes | None) -> SubtitleCodecContext:
    context = av.CodecContext.create(name, "r")
    assert isinstance(context, SubtitleCodecContext)
    if extradata is not None:
        context.extradata = extradata
    context.open()
    return context


def plain_text(sample: bytes) -> bytes | None:
    """The text of a sample of mov_text: its length in two bytes, then UTF-8."""
    text = sample[2 : 2 + int.from_bytes(sample[:2], "big")]
    return text or None


def without_gaps(sample: bytes) -> bytes | None:
    """The sample unless it is empty: the muxer fills gaps between texts by itself."""
    return sample if int.from_bytes(sample[:2], "big") else None
