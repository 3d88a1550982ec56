"""Make the README's picture: python scripts/make_picture.py docs/example.png

A frame of the example clip, the reference, and the same frame graded by `streamct video`, side by side.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import av
import numpy as np
from make_example import SUNSET, scene, write_clip

from streamct import transfer_video
from streamct.media.image import save_png

_FRAME = 48


def frame_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index == _FRAME:
                return frame.to_ndarray(format="rgb24")
    raise ValueError(path)


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_clip(folder / "clip.mp4")
        reference = scene(0.0, SUNSET, seed=9)
        save_png(folder / "reference.png", reference)
        transfer_video(folder / "clip.mp4", folder / "reference.png", folder / "graded.mp4")
        parts = [frame_of(folder / "clip.mp4"), reference, frame_of(folder / "graded.mp4")]
    gap = np.full((parts[0].shape[0], 12, 3), 255, np.uint8)
    sheet = np.concatenate([parts[0], gap, parts[1], gap, parts[2]], axis=1)[::2, ::2]
    save_png(Path(sys.argv[1]), sheet)


if __name__ == "__main__":
    main()
