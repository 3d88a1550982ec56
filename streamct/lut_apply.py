"""Pictures and clips through a LUT file, by the kernel that renders our own grades."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from streamct.color.apply import Content
from streamct.color.lut import LutGrid
from streamct.errors import UsageError
from streamct.grade.track import Grade
from streamct.input_lut import read_cube
from streamct.media.files import check_target
from streamct.media.image import PICTURE_EXTENSIONS, check_writable, default_output, read_picture, write_picture
from streamct.media.output import resolve_output
from streamct.media.picture_writer import check_pictures
from streamct.media.sequence import SEQUENCE
from streamct.media.source import open_source
from streamct.model import Frame, Progress, Report
from streamct.render import Renderer
from streamct.run import Teller
from streamct.settings import Settings
from streamct.transcode import place, transcode

_ROWS = 1 << 16


def apply_lut(
    input: Path | str,
    lut: Path | str,
    output: Path | str | None = None,
    settings: Settings | None = None,
    *,
    overwrite: bool = False,
    stream: int | None = None,
    tolerate_corrupt: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Render a picture or a clip through a .cube file; of `settings`, those of the output count.

    The cube's input is R'G'B', 0..1 full range, by the clip's own matrix. A clip's colours outside the cube's domain
    take the shift of the nearest colour inside; a picture is looked up exactly, tetrahedrally. Everything else is
    kept as `grade_video` and `grade_picture` keep it.

    Raises:
        StreamctError: anything wrong with input, LUT, settings or output. Nothing is left under the output's name
            then, and what was there is untouched.
    """
    settings = settings or Settings()
    input, lut = Path(input), Path(lut)
    output = Path(output) if output is not None else None
    began = time.monotonic()
    say = Teller(progress)
    cube = read_cube(lut)
    details: dict[str, Any]
    if input.suffix.lower() in PICTURE_EXTENSIONS:
        if stream is not None:
            raise UsageError("--stream: a picture has no streams. Leave it out.")
        picture = read_picture(input)
        path = output or default_output(input)
        check_writable(path)
        check_target(path, (input, lut), overwrite)
        say.start(1)
        graded = np.empty_like(picture.rgb)
        flat, out = picture.rgb.reshape(-1, 3), graded.reshape(-1, 3)
        for start in range(0, len(flat), _ROWS):
            out[start : start + _ROWS] = cube.carried(flat[start : start + _ROWS])
        for note in write_picture(path, graded, picture, settings.output.quality):
            say.note(note)
        frames = 1
        say.progress(1)
        details = {"width": graded.shape[1], "height": graded.shape[0], "depth": picture.depth}
    else:
        with open_source(input, stream, tolerate=tolerate_corrupt) as source:
            clip = source.clip
            plan = resolve_output(clip, output, settings.output)
            path = output if plan.piped and output is not None else plan.path
            if plan.container == SEQUENCE:
                check_pictures(clip, plan.path, (lut,), overwrite)
            elif not plan.piped:
                check_target(plan.path, (input, lut), overwrite)
            for note in (*source.notes, *plan.notes):
                say.note(note)
            grid = LutGrid(clip.coding, clip.format.depth)
            same = _Same(Grade((grid.bake_rgb(cube.carried),), Content(0, clip.height, 0, clip.width)))
            renderer = Renderer(clip.format, interlaced=clip.fields is not None)

            def fill(frame: Frame, target: Frame, grade: Grade) -> None:
                renderer.render(frame, target, grade, None)

            say.start(clip.frames)
            with place(plan, overwrite) as temporary:
                frames = transcode(source, plan, temporary, _unseen, same, fill, settings, say, tolerate_corrupt)
        details = {
            "width": clip.width, "height": clip.height, "encoder": plan.encoder, "pix_fmt": plan.pix_fmt,
            "options": plan.options, "fps": round(frames / max(say.elapsed(), 1e-6), 2),
        }  # fmt: skip
    elapsed = time.monotonic() - began
    return say.done(Report(input, lut, path, frames, elapsed, "none", tuple(say.said), details))


def _unseen(frame: Frame) -> None:
    """A grade that is known needs no look at the frame."""


class _Same:
    """The same grade for every frame."""

    def __init__(self, grade: Grade) -> None:
        self._grade = grade

    def push(self, sample: None, /) -> Iterator[Grade]:
        yield self._grade

    def finish(self) -> Iterator[Grade]:
        yield from ()
