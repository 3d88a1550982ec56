"""Colours that a user holds: a map is bent so that it takes them exactly where they should go.

The soft map blends the shifts of all palette colours, so no single one comes out where its target lies. Here every
held colour gets weights of its own, 1 at the colour itself and 0 at the other held ones but for what lies within a
unit of them, and the system of these weights is solved for the shifts that are added to the map. In full L*, a*, b*:
neither `alpha` nor the fade of blacks nor the skin's hold stands between a held colour and its target.

A held colour's weight is its inverse fourth power of distance among all palette colours', so it never exceeds 1 and
nothing overshoots. Unheld palette colours within a few Delta E follow it, those farther off keep their own shift. From
12 Delta E on, what lies nearer to any other palette colour is let go, and at 30 it no longer moves at all. Held colours
that are moved alike, as the lights and shadows of one thing are, do not let go of each other's surroundings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from streamct.color.jit import inlined, kernel
from streamct.model import FloatArray

_NEAR, _FAR = 12.0, 30.0
"""Delta E from a held colour up to which all follows it, and from which nothing does that lies nearer to another."""
_CLEAR = 8.0
"""What lies nearer to a held colour than to any other by this much follows it however far off it is."""
_FOLLOWS, _STANDS = 4.0, 12.0
"""Delta E up to which an unheld palette colour follows a held one, and from which it keeps its own shift."""
_ALIKE = 15.0
"""Shifts that differ by so much (Delta E) make two held colours allies to exp(-1/2)."""
_DARK, _LIGHT = 2.0, 18.0
_TRACE = 0.004
"""Black moves by this share of what a held colour of L* 18 or more is moved by: 0.2 for a shift of 50."""
_OWN_DARK = 8.0
"""Held colours of less L* take black along: a guard so near to them would bend the map within a node's cell."""
_ROUNDS = 24
_CLOSE = 0.01
_SINGULAR = 0.05


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
    counts as a rival of another. rivals: (k, 3) the palette's other colours, shares: (k,) 0..1 how far each keeps its
    own shift. black: black stays as it is, for held colours that are not dark themselves.
    """

    places: FloatArray
    shifts: FloatArray
    leeway: FloatArray
    rivals: FloatArray
    shares: FloatArray
    black: bool

    def __call__(self, lab: FloatArray) -> FloatArray:
        """What is added to lab (n, 3)."""
        out = np.zeros((len(lab), 3))
        pull(
            np.ascontiguousarray(lab), self.places, self.shifts, self.leeway, self.rivals, self.shares, self.black, out
        )
        return out


NO_PULL = Pull(np.empty((0, 3)), np.empty((0, 3)), np.empty((0, 0)), np.empty((0, 3)), np.empty(0), False)
"""Nothing is held."""


def solve(
    held: Held,
    palette: FloatArray,
    base: Callable[[FloatArray], FloatArray],
    finish: Callable[[FloatArray, FloatArray], FloatArray] | None,
    black: bool,
) -> Pull:
    """The pull that takes held colours to their targets.

    palette: (k, 3) colours of the map; those that are held are left out of the rivals. base: the map without a pull,
    (n, 3) -> (n, 3). finish: what comes of mapped colours, by source and mapped, when they are brought back into the
    gamut: a target near its border is aimed beyond. black: see `Pull`.
    """
    places = np.ascontiguousarray(held.sources, np.float64)
    gaps = np.linalg.norm(palette[:, None] - places[None], axis=2).min(axis=1)
    rivals = np.ascontiguousarray(palette[gaps > _CLOSE])
    t = np.clip((gaps[gaps > _CLOSE] - _FOLLOWS) / (_STANDS - _FOLLOWS), 0, 1)
    shares = t * t * (3 - 2 * t)
    own = base(places)
    wanted = held.targets - own
    if finish is not None:
        least = np.full(len(places), np.inf)
        aim = wanted.copy()
        for _ in range(_ROUNDS):
            missed = held.targets - finish(places, own + aim)
            size = np.linalg.norm(missed, axis=1)
            better = size < least
            wanted[better], least[better] = aim[better], size[better]
            aim = aim + missed
    unlike = ((wanted[:, None] - wanted[None]) ** 2).sum(axis=2)
    leeway = _FAR * np.exp(-unlike / (2 * _ALIKE**2))
    units = np.eye(len(places))
    weights = np.empty((len(places), len(places)))
    for j in range(len(places)):
        column = np.zeros((len(places), 3))
        pull(places, places, np.repeat(units[j][:, None], 3, axis=1), leeway, rivals, shares, black, column)
        weights[:, j] = column[:, 0]
    # Two held colours a fraction of a unit apart can't both be met: the least squares of what is well posed.
    shifts = np.linalg.lstsq(weights, wanted, rcond=_SINGULAR)[0]
    return Pull(places, np.ascontiguousarray(shifts), leeway, rivals, np.ascontiguousarray(shares), black)


@inlined
def _step(x: float) -> float:
    t = min(max(x, 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


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
    shares: FloatArray,
    black: bool,
    out: FloatArray,
) -> None:
    """Add to out (n, 3), in place, what colours lab (n, 3) are moved by; see `Pull`. Above L* = 100 as at 100."""
    m = places.shape[0]
    squares = np.empty(m)
    distances = np.empty(m)
    for i in range(lab.shape[0]):
        lightness = min(lab[i, 0], 100.0)
        nearest = np.inf
        total = 0.0
        for j in range(m):
            dl = lightness - places[j, 0]
            da = lab[i, 1] - places[j, 1]
            db = lab[i, 2] - places[j, 2]
            squares[j] = dl * dl + da * da + db * db
            distances[j] = np.sqrt(squares[j])
            total += 1.0 / ((squares[j] + 1.0) * (squares[j] + 1.0))
        for j in range(rivals.shape[0]):
            dl = lightness - rivals[j, 0]
            da = lab[i, 1] - rivals[j, 1]
            db = lab[i, 2] - rivals[j, 2]
            square = dl * dl + da * da + db * db
            total += shares[j] / ((square + 1.0) * (square + 1.0))
            nearest = min(nearest, square)
        nearest = np.sqrt(nearest)
        for j in range(m):
            kept = 1.0 - _step((distances[j] - _NEAR) / (_FAR - _NEAR))
            if kept < 1.0:
                other = nearest
                for k in range(m):
                    if k != j:
                        other = min(other, distances[k] + leeway[k, j])
                kept = max(kept, _step((other - distances[j]) / _CLEAR))
            if kept == 0.0:
                continue
            if black:
                kept *= min(_guarded(lightness, places[j, 0]) / _guarded(places[j, 0], places[j, 0]), 1.0)
            weight = kept / ((squares[j] + 1.0) * (squares[j] + 1.0) * total)
            out[i, 0] += weight * shifts[j, 0]
            out[i, 1] += weight * shifts[j, 1]
            out[i, 2] += weight * shifts[j, 2]
