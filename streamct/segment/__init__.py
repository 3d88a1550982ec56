"""What tells foreground from background."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Segmenter(Protocol):
    """Foreground weights for the frames of one clip.

    `name` is what the report calls it. `begin` is called once, before the first frame.
    """

    name: str

    def begin(self, frames: int | None, width: int, height: int) -> None:
        """Told the clip's number of frames (None: unknown) and picture size, before anything is decoded.

        Raises:
            MaskError: it can't serve such a clip.
        """

    def mask(self, index: int, width: int, height: int) -> NDArray[np.uint8] | None:
        """(height, width) weights 0 background .. 255 foreground of frame `index`; None: no split.

        May be called from several threads, for frames in about their order, at several sizes.
        """

    def end(self, frames: int) -> None:
        """Told how many frames there were in the end.

        Raises:
            MaskError: its masks do not match that number.
        """
