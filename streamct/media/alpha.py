"""VP8 and VP9 with alpha: a second picture beside each packet, which only libvpx's own decoders and encoders know.

FFmpeg's decoders of these codecs pass it over without a word.
"""

from __future__ import annotations

import av
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_CONTAINERS = {"matroska", "webm"}
_TAG = "alpha_mode"


def says_alpha(stream: Stream) -> bool:
    """Whether the stream's tags announce alpha beside its packets."""
    return any(key.lower() == _TAG and value.strip() == "1" for key, value in stream.metadata.items())


def alpha_decoder(stream: VideoStream, threads: int | None = None) -> VideoCodecContext | None:
    """A decoder that gives a stream's alpha too; None if it has none, or FFmpeg was built without that decoder."""
    name = _DECODERS.get(stream.codec_context.codec.canonical_name)
    if name is None or not says_alpha(stream):
        return None
    try:
        context = av.CodecContext.create(name, "r")
    except ValueError:
        return None
    assert isinstance(context, VideoCodecContext)
    context.thread_count = threads or 0
    return context


def holds_alpha(container: str, codec: str) -> bool:
    """Whether alpha that `codec` encodes reaches the reader of such a file."""
    return codec not in _DECODERS or container in _CONTAINERS


def announce_alpha(stream: Stream, codec: str, pix_fmt: str) -> None:
    """Tag an output stream as its pixels are, whatever was copied from the source's tags."""
    for key in [key for key in stream.metadata if key.lower() == _TAG]:
        del stream.metadata[key]
    if codec in _DECODERS and pix_fmt.startswith("yuva"):
        stream.metadata[_TAG] = "1"
