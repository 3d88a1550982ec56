"""Picture quality without a reference, through pyiqa where the user has installed it.

pyiqa is not free for commercial use and loads weights from the network, so it is no dependency, not even an extra.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamct.errors import UsageError

IQA_METRICS = {
    "brisque": "BRISQUE",
    "clipiqa+": "CLIP-IQA+",
    "cnniqa": "CNNIQA",
    "dbcnn": "DBCNN",
    "musiq": "MUSIQ",
    "nima": "NIMA",
}
"""pyiqa's name of each metric that the paper reports (Tables 2, 4, 6), and how it is written."""


class Scorer:
    """Scores pictures with every metric of `IQA_METRICS`. Of BRISQUE less is better, of all others more.

    Raises:
        UsageError: pyiqa is not installed, or one of its metrics can't be set up.
    """

    def __init__(self) -> None:
        try:
            import pyiqa
            import torch
        except ImportError as cause:
            raise UsageError(
                "--iqa needs the package pyiqa, which is not installed: pip install pyiqa "
                "(its licence forbids commercial use, so streamct does not bring it)."
            ) from cause
        self._torch = torch
        self._metrics: dict[str, Any] = {}
        for name, written in IQA_METRICS.items():
            try:
                self._metrics[name] = pyiqa.create_metric(name, device=torch.device("cpu"))
            except Exception as cause:
                raise UsageError(
                    f"--iqa: pyiqa can't set up {written} ({cause}). It downloads weights when first used."
                ) from cause

    def __call__(self, rgb: NDArray[np.floating]) -> dict[str, float]:
        """Scores of a picture (h, w, 3) R'G'B', clipped to 0..1."""
        picture = np.ascontiguousarray(np.clip(rgb, 0, 1).transpose(2, 0, 1)[None], np.float32)
        with self._torch.no_grad():
            tensor = self._torch.from_numpy(picture)
            return {name: float(metric(tensor)) for name, metric in self._metrics.items()}
