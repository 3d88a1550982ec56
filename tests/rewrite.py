"""A clip written again with its own samples: everything of a run but the grade."""

from __future__ import annotations

from pathlib import Path

from streamct.media.files import written_whole
from streamct.media.output import OutputPlan, resolve_output
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.media.verify import verify
from streamct.media.writer import Writer
from streamct.model import Clip
from streamct.settings import OutputSettings


def rewrite(source: Path | Clip, target: Path | None = None, **settings: object) -> tuple[OutputPlan, tuple[str, ...]]:
    """Read, write and verify; returns the plan and the notes on streams. settings: of the output.

    source: a file, or a clip of which other things are to be believed."""
    clip = source if isinstance(source, Clip) else probe(source)
    plan = resolve_output(clip, target, OutputSettings(**settings))  # type: ignore[arg-type]
    with written_whole(plan.path) as temporary:
        with Reader(clip, threads=1) as reader, Writer(clip, plan, temporary, threads=1) as writer:
            for frame in reader:
                copy = writer.allocate(frame)
                for to, samples in zip(copy.planes, frame.planes, strict=True):
                    to[...] = samples
                writer.write(copy)
            writer.close()
        verify(clip, plan, temporary, writer.index, writer.times, writer.copied)
    return plan, (*plan.notes, *writer.notes)
