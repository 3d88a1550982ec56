"""ASC CDL: slope, offset, power and saturation that come closest to a map (ASC CDL 1.2).

Ten numbers can't say what a lattice says; how far they fall short is the caller's to measure and to state.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamct.model import FloatArray

_LUMA = np.array([0.2126, 0.7152, 0.0722])
_STEPS = 60
_MOST_COLOURS = 2048
_LEAST = 1e-6
_SETTLED = 1e-6
_PULL = 0.003
"""How hard the numbers are held at those that change nothing: a shot of few colours would leave them to chance."""
_UNCHANGED = np.array([1.0] * 3 + [0.0] * 3 + [1.0] * 3 + [1.0])
_BOUNDS = (np.array([0.05] * 3 + [-0.8] * 3 + [0.2] * 3 + [0.0]), np.array([8.0] * 3 + [0.8] * 3 + [5.0] * 3 + [4.0]))


@dataclass(frozen=True, slots=True)
class Cdl:
    """slope, offset, power: (3,) of red, green, blue. saturation: one for all."""

    slope: FloatArray
    offset: FloatArray
    power: FloatArray
    saturation: float

    def __call__(self, rgb: FloatArray) -> FloatArray:
        """clamp(rgb slope + offset)^power, then away from or towards its Rec.709 luma; rgb (..., 3), result 0..1."""
        graded = np.clip(rgb * self.slope + self.offset, 0.0, 1.0) ** self.power
        luma = (graded @ _LUMA)[..., None]
        return np.asarray(np.clip(luma + self.saturation * (graded - luma), 0.0, 1.0))


def fit_cdl(source: FloatArray, target: FloatArray, weights: FloatArray) -> Cdl:
    """The CDL that takes source (n, 3) closest to target (n, 3), R'G'B', in weighted least squares.

    Numbers that the colours say little of stay near those that change nothing. Levenberg-Marquardt from there, over
    the heaviest 2048 colours; at most 60 steps.
    """
    heaviest = np.argsort(-weights, kind="stable")[:_MOST_COLOURS]
    source, target, root = source[heaviest], target[heaviest], np.sqrt(weights[heaviest] / weights.sum())[:, None]

    def residual(values: FloatArray) -> FloatArray:
        return np.append((_unpacked(values)(source) - target) * root, _PULL * (values - _UNCHANGED))

    values = _UNCHANGED
    current, damping = residual(values), 1e-3
    for _ in range(_STEPS):
        slopes = np.stack([(residual(values + d) - current) / _LEAST for d in np.eye(10) * _LEAST], axis=1)
        square = slopes.T @ slopes
        step = np.linalg.solve(square + damping * (np.diag(np.diag(square)) + _LEAST * np.eye(10)), slopes.T @ current)
        trial = np.clip(values - step, *_BOUNDS)
        found = residual(trial)
        gain = current @ current - found @ found
        if gain > 0:
            settled = gain < _SETTLED * (current @ current)
            values, current, damping = trial, found, max(damping / 3, 1e-9)
            if settled:
                break
        else:
            damping = min(damping * 4, 1e9)
    return _unpacked(values)


def _unpacked(values: FloatArray) -> Cdl:
    return Cdl(values[:3], values[3:6], values[6:9], float(values[9]))


def _spelled(values: FloatArray) -> str:
    return " ".join(f"{value:.6f}" for value in values)


def format_cdl(cdl: Cdl, name: str, description: str) -> str:
    """The text of a .cdl file with one correction. name: ASCII letters, digits, `.`, `-`, `_` are kept."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)
    plain = description.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ColorDecisionList xmlns="urn:ASC:CDL:v1.2">
  <ColorDecision>
    <ColorCorrection id="{kept}">
      <SOPNode>
        <Description>{plain}</Description>
        <Slope>{_spelled(cdl.slope)}</Slope>
        <Offset>{_spelled(cdl.offset)}</Offset>
        <Power>{_spelled(cdl.power)}</Power>
      </SOPNode>
      <SatNode>
        <Saturation>{cdl.saturation:.6f}</Saturation>
      </SatNode>
    </ColorCorrection>
  </ColorDecision>
</ColorDecisionList>
"""


def edl_lines(cdl: Cdl) -> tuple[str, str]:
    """The CDL as the two comment lines of an event in a CMX 3600 list."""
    groups = "".join("(" + " ".join(f"{value:.4f}" for value in v) + ")" for v in (cdl.slope, cdl.offset, cdl.power))
    return f"* ASC_SOP {groups}", f"* ASC_SAT {cdl.saturation:.4f}"
