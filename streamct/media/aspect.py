"""The shape of pixels: what each container holds of it.

MP4, MOV and Y4M hold it exactly, Matroska too as the shape of the whole picture, WebM as a size in whole pixels. Others
have no place for it, or PyAV does not reach it: there it is what the codec's own headers hold.
"""

from __future__ import annotations

from fractions import Fraction

_EXACT = {"mp4", "mov", "3gp", "matroska", "yuv4mpegpipe"}
_TOP = {"h264": 4096, "hevc": 65_535, "mpeg4": 255, "mjpeg": 65_535}
"""The largest number in the pixel aspect that an encoder of each codec writes into its stream."""
_MPEG2_DISPLAYS = (Fraction(4, 3), Fraction(16, 9), Fraction(221, 100))


def held_aspect(aspect: Fraction | None, container: str, codec: str, width: int, height: int) -> Fraction | None:
    """What a file can hold of a pixel aspect; None: nothing, or there is none. width, height: of the picture."""
    if aspect is None or aspect == 1 or container in _EXACT:
        return aspect
    if container == "webm":  # the size of the display, in pixels
        return Fraction(max(1, round(width * aspect)), width)
    if codec == "mpeg2video":
        shapes = [Fraction(1), *(display * height / width for display in _MPEG2_DISPLAYS)]
        return min(shapes, key=lambda shape: abs(shape - aspect))
    top = _TOP.get(codec)
    if top is None:
        return None
    return aspect.limit_denominator(top) if aspect < 1 else 1 / (1 / aspect).limit_denominator(top)


def aspect_notes(aspect: Fraction | None, held: Fraction | None, kind: str, codec: str) -> list[str]:
    """A line that says how a file holds a pixel aspect other than it is. kind: of file, as `.avi files`."""
    if held == aspect or aspect == 1:
        return []
    if held is None:
        return [f"{kind} hold no pixel aspect for {codec} video: players may show pixels of {aspect} square"]
    return [f"{kind} hold the pixel aspect {aspect} of {codec} video as {held}"]
