"""A worker gets ready before its first job: what is compiled, or read from the disk, is so by then."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from streamct.color.histogram import Counter
from streamct.color.lut import LutGrid
from streamct.grade.regions import palettes_of
from streamct.grade.sample import Sampler, sample_picture
from streamct.grade.track import Grader
from streamct.model import Coding, Frame, PixelFormat
from streamct.render import Renderer
from streamct.settings import Settings

_SIZE = (48, 64)


def grade_a_little() -> None:
    """Grade two small frames that are made up, in the layouts that videos mostly have."""
    settings = Settings()
    rng = np.random.default_rng(0)
    counter = Counter()
    palettes = palettes_of(
        sample_picture(rng.random((*_SIZE, 3), np.float32), None, settings.palette, counter), counter, settings.palette
    )
    assert palettes is not None
    for depth, dtype in ((8, np.uint8), (10, np.uint16)):
        layout = PixelFormat("yuv420p" if depth == 8 else "yuv420p10le", depth, 1, 1)
        coding = Coding("bt709", False)
        sampler = Sampler(layout, coding, settings.palette, columns=True)
        grader = Grader(palettes, LutGrid(coding, depth), settings)
        shapes = (_SIZE, (_SIZE[0] // 2, _SIZE[1] // 2), (_SIZE[0] // 2, _SIZE[1] // 2))
        for index in range(2):
            planes = tuple((rng.integers(64, 200, shape) << (depth - 8)).astype(dtype) for shape in shapes)
            frame = Frame(planes, layout, index, index, Fraction(1, 25))
            grades = [*grader.push(sampler.sample(frame))]
        grades += grader.finish()
        target = Frame(tuple(np.empty_like(plane) for plane in frame.planes), layout, 1, 1, Fraction(1, 25))
        Renderer(layout).render(frame, target, grades[-1], None)
