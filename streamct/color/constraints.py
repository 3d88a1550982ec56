"""Colours that a user holds: a map is bent so that it takes them exactly where they should go.

The soft map blends the shifts of all palette colours, so no single one comes out where its target lies. Here every
held colour gets weights of its own, 1 at the colour itself and 0 at the other held ones but for what lies within half a
unit of them, and the system of these weights is solved for the shifts that are added to the map. In full L*, a*, b*:
neither `alpha` nor the fade of blacks nor the skin's hold stands between a held colour and its target.

All falls off as softly as what is promised allows, since an edge among colours is a rim in the picture. Around a held
colour a smooth step goes from 1 to 0 within 30 Delta E, whatever palette colours lie there. What lies clearly nearer to
it than to any other palette colour follows it however far off it is; what is farther off than 30 and nearer to another
doesn't move. Held colours share what lies between them by inverse squares of distance, so no weight exceeds 1 and
nothing overshoots; those that are moved alike, as the lights and shadows of one thing are, do not let go of each
other's surroundings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamct.color.jit import inlined, kernel
from streamct.model import FloatArray

_FAR = 30.0
"""Delta E from a held colour within which its pull fades out, and from which nothing moves that is nearer to another.
Also how much nearer to it than to any other a colour has to be to follow it wholly however far off it is, but ..."""
_CLEAR = 0.75
"""... this share of the distance between the two where that is more: in 30 it falls off gently between close ones, and
by a share also those far apart are followed wholly on the far side."""
_ALIKE = 15.0
"""Shifts that differ by so much (Delta E) make two held colours allies to exp(-1/2)."""
_DARK, _LIGHT = 2.0, 18.0
_TRACE = 0.004
"""Black moves by this share of what a held colour of L* 18 or more is moved by: 0.2 for a shift of 50."""
_OWN_DARK = 8.0
"""Held colours of less L* take black along: a guard so near to them would bend the map within a node's cell."""
_ROUNDS, _MET = 24, 0.05
"""How often, and how nearly, what a map's surroundings take from a held colour is made up for."""
_CLOSE = 0.01
_SINGULAR = 0.05
_HALF = 0.25
"""Square of the Delta E within which held colours give way to each other."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the user wants: sources (m, 3) go to targets (m, 3), float64 Lab."""

    sources: FloatArray
    targets: FloatArray

    def __len__(self) -> int:
        return len(self.sources)


@dataclass(frozen=True, slots=True)
class Pull:
    """What is added to a map, as `pull` evaluates it.

    places, shifts: (m, 3) held colours and the solved shifts. leeway: (m, m) how much farther off, in Delta E, each
    counts as a rival of another. rivals: (k, 3) the palette's other colours. black: black stays as it is, for held
    colours that are not dark themselves. goals: (m, 3) the targets in the R'G'B' that the map ends in: they are in the
    gamut, so bringing colours back into it leaves them where they are; or (0, 3).
    """

    places: FloatArray
    shifts: FloatArray
    leeway: FloatArray
    rivals: FloatArray
    black: bool
    goals: FloatArray = field(default_factory=lambda: np.empty((0, 3)))

    def __call__(self, lab: FloatArray) -> FloatArray:
        """What is added to lab (n, 3)."""
        return self.apply(lab, np.zeros((len(lab), 3)), None)[0]

    def apply(
        self, lab: FloatArray, mapped: FloatArray, rgb: NDArray[np.floating] | None
    ) -> tuple[FloatArray, FloatArray]:
        """mapped (n, 3) with what is added to lab (n, 3), in place; and in place of the source's R'G'B' rgb (n, 3) what
        the gamut is to take for it: near a held colour its target."""
        goals = self.goals if rgb is not None else NO_GOALS
        near = np.array(rgb if rgb is not None else mapped, np.float64)
        held = (self.places, self.shifts, self.leeway, self.rivals, self.black, goals)
        pull(np.ascontiguousarray(lab), *held, mapped, near)
        return mapped, near


NO_GOALS = np.empty((0, 3))
NO_PULL = Pull(np.empty((0, 3)), np.empty((0, 3)), np.empty((0, 0)), np.empty((0, 3)), False)
"""Nothing is held."""


def solve(
    held: Held,
    palette: FloatArray,
    base: Callable[[FloatArray], FloatArray],
    black: bool,
    goals: FloatArray | None = None,
    outcome: Callable[[Pull], FloatArray] | None = None,
) -> Pull:
    """The pull that takes held colours to their targets.

    palette: (k, 3) colours of the map; those that are held are left out of the rivals. base: the map without a pull,
    (n, 3) -> (n, 3). black, goals: see `Pull`. outcome: what comes of the held colours (m, 3) in the end with a pull,
    where more than the map has a say, such as a Lut's nodes; what is missed then is aimed beyond.
    """
    places = np.ascontiguousarray(held.sources, np.float64)
    gaps = np.linalg.norm(palette[:, None] - places[None], axis=2).min(axis=1)
    rivals = np.ascontiguousarray(palette[gaps > _CLOSE])
    wanted = held.targets - base(places)
    unlike = ((wanted[:, None] - wanted[None]) ** 2).sum(axis=2)
    reach = np.linalg.norm(places[:, None] - places[None], axis=2)
    leeway = np.maximum(_FAR, _CLEAR * reach) * np.exp(-unlike / (2 * _ALIKE**2))
    weights = np.empty((len(places), len(places)))
    for j, unit in enumerate(np.eye(len(places))):
        single = Pull(places, np.repeat(unit[:, None], 3, axis=1), leeway, rivals, black)
        weights[:, j] = single(places)[:, 0]
    kept = NO_GOALS if goals is None else np.ascontiguousarray(goals)

    def solved(aim: FloatArray) -> Pull:
        # Two held colours a fraction of a unit apart can't both be met: the least squares of what is well posed.
        shifts = np.linalg.lstsq(weights, aim, rcond=_SINGULAR)[0]
        return Pull(places, np.ascontiguousarray(shifts), leeway, rivals, black, kept)

    if outcome is None:
        return solved(wanted)
    aim, best, least = wanted, wanted.copy(), np.full(len(places), np.inf)
    for _ in range(_ROUNDS):
        missed = held.targets - outcome(solved(aim))
        size = np.linalg.norm(missed, axis=1)
        better = size < least
        best[better], least[better] = aim[better], size[better]
        aim = aim + missed
        if size.max() < _MET:
            break
    return solved(best)


@inlined
def _step(x: float) -> float:
    t = min(max(x, 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@inlined
def _square(one: FloatArray, other: FloatArray) -> float:
    """Square of the distance of two colours (3,)."""
    dl: float = one[0] - other[0]
    da: float = one[1] - other[1]
    db: float = one[2] - other[2]
    return dl * dl + da * da + db * db


@inlined
def _guarded(lightness: float, place: float) -> float:
    """What is left at some L* of a shift of a held colour of L* `place`, so that black stays black."""
    gone = 1.0 - _TRACE - (1.0 - _TRACE) * _step((lightness - _DARK) / (_LIGHT - _DARK))
    return 1.0 - gone * _step((place - _OWN_DARK) / (_LIGHT - _OWN_DARK))


@kernel
def pull(
    lab: FloatArray,
    places: FloatArray,
    shifts: FloatArray,
    leeway: FloatArray,
    rivals: FloatArray,
    black: bool,
    goals: FloatArray,
    out: FloatArray,
    near: FloatArray,
) -> None:
    """Add to out (n, 3), in place, what colours lab (n, 3) are moved by; see `Pull`. Above L* = 100 as at 100.

    near: (n, 3) R'G'B' of lab, drawn to the goals, in place, by the same weights.
    """
    m, k = places.shape[0], rivals.shape[0]
    squares, distances, kept, others = np.empty(m), np.empty(m), np.empty(m), np.empty(k)
    clear, cleared = np.empty((m, m)), np.empty((m, k))
    for j in range(m):
        for o in range(m):
            clear[j, o] = 1.0 / max(_CLEAR * np.sqrt(_square(places[j], places[o])), _FAR)
        for o in range(k):
            cleared[j, o] = 1.0 / max(_CLEAR * np.sqrt(_square(places[j], rivals[o])), _FAR)
    colour = np.empty(3)
    for i in range(lab.shape[0]):
        colour[0], colour[1], colour[2] = min(lab[i, 0], 100.0), lab[i, 1], lab[i, 2]
        for j in range(m):
            squares[j] = _square(colour, places[j])
            distances[j] = np.sqrt(squares[j])
        for o in range(k):
            others[o] = np.sqrt(_square(colour, rivals[o]))
        most, total = 0.0, 0.0
        for j in range(m):
            lead = 1.0
            for o in range(k):
                lead = min(lead, (others[o] - distances[j]) * cleared[j, o])
            for o in range(m):
                if o != j:
                    lead = min(lead, (distances[o] + leeway[o, j] - distances[j]) * clear[j, o])
            own = _step(lead)
            kept[j] = own + (1.0 - own) * (1.0 - _step(distances[j] / _FAR))
            most = max(most, kept[j])
            total += kept[j] / (squares[j] + _HALF)
        for j in range(m):
            if kept[j] == 0.0:
                continue
            weight = most * kept[j] / ((squares[j] + _HALF) * total)
            if black:
                weight *= min(_guarded(colour[0], places[j, 0]) / _guarded(places[j, 0], places[j, 0]), 1.0)
            out[i, 0] += weight * shifts[j, 0]
            out[i, 1] += weight * shifts[j, 1]
            out[i, 2] += weight * shifts[j, 2]
            if goals.shape[0] > 0:
                for c in range(3):
                    near[i, c] += min(weight, 1.0) * (goals[j, c] - near[i, c])
