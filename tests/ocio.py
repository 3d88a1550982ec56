"""Look files through OpenColorIO, a reader of its own that colour suites use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PyOpenColorIO
from numpy.typing import NDArray


def through_opencolorio(rgb: NDArray[np.float32], file: Path) -> NDArray[np.float32]:
    """rgb (h, w, 3), 0..1, through a look file, tetrahedrally."""
    PyOpenColorIO.ClearAllCaches()  # it remembers files by name
    config = PyOpenColorIO.Config.CreateRaw()
    transform = PyOpenColorIO.FileTransform(str(file), interpolation=PyOpenColorIO.INTERP_TETRAHEDRAL)
    processor = config.getProcessor(transform).getDefaultCPUProcessor()
    out = np.ascontiguousarray(rgb, np.float32).copy()
    processor.applyRGB(out)
    return out
