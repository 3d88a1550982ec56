"""Where chroma samples lie (AVChromaLocation): what codecs fix, and where an output can say it."""

from __future__ import annotations

import av

from streamct.model import Clip

LEFT, CENTER, TOP_LEFT = 1, 2, 3
FIXED = {
    "mpeg1video": CENTER, "mjpeg": CENTER, "theora": CENTER, "mpeg2video": LEFT, "mpeg4": LEFT, "dvvideo": TOP_LEFT,
}  # fmt: skip
"""Places that a codec prescribes for 4:2:0 and says nowhere: ISO/IEC 11172-2 and 13818-2, JFIF, Theora, IEC 61834."""
_NAMES = ("", "left", "center", "topleft", "top", "bottomleft", "bottom")
_TOLD_BY_ENCODERS = {"libx264": range(1, 7), "libx265": range(1, 7), "libsvtav1": (LEFT, TOP_LEFT)}
_IMPLIED_BY_CODECS = {"h264": LEFT, "hevc": LEFT}
_TOLD_BY_CONTAINERS = {
    "matroska": (LEFT, CENTER, TOP_LEFT), "webm": (LEFT, CENTER, TOP_LEFT), "yuv4mpegpipe": (LEFT, CENTER, TOP_LEFT),
}  # fmt: skip
_OVERRIDING = {"h264", "hevc", "av1", *FIXED}
"""Codecs whose decoders do not follow the container."""


def site_in(clip: Clip, pix_fmt: str) -> int:
    """The place of chroma samples in an output of such pixels; 0: untold, or it is not that of the source."""
    layout = av.VideoFormat(pix_fmt)
    width, height = layout.chroma_width(8), layout.chroma_height(8)
    same = (width, height) == (8 >> clip.format.sub_x, 8 >> clip.format.sub_y)
    return clip.chroma_location if same and (width, height) != (8, 8) else 0


def site_notes(clip: Clip, encoder: str, codec: str, container: str, pix_fmt: str, kind: str) -> list[str]:
    """A line that says so if an output does not tell the place that the source told. kind: what it is, in words."""
    site = site_in(clip, pix_fmt)
    quarter = "420" in pix_fmt
    held = (
        site == 0
        or (quarter and (site in _TOLD_BY_ENCODERS.get(encoder, ()) or FIXED.get(codec) == site))
        or _IMPLIED_BY_CODECS.get(codec) == site
        or (codec not in _OVERRIDING and site in _TOLD_BY_CONTAINERS.get(container, ()))
    )
    if held:
        return []
    return [
        f"the place of chroma samples ({_NAMES[site]}) is not told any more: {kind} have no place for it with {codec} "
        f"video of {pix_fmt}"
    ]
