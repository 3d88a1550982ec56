"""No segmentation: the whole frame is one region."""

from __future__ import annotations


class NoSegmenter:
    """Gives no mask for any frame."""

    name = "none"
    told = ""

    def begin(self, frames: int | None, width: int, height: int) -> None:
        """Nothing to prepare."""

    def mask(self, index: int, width: int, height: int) -> None:
        """None, for every frame."""
        return

    def end(self, frames: int) -> None:
        """Nothing to check."""

    def close(self) -> None:
        """Nothing to let go of."""
