"""The shots of a part of a clip, whole: the mode `shot` for what `--from` and `--to` tell, without the whole clip."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from streamct.color.lut import LutGrid
from streamct.grade.bake import Baker
from streamct.grade.cuts import LOOK, Cuts, ListedCuts
from streamct.grade.mattes import Mattes, Segmented
from streamct.grade.regions import Palettes
from streamct.grade.sample import Sampler
from streamct.grade.shots import ShotFinder, Track
from streamct.media.source import Source
from streamct.settings import Settings
from streamct.tracks import small_size

_FIRST_STEP = 64
_FARTHER = 4


@dataclass(frozen=True, slots=True)
class _Seen:
    pts: int
    change: float
    earlier: tuple[float, ...]


def find_part(
    source: Source,
    palettes: Palettes,
    mattes: Mattes,
    settings: Settings,
    cuts: ListedCuts | None,
    seek: bool,
    tolerate: bool,
    progress: Callable[[int], None],
    times: list[int] | None = None,
) -> Track:
    """The shots that `source.trim` reaches into, from the frame on with which the trim now begins to read.

    The shot in which the part begins is looked for backwards, farther and farther. seek: whether reading may begin
    anywhere; masks by number forbid it. times: takes the pts of the frames that were read, by their numbers.
    """
    trim, clip = source.trim, source.clip
    assert trim is not None
    counted = settings.palette.model_copy(update={"bins": "unit"})
    around = _FIRST_STEP + mattes.support
    while not trim.prepare(around, seek):
        cut = _last_cut(source, Sampler(clip.format, clip.coding, counted), cuts, tolerate)
        if cut is not None:
            trim.prepare(cut + mattes.support + LOOK + 2, seek)
            break
        around *= _FARTHER
    trim.behind = None
    sampler = Sampler(clip.format, clip.coding, counted, small_size(clip, mattes, settings))
    baker = Baker(palettes, LutGrid(clip.coding, clip.format.depth), settings)
    finder = ShotFinder(baker, cuts, keep_masks=isinstance(mattes, Segmented))
    with closing(source.reader(tolerate)) as reader:
        for frame in reader:
            if times is not None:
                times.append(frame.pts)
            for look, mask in mattes.push(sampler.look(frame)):
                finder.push(sampler.count(look, mask), mask)
            progress(len(trim.wanted))
            if trim.wanted and frame.index not in trim.wanted and finder.closed > max(trim.wanted):
                break
        else:
            for look, mask in mattes.finish():
                finder.push(sampler.count(look, mask), mask)
    trim.behind = 0
    return finder.finish()


def _last_cut(source: Source, sampler: Sampler, cuts: ListedCuts | None, tolerate: bool) -> int | None:
    """How many frames before the first wanted one its shot begins; None: before what is read."""
    trim = source.trim
    assert trim is not None
    seen: dict[int, _Seen] = {}
    with closing(source.reader(tolerate)) as reader:
        for frame in reader:
            look = sampler.look(frame)
            seen[frame.index] = _Seen(look.pts, look.change, look.earlier)
            if trim.opened is not None and frame.index >= trim.opened.index + LOOK:
                break
    assert trim.opened is not None
    judge = Cuts(cuts)
    first = trim.opened.index
    return next((first - i for i in range(first, LOOK + 1, -1) if judge.at(i, seen)), None)
