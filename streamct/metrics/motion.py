"""How steady a graded video is. Frames come as proxies, in order; pairs across a scene cut are left out.

r = result - source is the *edit* of a frame. What flickers is the edit: the source's own changes are its content.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from streamct.grade.cuts import LOOK, is_cut
from streamct.metrics.flow import Motion, motion_between, warp
from streamct.model import FloatArray

_BLOCK, _LEAST = 8, 4
"""Frames over which noise is measured at once, and the fewest."""
_STILL = 2 / 255
"""Temporal standard deviation of the source below which a pixel only holds noise."""
_TRIPOD_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Flicker:
    """How a grade behaves over time. R'G'B' in 0..1.

    edit: mean |r|. edit_warp: mean |r_t - warp(r_(t-1))| along the source's optical flow; it counts content and
    flow error too, so compare it with one fixed grade. max_jump: largest step of the frame mean of r, in the
    channel that moves most. max_jump_frame: where it lands. noise_gain: temporal standard deviation of the result
    over the source's, within blocks of 8 frames, on the pixels that only hold noise there; None if these are not
    half of all (not a tripod shot). warp_error, warp_error_source: mean squared difference to the frame before along
    the flow, where visible (Lai et al. 2018, Eq. 8-9), of result and source. drift: mean |G_t(s_t) - G_(t-1)(s_t)|;
    None where the grades are not known. pairs: neighbouring frames that were compared. cuts: frames that begin a
    shot.
    """

    edit: float
    edit_warp: float
    max_jump: float
    max_jump_frame: int | None
    noise_gain: float | None
    warp_error: float
    warp_error_source: float
    drift: float | None
    pairs: int
    cuts: tuple[int, ...]

    @property
    def edit_warp_share(self) -> float:
        """edit-warp over the size of the edit."""
        return self.edit_warp / self.edit if self.edit else 0.0

    @property
    def drift_share(self) -> float | None:
        """Drift over the size of the edit."""
        if self.drift is None:
            return None
        return self.drift / self.edit if self.edit else 0.0


@dataclass(frozen=True, slots=True)
class _Seen:
    source: FloatArray
    result: FloatArray
    replayed: FloatArray | None
    change: float

    @property
    def edit(self) -> FloatArray:
        return self.result - self.source


class FlickerMeter:
    """Measures one video from proxies pushed in order; holds a few of them at a time.

    motion: how movement is found, between two source proxies.
    """

    def __init__(self, motion: Callable[[FloatArray, FloatArray], Motion] = motion_between) -> None:
        self._motion = motion
        self._recent: deque[_Seen] = deque()
        self._at = 0
        self._pushed = 0
        self._edits: list[float] = []
        self._pairs: list[tuple[float, float, float, float]] = []
        self._drifts: list[float] = []
        self._cuts: list[int] = []
        self._noise = _NoiseMeter()

    def push(self, source: FloatArray, result: FloatArray, replayed: FloatArray | None = None) -> None:
        """Take the next frame: R'G'B' (h, w, 3) of source and result, and the source in the grade of the frame
        before, if that is known (for the drift)."""
        change = 0.0
        if self._recent:
            change = float(np.abs(source - self._recent[-1].source).mean()) * 3 * 255
        self._recent.append(_Seen(source, result, replayed, change))
        self._pushed += 1
        if self._at + LOOK < self._pushed:
            self._measure()

    def finish(self) -> Flicker:
        """The video has ended.

        Raises:
            ValueError: no frame was pushed.
        """
        while self._at < self._pushed:
            self._measure()
        if not self._edits:
            raise ValueError("no frame was pushed")
        pairs = np.array(self._pairs).reshape(-1, 4)
        warps, jumps, errors, errors_source = pairs.T
        landing = [at for at in range(1, self._pushed) if at not in self._cuts]
        return Flicker(
            edit=float(np.mean(self._edits)),
            edit_warp=_mean(warps),
            max_jump=float(jumps.max(initial=0.0)),
            max_jump_frame=landing[int(jumps.argmax())] if len(jumps) else None,
            noise_gain=self._noise.gain(),
            warp_error=_mean(errors),
            warp_error_source=_mean(errors_source),
            drift=float(np.mean(self._drifts)) if self._drifts else None,
            pairs=len(pairs),
            cuts=tuple(self._cuts),
        )

    def _measure(self) -> None:
        first = self._pushed - len(self._recent)
        here = self._recent[self._at - first]
        self._edits.append(float(np.abs(here.edit).mean()))
        if self._at > 0:
            low = max(self._at - LOOK, 0)
            around = list(self._recent)[low - first : self._at + LOOK + 1 - first]
            if is_cut([seen.change for seen in around], self._at - low):
                self._cuts.append(self._at)
                self._noise.cut()
            else:
                self._compare(self._recent[self._at - 1 - first], here)
        self._noise.push(here.source, here.result)
        self._at += 1
        while self._pushed - len(self._recent) < self._at - LOOK - 1:
            self._recent.popleft()

    def _compare(self, before: _Seen, here: _Seen) -> None:
        motion = self._motion(before.source, here.source)
        edit, inside = warp(before.edit, motion.back)
        off = np.abs(here.edit - edit)[inside]
        jump = np.abs((here.edit - before.edit).mean(axis=(0, 1))).max()
        errors = []
        for now, then in ((here.result, before.result), (here.source, before.source)):
            squared = ((now - warp(then, motion.back)[0]) ** 2).sum(axis=-1)[motion.visible]
            errors.append(_mean(squared))
        self._pairs.append((_mean(off), float(jump), errors[0], errors[1]))
        if here.replayed is not None:
            self._drifts.append(float(np.abs(here.result - here.replayed).mean()))


class _NoiseMeter:
    """Temporal variance of each pixel within blocks of frames of one shot: longer ones would count the camera's own
    exposure as noise. A pixel of a block is still where the source varies by noise only."""

    def __init__(self) -> None:
        self._block: list[tuple[FloatArray, FloatArray]] = []
        self._still = self._seen = 0
        self._source = self._result = 0.0

    def push(self, source: FloatArray, result: FloatArray) -> None:
        self._block.append((source, result))
        if len(self._block) == _BLOCK:
            self.cut()

    def cut(self) -> None:
        block, self._block = self._block, []
        if len(block) < _LEAST:
            return
        source, result = (np.var([pair[side] for pair in block], axis=0, ddof=1) for side in (0, 1))
        still = source.max(axis=-1) < _STILL**2
        self._still += int(still.sum())
        self._seen += still.size
        self._source += float(source[still].sum())
        self._result += float(result[still].sum())

    def gain(self) -> float | None:
        self.cut()
        if self._source == 0 or self._still < _TRIPOD_SHARE * self._seen:
            return None
        return float(np.sqrt(self._result / self._source))


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if values.size else 0.0
