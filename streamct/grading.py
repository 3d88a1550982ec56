"""What a pass over a clip, or over a span of it, does to each frame."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from streamct.color.lut import LutGrid
from streamct.grade.analyst import Analyst
from streamct.grade.bake import Baker
from streamct.grade.cuts import LOOK, ListedCuts
from streamct.grade.foreground import Foreground
from streamct.grade.mapped import MapBaker, Mapped
from streamct.grade.mattes import Mattes, Segmented
from streamct.grade.regions import Palettes
from streamct.grade.sample import Sampler
from streamct.grade.shots import Replay, Track
from streamct.grade.track import Grade, Grader
from streamct.media.masks import mask_name, save_mask
from streamct.model import Clip, Frame, Span
from streamct.render import Renderer
from streamct.segment.upright import as_shown
from streamct.settings import Settings
from streamct.stream import Grading, Sample
from streamct.tracks import small_size

Fill = Callable[[Frame, Frame, Grade], None]
"""(source, target, grade): fills the planes of `target`; called from several threads."""


@dataclass(frozen=True, slots=True)
class Held:
    """A map file that grades a clip instead of a reference's palettes. path: for messages."""

    path: Path
    baker: MapBaker


@dataclass(frozen=True, slots=True)
class Pass:
    """The three steps of one pass: `sample` and `grading` as `Stream` takes them, and `fill`. foreground: what was
    counted of the masks, known when the pass is over; None where that is not counted."""

    sample: Sample
    grading: Grading
    fill: Fill
    foreground: Foreground | None = None


def reach(settings: Settings, support: int) -> tuple[int, int]:
    """How many frames before and after a span have to be seen for its grades to be those of a whole run.

    Grades of the mode `window` are averaged over Luts within the radius, each made from histograms within the radius,
    cut off where a shot begins: whether one does at the second of these frames, or behind the last, is judged from
    `LOOK` frames on either side, and the first of those by the frame before it. support: of the masks, on either side.
    Tracks need none of this.
    """
    if settings.time.mode != "window":
        return (0, 0) if settings.time.mode == "shot" else (support, support)
    around = 2 * settings.time.radius + LOOK + support
    return around, around


def pass_over(
    clip: Clip,
    palettes: Palettes | None,
    mattes: Mattes,
    settings: Settings,
    *,
    held: Held | None = None,
    folder: Path | None = None,
    cuts: ListedCuts | None = None,
    track: Track | None = None,
    span: Span | None = None,
    only: Container[int] | None = None,
) -> Pass:
    """What is done to the frames of a clip. palettes: of the reference, unless a map is `held`. folder: where masks
    are saved, as the clip is shown. track: grades that are known already. span: the frames that are graded, None for
    all. only: the same by their numbers, which may become known on the way."""
    ticks = Fraction(settings.time.knot_spacing) / (clip.rate * clip.time_base) if clip.rate else None
    grid = LutGrid(clip.coding, clip.format.depth)
    foreground: Foreground | None = None
    if span is not None:
        only = range(span.start, span.stop)
    sample: Callable[[Frame], Any]
    grading: Grading
    if held is not None:
        looks = isinstance(mattes, Segmented)  # only a network needs to look at the frames
        sampler = Sampler(clip.format, clip.coding, settings.palette, small_size(clip, mattes, settings))
        sample = sampler.look if looks else lambda frame: frame.index
        grading = Mapped(held.path, held.baker, grid, (clip.width, clip.height), mattes if looks else None, only)
    elif palettes is None:
        raise ValueError("a pass needs the palettes of a reference, or a map")
    elif track is not None:
        sample, grading = (lambda frame: frame.index), Replay(track, Baker(palettes, grid, settings), span, only)
        foreground = track.foreground
    else:
        sampler = Sampler(clip.format, clip.coding, settings.palette, small_size(clip, mattes, settings), True, only)
        grader = Grader(palettes, grid, settings, ticks, cuts, only)
        analyst = Analyst(sampler, mattes, grader, only)
        sample, grading, foreground = sampler.look, analyst, analyst.foreground
    renderer = Renderer(clip.format, interlaced=clip.fields is not None)

    def fill(frame: Frame, target: Frame, grade: Grade) -> None:
        mask = None
        if len(grade.luts) > 1 or folder is not None:
            mask = mattes.full(frame, grade.mask)
        if folder is not None and mask is not None:
            save_mask(folder / mask_name(target.index), as_shown(mask, clip.display_matrix))
        renderer.render(frame, target, grade, mask)

    return Pass(sample, grading, fill, foreground)
