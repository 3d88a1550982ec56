"""An identity grade through decoder, kernel and lossless encoder changes no sample and no tag."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import streams

from streamct.color.apply import Content
from streamct.color.colormap import ColorMap
from streamct.color.lut import Lut, LutGrid
from streamct.grade.track import Grade
from streamct.media.files import written_whole
from streamct.media.output import resolve_output
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.media.verify import verify
from streamct.media.writer import Writer
from streamct.model import Coding
from streamct.render import Renderer
from streamct.settings import OutputSettings

MATRICES = {"bt601": 6, "bt709": 1, "bt2020": 9}
TRANSFERS = {"srgb": {6: 6, 1: 1, 9: 14}, "pq": dict.fromkeys((6, 1, 9), 16), "hlg": dict.fromkeys((6, 1, 9), 18)}
WIDTH, HEIGHT = 34, 18


@cache
def identity(coding: Coding, depth: int) -> Lut:
    return LutGrid(coding, depth).bake(ColorMap(np.zeros((1, 3)), np.zeros((1, 3)), 8.0, True, True))


CASES = [
    (matrix, full, depth, chroma)
    for matrix, full, depth, chroma in itertools.product(MATRICES, (False, True), (8, 10, 12), ("420", "422", "444"))
]


@pytest.mark.parametrize("transfer", ["srgb", "pq", "hlg", None])
@pytest.mark.parametrize(("matrix", "full", "depth", "chroma"), CASES)
def test_planes_are_bit_identical(
    tmp_path: Path, matrix: str, full: bool, depth: int, chroma: str, transfer: str | None
) -> None:
    pix_fmt = f"yuv{chroma}p" + ("" if depth == 8 else f"{depth}le")
    number = MATRICES[matrix]
    tags = (2, 2, 2, 2 if full else 0)
    if transfer is not None:
        tags = (number, number, TRANSFERS[transfer][number], 2 if full else 1)
    frames = [streams.random_planes(pix_fmt, WIDTH, HEIGHT, seed=n) for n in range(2)]
    if not full:  # codes outside the nominal range stay, too
        frames[0][0][0, :4] = (0, 1, (1 << depth) - 2, (1 << depth) - 1)
    path = streams.write_planes(tmp_path / "a.mkv", pix_fmt, frames, (WIDTH, HEIGHT), tags=tags)

    clip = probe(path)
    assert clip.coding.full_range == full
    assert clip.coding.matrix == (matrix if transfer is not None else "bt601")
    assert clip.coding.transfer == (transfer or "srgb")
    assert clip.coding.primaries == ("bt2020" if transfer is not None and matrix == "bt2020" else "bt709")
    plan = resolve_output(clip, tmp_path / "b.mkv", OutputSettings())
    assert (plan.encoder, plan.pix_fmt) == ("ffv1", pix_fmt)
    grade = Grade((identity(clip.coding, depth),), Content(0, HEIGHT, 0, WIDTH))
    renderer = Renderer(clip.format)
    with written_whole(plan.path) as temporary:
        with Reader(clip, threads=1) as reader, Writer(clip, plan, temporary, threads=1) as writer:
            for frame in reader:
                target = writer.allocate(frame)
                for plane in target.planes:
                    plane[...] = 0
                renderer.render(frame, target, grade, None)
                writer.write(target)
            writer.close()
        verify(clip, plan, temporary, writer.index, writer.times, writer.copied)

    written = probe(plan.path)
    assert (written.tags, written.coding, written.format) == (clip.tags, clip.coding, clip.format)
    with Reader(written) as reader:
        for frame, wanted in zip(reader, frames, strict=True):
            for got, original in zip(frame.planes, wanted, strict=True):
                np.testing.assert_array_equal(got, original)
