"""The nouns that travel between the rooms. No file, codec or network library is imported here."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Plane = NDArray[Any]
"""(rows, columns) samples, uint8 or uint16; rows contiguous but possibly padded."""

Matrix = Literal["rgb", "bt601", "bt709", "bt2020", "smpte240m"]


@dataclass(frozen=True, slots=True)
class ColorTags:
    """What a stream says of its colours, as FFmpeg's enumeration numbers (2 = unspecified).

    Written to the output as they were read: untagged stays untagged.
    """

    matrix: int = 2
    primaries: int = 2
    transfer: int = 2
    range: int = 0


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """A planar layout: `name` as FFmpeg spells it.

    depth: bits a sample (8..16). sub_x, sub_y: log2 of the chroma subsampling. rgb: planes are G, B, R
    instead of Y', Cb, Cr. alpha: a fourth plane follows, passed through unchanged.
    """

    name: str
    depth: int
    sub_x: int
    sub_y: int
    rgb: bool = False
    alpha: bool = False

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        """The sample type of a plane."""
        return np.uint8 if self.depth == 8 else np.uint16


@dataclass(frozen=True, slots=True)
class Coding:
    """How coded samples become R'G'B': what the colour code needs to know of a format.

    matrix: "rgb" (planes are G, B, R) or the Y'CbCr matrix. full_range: 0..2^depth-1 instead of the
    studio range. transfer, primaries: "srgb" for SDR; "pq", "hlg" and "bt2020" for HDR and wide gamut,
    "p3" for P3 with white at D65 (Display P3), "dci" with that of cinemas;
    lut: a function R'G'B' (..., 3) -> R'G'B' that comes first and gives display-referred BT.709, for which the rest
    then holds: how camera log is read.
    """

    matrix: Matrix
    full_range: bool
    transfer: Literal["srgb", "pq", "hlg"] = "srgb"
    primaries: Literal["bt709", "bt2020", "p3", "dci"] = "bt709"
    lut: Callable[[FloatArray], FloatArray] | None = None

    @property
    def written(self) -> Coding:
        """How graded samples are coded: as they were, behind a `lut` by the matrix of BT.709."""
        if self.lut is None:
            return self
        return replace(self, matrix="rgb" if self.matrix == "rgb" else "bt709", lut=None)


@dataclass(frozen=True, slots=True)
class MasteringDisplay:
    """The display on which HDR was graded (SMPTE ST 2086).

    primaries: CIE xy of red, green and blue. white: CIE xy. luminance: lowest and highest, cd/m2.
    """

    primaries: tuple[tuple[Fraction, Fraction], tuple[Fraction, Fraction], tuple[Fraction, Fraction]]
    white: tuple[Fraction, Fraction]
    luminance: tuple[Fraction, Fraction]


def timecode_base(rate: Fraction) -> int:
    """How many frames a second of timecode counts: the nearest whole rate, a half counting up (29.97: 30, 12.5: 13)."""
    return max(1, math.floor(rate + Fraction(1, 2)))


@dataclass(frozen=True, slots=True)
class Clip:
    """A probed input video.

    path: the file. stream: index of the graded video stream. width, height: coded size in pixels.
    time_base: seconds a tick. frames: how many frames the container declares or its packets number (None: unknown).
    rate: average frames/s (None: unknown). format: the layout its frames are graded in; source_format: FFmpeg's name of
    the layout that the decoder gives. coding: how samples become colours. tags: as read. contradicted: what its
    pictures say of their colours where the file's header says other than that and is followed, None if nothing.
    duration: in seconds (None: unknown). sample_aspect: None or pixel aspect. display_matrix: the nine numbers that
    rotate or mirror the picture for display, None if it is shown as coded. profile: the codec's, as FFmpeg calls it.
    fields: which field of interlaced pictures comes first, None for progressive ones. chroma_location: where chroma
    samples lie, as FFmpeg's enumeration number (0 = unspecified). mastering, light: static HDR data, the latter MaxCLL
    and MaxFALL in cd/m2. dynamic_hdr: there are HDR10+ or Dolby Vision data. unread_alpha: the stream announces alpha
    that no decoder here gives.
    """

    path: Path
    stream: int
    width: int
    height: int
    time_base: Fraction
    frames: int | None
    rate: Fraction | None
    codec: str
    container: str
    source_format: str
    format: PixelFormat
    coding: Coding
    tags: ColorTags
    duration: Fraction | None = None
    sample_aspect: Fraction | None = None
    display_matrix: tuple[int, ...] | None = None
    profile: str | None = None
    fields: Literal["top", "bottom"] | None = None
    chroma_location: int = 0
    mastering: MasteringDisplay | None = None
    light: tuple[int, int] | None = None
    dynamic_hdr: bool = False
    unread_alpha: bool = False
    contradicted: ColorTags | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of frame numbers `[start, stop)` of a clip."""

    start: int
    stop: int


@dataclass(slots=True)
class Frame:
    """One picture of a clip: its planes and its time.

    planes: one (rows, columns) array of samples for each component, in the format's order (Y', Cb, Cr or
    G, B, R, then alpha), rows contiguous but possibly padded. index: number in presentation order, from 0.
    pts: presentation time in ticks of `time_base`. duration: in ticks, 0 unknown. key: the source frame
    was a keyframe. owner: the object whose memory the planes are.
    """

    planes: tuple[Plane, ...]
    format: PixelFormat
    index: int
    pts: int
    time_base: Fraction
    duration: int = 0
    key: bool = False
    corrupt: bool = False
    owner: Any = None


@dataclass(frozen=True, slots=True)
class Palette:
    """Representative colours of one region.

    colours: (k, 3) float64, L*a*b*, D65. weights: (k,) float64 > 0, sum 1, descending.
    """

    colours: FloatArray
    weights: FloatArray

    def __len__(self) -> int:
        return len(self.colours)

    def _repr_html_(self) -> str:
        from streamct.notebook import palette_html

        return palette_html(self)

    def _repr_png_(self) -> bytes:
        from streamct.notebook import palette_png

        return palette_png(self)


@dataclass(frozen=True, slots=True)
class Event:
    """What a run tells its caller while it goes on.

    kind: "start" (total frames or pictures, None if unknown), "progress" (done so far), "note" (a line the
    user should see once), "warning", "done" (data holds the report). Of many files: "file" (one has ended; data holds
    its result), "status" (data holds the state of all).
    """

    kind: Literal["start", "progress", "note", "warning", "done", "file", "status"]
    message: str = ""
    done: int = 0
    total: int | None = None
    data: dict[str, Any] = field(default_factory=dict)


Progress = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Report:
    """What a finished run did.

    input, reference, output: paths. frames: graded pictures. seconds: wall time. segmenter: which told
    foreground from background ("none", "matte"). warnings: every line that was said. details: encoder,
    pixel format, size and the like.
    """

    input: Path
    reference: Path
    output: Path
    frames: int
    seconds: float
    segmenter: str
    warnings: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        from streamct.notebook import report_html

        return report_html(self)
