"""One pass over a clip: decode, grade, encode, and check what was written."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path

from streamct.grade.track import Grade
from streamct.grading import Fill
from streamct.media.files import written_whole
from streamct.media.output import OutputPlan
from streamct.media.picture_writer import PictureWriter, pictures_whole
from streamct.media.pipes import StandardOutput, standard_output
from streamct.media.sequence import SEQUENCE
from streamct.media.source import Source
from streamct.media.verify import verify, verify_piped
from streamct.media.writer import Writer
from streamct.model import Clip, Frame
from streamct.run import Teller
from streamct.settings import Settings
from streamct.stream import Grading, Sample, Stream, decoder_threads, encoder_threads


def place(plan: OutputPlan, overwrite: bool) -> AbstractContextManager[Path | StandardOutput]:
    """Where the output is written to, until it is whole."""
    if plan.piped:
        return standard_output()
    return pictures_whole(plan.path, overwrite) if plan.container == SEQUENCE else written_whole(plan.path)


def transcode(
    source: Source,
    plan: OutputPlan,
    temporary: Path | StandardOutput,
    sample: Sample,
    grading: Grading,
    fill: Fill,
    settings: Settings,
    say: Teller,
    tolerate: bool = False,
    shape: Clip | None = None,
) -> int:
    """Write a clip, graded, to `temporary`, as `plan` says, with all that is copied beside it; returns the frames.

    shape: the clip as it is written, where `fill` makes pictures of another size.

    Raises:
        DamagedInputError, OutputError: see `Reader`, `Writer` and `verify`.
    """
    clip, trim = source.clip, source.trim
    with ExitStack() as stack:
        reader = source.reader(tolerate, decoder_threads())
        stack.callback(reader.close)
        written = replace(clip if shape is None else shape, coding=clip.coding.written)
        writer = _writer(source, written, plan, temporary, settings, tolerate)
        stack.push(writer.__exit__)
        known = len(writer.notes)
        for note in writer.notes:
            say.note(note)

        def render(frame: Frame, grade: Grade) -> Frame:
            target = writer.allocate(frame if trim is None else trim.moved(frame))
            fill(frame, target, grade)
            return target

        keep = None if trim is None else lambda frame: trim.holds(frame.pts)

        def stop() -> None:
            source.stop()
            if isinstance(temporary, StandardOutput):
                temporary.stop()

        frames = Stream(reader, sample, grading, render, writer.write, stop, keep).run(say.progress)
        writer.close()
    for line in (*reader.warnings, *writer.notes[known:]):
        say.warning(line)
    if isinstance(writer, PictureWriter):
        writer.verify()
    elif isinstance(temporary, Path):
        verify(written, plan, temporary, writer.index, writer.times, writer.copied)
    else:
        verify_piped(written, plan, writer.times, writer.encoded)
    return frames


def _writer(
    source: Source,
    clip: Clip,
    plan: OutputPlan,
    temporary: Path | StandardOutput,
    settings: Settings,
    tolerate: bool,
) -> Writer | PictureWriter:
    if plan.container == SEQUENCE:
        assert isinstance(temporary, Path)
        return PictureWriter(clip, plan, temporary, settings.output.quality)
    alone = source.pictures is not None
    threads = encoder_threads(plan.encoder)
    return Writer(clip, plan, temporary, threads, tolerate, source.demuxer, alone, source.trim)
