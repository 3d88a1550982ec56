"""How steady a graded video is. Frames come as proxies, in order; pairs across a scene cut are left out.

r = result - source is the *edit* of a frame. What flickers is the edit: the source's own changes are its content.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from streamct.grade.changes import Changes
from streamct.grade.cuts import LOOK, Cuts, ListedCuts
from streamct.metrics.drift import DriftMeter
from streamct.metrics.flow import Motion, motion_between, warp
from streamct.model import FloatArray

_BLOCK, _LEAST = 8, 4
"""Frames over which noise is measured at once, and the fewest."""
_STILL = 2 / 255
"""Temporal standard deviation of the source below which a pixel only holds noise."""
TRIPOD_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Flicker:
    """How a grade behaves over time. R'G'B' in 0..1.

    edit: mean |r|. edit_warp: mean |r_t - warp(r_(t-1))| along the source's optical flow; it counts content and
    flow error too, so compare it with one fixed grade. max_jump: largest step of the frame mean of r, in the
    channel that moves most. max_jump_frame: where it lands. noise_gain: temporal standard deviation of the result
    over the source's, within blocks of 8 frames, on the pixels that only hold noise there; None if these are not
    half of all (not a tripod shot). warp_error, warp_error_source: mean squared difference to the frame before along
    the flow, where visible (Lai et al. 2018, Eq. 8-9), of result and source. drift: mean |G_t(s_t) - G_(t-1)(s_t)|;
    None where the grades are not known. drift_seen: what the pixels show of it, see `DriftMeter`; None where the grades
    are known, or no two frames share colours. pairs: neighbouring frames that were compared. cuts: frames that begin a
    shot. still: share of the pixels that only hold noise or none at all, None if no shot has the four frames that tell.
    """

    edit: float
    edit_warp: float
    max_jump: float
    max_jump_frame: int | None
    noise_gain: float | None
    warp_error: float
    warp_error_source: float
    drift: float | None
    drift_seen: float | None
    pairs: int
    cuts: tuple[int, ...]
    still: float | None = None

    @property
    def edit_warp_share(self) -> float:
        """edit-warp over the size of the edit."""
        return self.edit_warp / self.edit if self.edit else 0.0

    @property
    def drift_share(self) -> float | None:
        """Drift over the size of the edit."""
        return self._share(self.drift)

    @property
    def drift_seen_share(self) -> float | None:
        """The drift that the pixels show, over the size of the edit."""
        return self._share(self.drift_seen)

    def _share(self, drift: float | None) -> float | None:
        if drift is None:
            return None
        return drift / self.edit if self.edit else 0.0


@dataclass(frozen=True, slots=True)
class _Seen:
    source: FloatArray
    result: FloatArray
    replayed: FloatArray | None
    pts: int
    change: float
    earlier: tuple[float, ...]

    @property
    def edit(self) -> FloatArray:
        return self.result - self.source


class FlickerMeter:
    """Measures one video from proxies pushed in order; holds a few of them at a time.

    motion: how movement is found, between two source proxies. every: of so many pairs one is looked at for movement;
    0: none is, and edit_warp and warp_error are 0. cuts: where the user says shots begin; None: they are found as the
    grader finds them.
    """

    def __init__(
        self,
        motion: Callable[[FloatArray, FloatArray], Motion] = motion_between,
        every: int = 1,
        cuts: ListedCuts | None = None,
    ) -> None:
        self._motion = motion
        self._every = every
        self._recent: deque[_Seen] = deque()
        self._at = self._begin = 0
        self._pushed = 0
        self._edits: list[float] = []
        self._jumps: list[float] = []
        self._landing: list[int] = []
        self._along: list[tuple[float, float, float]] = []
        self._drifts: list[float] = []
        self._cuts: list[int] = []
        self._judge = Cuts(cuts)
        self._changes = Changes()
        self._noise = NoiseMeter()
        self._shown = DriftMeter()

    def push(
        self, source: FloatArray, result: FloatArray, replayed: FloatArray | None = None, pts: int | None = None
    ) -> None:
        """Take the next frame: R'G'B' (h, w, 3) of source and result, and the source in the grade of the frame
        before, if that is known (for the drift). pts: for cuts that are listed by time; its number by default."""
        pts = self._pushed if pts is None else pts
        self._recent.append(_Seen(source, result, replayed, pts, *self._changes.of(np.asarray(source, np.float64))))
        self._pushed += 1
        if self._at + LOOK < self._pushed:
            self._measure()

    def gap(self) -> None:
        """The next frame does not follow the last one: a cut that is known, or frames between that are not measured."""
        while self._at < self._pushed:
            self._measure()
        self._recent.clear()
        self._changes = Changes()
        self._begin = self._pushed
        self._noise.cut()
        self._shown.cut()

    def finish(self) -> Flicker:
        """The video has ended.

        Raises:
            ValueError: no frame was pushed.
        """
        self.gap()
        if not self._edits:
            raise ValueError("no frame was pushed")
        warps, errors, errors_source = np.array(self._along).reshape(-1, 3).T
        jumps = np.array(self._jumps)
        return Flicker(
            edit=float(np.mean(self._edits)),
            edit_warp=_mean(warps),
            max_jump=float(jumps.max(initial=0.0)),
            max_jump_frame=self._landing[int(jumps.argmax())] if len(jumps) else None,
            noise_gain=self._noise.gain(),
            warp_error=_mean(errors),
            warp_error_source=_mean(errors_source),
            drift=float(np.mean(self._drifts)) if self._drifts else None,
            drift_seen=None if self._drifts else self._shown.drift(),
            pairs=len(jumps),
            cuts=tuple(self._cuts),
            still=self._noise.still(),
        )

    def _measure(self) -> None:
        first = self._pushed - len(self._recent)
        here = self._recent[self._at - first]
        self._edits.append(float(np.abs(here.edit).mean()))
        if self._at > self._begin:
            if self._judge.at(self._at, dict(enumerate(self._recent, first))):
                self._cuts.append(self._at)
                self._noise.cut()
                self._shown.cut()
            else:
                self._compare(self._recent[self._at - 1 - first], here)
        self._noise.push(here.source, here.result)
        if not self._drifts:
            self._shown.push(here.source, here.result)
        self._judge.forget(self._at)
        self._at += 1
        while self._pushed - len(self._recent) < self._at - LOOK - 1:
            self._recent.popleft()

    def _compare(self, before: _Seen, here: _Seen) -> None:
        if self._every and len(self._jumps) % self._every == 0:
            self._follow(before, here)
        self._jumps.append(float(np.abs((here.edit - before.edit).mean(axis=(0, 1))).max()))
        self._landing.append(self._at)
        if here.replayed is not None:
            self._drifts.append(float(np.abs(here.result - here.replayed).mean()))

    def _follow(self, before: _Seen, here: _Seen) -> None:
        """Compare along the source's movement."""
        motion = self._motion(before.source, here.source)
        edit, inside = warp(before.edit, motion.back)
        off = np.abs(here.edit - edit)[inside]
        errors = []
        for now, then in ((here.result, before.result), (here.source, before.source)):
            squared = ((now - warp(then, motion.back)[0]) ** 2).sum(axis=-1)[motion.visible]
            errors.append(_mean(squared))
        self._along.append((_mean(off), errors[0], errors[1]))


class NoiseMeter:
    """Temporal variance of each pixel within blocks of frames of one shot: longer ones would count the camera's own
    exposure as noise. A pixel of a block is still where the source varies by noise only. Frames of any size, of which
    none is kept: means and squares are updated (Welford 1962)."""

    def __init__(self) -> None:
        self._count = 0
        self._means = self._squares = (np.empty(0), np.empty(0))
        self._still = self._seen = 0
        self._source = self._result = 0.0

    def push(self, source: FloatArray, result: FloatArray) -> None:
        """Take the next frame, R'G'B' (h, w, 3) of source and result."""
        if self._count == 0:
            self._means = np.zeros_like(source), np.zeros_like(result)
            self._squares = np.zeros_like(source), np.zeros_like(result)
        self._count += 1
        for values, mean, squares in zip((source, result), self._means, self._squares, strict=True):
            off = values - mean
            mean += off / self._count
            squares += off * (values - mean)
        if self._count == _BLOCK:
            self.cut()

    def cut(self) -> None:
        """The next frame belongs to another shot."""
        count, self._count = self._count, 0
        if count < _LEAST:
            return
        source, result = (squares / (count - 1) for squares in self._squares)
        still = source.max(axis=-1) < _STILL**2
        self._still += int(still.sum())
        self._seen += still.size
        self._source += float(source[still].sum())
        self._result += float(result[still].sum())

    def still(self) -> float | None:
        """Share of the pixels that are still; None if there were too few frames to tell."""
        self.cut()
        return self._still / self._seen if self._seen else None

    def gain(self) -> float | None:
        """Deviation of the result over the source's; None if that has none, or less than half of all pixels are
        still."""
        self.cut()
        if self._source == 0 or self._still < TRIPOD_SHARE * self._seen:
            return None
        return float(np.sqrt(self._result / self._source))


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if values.size else 0.0
