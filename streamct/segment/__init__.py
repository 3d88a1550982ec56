"""What tells foreground from background: networks that look at proxies, and mattes that the user gives."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.float32]
Mask = NDArray[np.uint8]
"""(h, w) foreground weights, 0 background .. 255 foreground."""


class Segmenter(Protocol):
    """Foreground probabilities of pictures: batches of proxies in, batches of probabilities out.

    name: what the report calls it. device: "cpu", or a GPU with its number and name. size: long edge, in pixels,
    of the proxies that suit it. batch: how many it likes at once.
    """

    name: str
    device: str
    size: int
    batch: int

    def segment(self, proxies: NDArray[np.uint8]) -> Probabilities:
        """(n, h, w) float32 in 0..1 of n >= 1 upright sRGB proxies (n, h, w, 3).

        A picture's probabilities do not depend on its neighbours in the batch, but for the last bits. May be
        called from several threads.
        """


class GivenMattes(Protocol):
    """Foreground weights that are given for the frames of one clip, by frame number.

    `name` is what the report calls it. `begin` is called once, before the first frame; then `told` is what the user
    should know of how they are read, empty where there is nothing to say.
    """

    name: str

    @property
    def told(self) -> str: ...

    def begin(self, frames: int | None, width: int, height: int) -> None:
        """Told the clip's number of frames (None: unknown) and picture size, before anything is decoded.

        Raises:
            MaskError: it can't serve such a clip.
        """

    def mask(self, index: int, width: int, height: int) -> Mask | None:
        """(height, width) weights 0 background .. 255 foreground of frame `index`; None: no split.

        May be called from several threads, for frames in about their order, at several sizes.
        """

    def end(self, frames: int) -> None:
        """Told how many frames there were in the end.

        Raises:
            MaskError: its masks do not match that number.
        """

    def close(self) -> None:
        """Let go of files and decoders; what is asked for afterwards opens them again."""
