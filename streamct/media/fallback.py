"""Why a graded video is not of its source's codec, what that costs, and how to have it otherwise."""

from __future__ import annotations

from streamct.errors import EncoderRefusalError, OutputError
from streamct.model import Clip

_LOSSLESS = {
    "ffv1", "huffyuv", "ffvhuff", "utvideo", "magicyuv", "lagarith", "png", "qtrle", "rawvideo", "v210", "v308", "v408",
    "v410", "r210", "r10k", "zlib", "flashsv", "fraps", "dpx", "tiff", "targa", "bmp", "msrle", "rpza", "yuv4", "y41p",
    "012v", "ayuv", "avui", "avrp", "wrapped_avframe",
}  # fmt: skip
_MASTERS = {*_LOSSLESS, "cfhd", "prores", "dnxhd", "jpeg2000", "hap", "dxv"}
"""Codecs of which a film is made, not shown: what follows them should not lose more than they did."""
_FREE_OF_LOSS = {"ffv1"}


def why_not(error: OutputError, clip: Clip, ending: str) -> str:
    """Why an encoder of the source's codec can't be used, from what it met. ending: of the output, or its kind."""
    if isinstance(error, EncoderRefusalError):
        return f"the encoder refuses it ({error.reason})"
    return f"{ending} can't hold {clip.codec} video with exact times"


def fallback_note(clip: Clip, codec: str, why: str | None) -> str:
    """The line for a clip that becomes `codec`. why: None if no encoder was even tried."""
    reason = why or f"--codec auto writes no {clip.codec}"
    return f"{clip.codec} video becomes {codec}{_lossy(clip, codec)}: {reason}"


def _lossy(clip: Clip, codec: str) -> str:
    if clip.codec not in _MASTERS or codec in _FREE_OF_LOSS:
        return ""
    return ", which is lossy (without loss: --codec ffv1 -o NAME.mkv)"


ALPHA_NOTE = "to keep its alpha: --codec prores -o NAME.mov, or --codec ffv1 -o NAME.mkv"
"""How to keep the alpha that an output has no place for."""
