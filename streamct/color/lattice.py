"""ColorMap -> Lattice, and a lattice as a picture (HALD)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamct.color.colormap import ColorMap, apply_to_srgb
from streamct.color.cube import Lattice, nodes, unit_lattice

HALD_LEVEL = 8
"""A HALD picture of level 8 is 512 x 512 pixels and holds a lattice of 64 nodes an axis."""


def map_lattice(mapping: ColorMap, size: int, workers: int = 2) -> Lattice:
    """The map at size^3 nodes of R'G'B' (display-referred, sRGB curve and primaries), brought into the gamut."""
    rgb = nodes(size).reshape(size * size, size, 3).astype(np.float32)
    table = apply_to_srgb(mapping, rgb, workers).astype(np.float64)
    return unit_lattice(table.reshape(size, size, size, 3))


def hald(lattice: Lattice, level: int = HALD_LEVEL) -> NDArray[np.uint16]:
    """The HALD picture (level^3, level^3, 3) of a lattice over 0..1 with level^2 nodes an axis, red fastest.

    Raises:
        ValueError: a lattice of another size.
    """
    side = level**3
    if len(lattice.table) != level**2:
        raise ValueError(f"a HALD picture of level {level} takes {level**2} nodes an axis, got {len(lattice.table)}")
    codes = np.rint(np.clip(lattice.table, 0, 1) * 65535).astype(np.uint16)
    return codes.reshape(side, side, 3)
