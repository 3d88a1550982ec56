"""What is done in which worker for a clip in spans: functions of files and small data.

A clip is looked at and divided in one job, each span rendered into a part in one of its own, and the parts joined in a
last one. Masks, cuts and times are those of the whole clip throughout.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from streamct.errors import OutputError
from streamct.grade.cuts import ListedCuts
from streamct.grade.foreground import Foreground
from streamct.grade.mattes import Given, Mattes, Replayed
from streamct.grade.regions import Palettes
from streamct.grade.track import Grade
from streamct.grade.trackfile import load_track, save_track
from streamct.grading import Held, pass_over, reach
from streamct.input_lut import source_through_lut
from streamct.media.files import written_whole
from streamct.media.join import Joiner, verify_joins
from streamct.media.output import Y4M, OutputPlan
from streamct.media.parts import PartWriter, check_part, comes_in_parts
from streamct.media.passage_reader import PassageReader
from streamct.media.passthrough import left_out
from streamct.media.sequence import SEQUENCE
from streamct.media.source import Source, open_source
from streamct.media.timeline import Passage, Timeline, passage, timeline_of
from streamct.media.verify import verify
from streamct.model import Clip, Event, Frame, Report, Span
from streamct.pipeline import grade_asked
from streamct.prepare import Prepared, Request, prepare
from streamct.run import Teller, clip_mattes
from streamct.segment.choose import load
from streamct.segment.given import given_mattes
from streamct.segment.matte import Matte
from streamct.settings import Settings
from streamct.spans import plan_spans
from streamct.stream import Stream, decoder_threads, encoder_threads
from streamct.work import tell

Said = tuple[Event, ...]
"""Notes and warnings that a job would tell the user."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that a worker has to know to render any span of a clip.

    palettes: of the reference; held: a map instead. mask: the user's matte, None where there is none or it does not
    matter. segmenting: whether a network makes the masks, unless `track` has them. track: a file with the grades'
    shots; segmenter: whose masks it holds. folder: where masks are saved.
    """

    clip: Clip
    plan: OutputPlan
    settings: Settings
    palettes: Palettes | None
    held: Held | None = None
    cuts: ListedCuts | None = None
    mask: Path | None = None
    segmenting: bool = False
    track: Path | None = None
    segmenter: str = "none"
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Divided:
    """A clip that was looked at. spans: one where it is not divided, with `why`. passages: how each is decoded;
    mattes: how those of the user's matte video are, None where that is read from its beginning. masks: whether there
    are any to save. details: for the report."""

    recipe: Recipe
    spans: tuple[Span, ...]
    passages: tuple[Passage, ...]
    mattes: tuple[Passage | None, ...]
    masks: bool
    details: dict[str, Any]
    said: Said
    why: str | None = None


def divide(asked: Request, count: int | None = None) -> Divided:
    """Check what is asked, look at the reference, and plan the spans. count: how many the user wants.

    Raises:
        StreamctError: anything wrong with input, reference, masks, settings or output.
    """
    told: list[Event] = []
    say = Teller(told.append)
    with open_source(asked.input, asked.stream, asked.rate, asked.hwaccel, asked.tolerate_corrupt) as opened:
        source = source_through_lut(opened, asked.settings)
        ready = prepare(source, asked, say)
        try:
            timeline, matte, why = (None, None, None) if count == 1 else _timelines(source, ready, asked)
            recipe = _recipe(source, ready, asked)
            support = ready.mattes.support
            masked = ready.mattes.name != "none" or recipe.segmenter != "none"
        finally:
            ready.mattes.close()
        spans, passages = [Span(0, source.clip.frames or 1)], list[Passage]()
        mattes = list[Passage | None]()
        if timeline is not None:
            lead, tail = reach(recipe.settings, support) if recipe.held is None else (support, support)
            spans = plan_spans(timeline.frames, timeline.keys, lead, count)
            if len(spans) > 1:
                seen = [(s.start - lead, s.stop + tail) for s in spans]
                passages = [passage(timeline, *frames) for frames in seen]
                mattes = [None if matte is None else passage(matte, *frames) for frames in seen]
        details = ready.details(source, 0, 1.0)
        if source.pictures is None and ready.plan.container != SEQUENCE:
            for note in left_out(source.clip, ready.plan):
                say.note(note)
    return Divided(recipe, tuple(spans), tuple(passages), tuple(mattes), masked, details, _said(told), why)


def _timelines(source: Source, ready: Prepared, asked: Request) -> tuple[Timeline | None, Timeline | None, str | None]:
    """The timelines of the clip and of its matte video, or why it is graded in one piece."""
    plan = ready.plan
    why = None
    if source.demuxer is not None or source.pictures is not None:
        why = "what is no video file"
    elif plan.piped or plan.container in (SEQUENCE, Y4M):
        why = "this output"
    elif not comes_in_parts(plan):
        why = f"what {plan.encoder} encodes as {plan.pix_fmt}"
    elif ready.trim is not None:
        why = "a part of a clip"
    elif asked.tolerate_corrupt:
        why = "what is damaged"
    elif source.hwaccel is not None:
        why = "what a device decodes"
    if why is not None:
        return None, None, f"{why} is graded in one piece"
    timeline = timeline_of(source.clip)
    if timeline is None:
        return None, None, "its packets don't tell where its frames lie, so it is graded in one piece"
    given = ready.given if ready.used and isinstance(ready.given, Matte) else None
    matte = None if given is None else given.timeline()
    if given is not None and matte is None and not given.counted:
        why = "what has a matte video that does not tell its length"
    elif matte is not None and matte.frames != timeline.frames:
        why = "what has a matte video of another length"
    elif ready.held is not None and ready.held.baker.map.shots[-1].stop not in (None, timeline.frames):
        why = "what has a map of another length"
    return (timeline, matte, None) if why is None else (None, None, f"{why} is graded in one piece")


def _recipe(source: Source, ready: Prepared, asked: Request) -> Recipe:
    saved = ready.kept.saved
    return Recipe(
        clip=source.clip, plan=ready.plan, settings=ready.settings, palettes=ready.palettes, held=ready.held,
        cuts=ready.kept.cuts if ready.held is None else ready.held.baker.cuts,
        mask=asked.mask if ready.used else None,
        segmenting=ready.network is not None and ready.mattes.name == ready.network.name,
        track=asked.track, segmenter="none" if saved is None else saved.segmenter,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rendered:
    """A part of a clip. reused: it was there already. foreground: what was counted of its masks. said: what the
    network met with."""

    reused: bool
    foreground: Foreground | None = None
    said: tuple[str, ...] = ()


def find_track(recipe: Recipe, asked: Request, path: Path) -> tuple[str, Rendered]:
    """Look for a clip's shots and their palettes, once for all spans; returns whose masks were counted, and what was
    found of them.

    path: of the track, for the workers; where the user wants it too it is written there as well.

    Raises:
        DamagedInputError, OutputError: the clip can't be read, or the track not be written.
    """
    from streamct.tracks import Tracks

    with open_source(asked.input, asked.stream) as opened:
        source = source_through_lut(opened, asked.settings)
        kept = Tracks(source, recipe.settings, asked.cuts, None, asked.save_track)
        mattes = _mattes(recipe)
        try:
            assert recipe.palettes is not None  # a map needs no track
            found = kept.find(recipe.palettes, mattes, recipe.settings, Teller(None))
        finally:
            mattes.close()
        kept.save(found, mattes.name, recipe.settings)
        save_track(path, found, source.clip, recipe.settings, mattes.name)
        tell(0)  # none of the frames that were seen is graded
        return mattes.name, Rendered(False, found.foreground, _met_with(recipe))


def _mattes(recipe: Recipe, way: Passage | None = None) -> Mattes:
    """way: to the mattes in the user's video that are needed."""
    clip = recipe.clip
    given = given_mattes(recipe.mask, clip, way, decoder_threads())
    if recipe.track is not None:
        return Given(given) if recipe.segmenter == given.name else Replayed(recipe.segmenter)
    network = load(recipe.settings.segment) if recipe.segmenting else None
    return clip_mattes(clip, recipe.settings, given, network, recipe.cuts)


def render_span(recipe: Recipe, span: Span, way: Passage, path: Path, matte: Passage | None = None) -> Rendered:
    """Grade and encode the frames of a span into a part, unless it is there already.

    way: to the frames that have to be seen for it; matte: to their mattes, where these are a video. A part appears
    whole or not at all.

    Raises:
        DamagedInputError, OutputError, MaskError: see `PassageReader`, `PartWriter` and `check_part`.
    """
    clip, plan = recipe.clip, recipe.plan
    times = way.pts[span.start - way.first : span.stop - way.first].tolist()
    if path.exists():
        try:
            check_part(path, clip, plan, times)
            return Rendered(reused=True)
        except OutputError:
            path.unlink(missing_ok=True)
    with ExitStack() as stack:
        mattes = _mattes(recipe, matte)
        stack.callback(mattes.close)
        track = None if recipe.track is None else load_track(recipe.track, clip).track
        ours = pass_over(
            clip, recipe.palettes, mattes, recipe.settings, held=recipe.held,
            folder=recipe.folder, cuts=recipe.cuts, track=track, span=span,
        )  # fmt: skip
        temporary = stack.enter_context(written_whole(path))
        reader = stack.enter_context(PassageReader(clip, way, decoder_threads()))
        written = replace(clip, coding=clip.coding.written)
        with PartWriter(written, plan, temporary, encoder_threads(plan.encoder)) as writer:

            def render(frame: Frame, grade: Grade) -> Frame:
                target = writer.allocate(frame)
                ours.fill(frame, target, grade)
                return target

            only = range(span.start, span.stop)
            Stream(
                reader, ours.sample, ours.grading, render, writer.write, keep=lambda frame: frame.index in only
            ).run()
            writer.close()
        check_part(temporary, clip, plan, times)
    return Rendered(False, ours.foreground, _met_with(recipe))


def _met_with(recipe: Recipe) -> tuple[str, ...]:
    """What the network met with on the way."""
    return tuple(load(recipe.settings.segment).told()) if recipe.segmenting and recipe.track is None else ()


def join_parts(recipe: Recipe, parts: tuple[Path, ...], firsts: tuple[int, ...], tolerate: bool = False) -> Said:
    """Write the output of a clip's parts, with all that is copied beside them. firsts: first frame of each part.

    Raises:
        DamagedInputError, OutputError: see `Joiner`, `verify` and `verify_joins`.
    """
    clip, plan = recipe.clip, recipe.plan
    told: list[Event] = []
    say = Teller(told.append)
    with written_whole(plan.path) as temporary:
        with Joiner(clip, plan, temporary, tolerate) as joiner:
            known = len(joiner.notes)
            for note in joiner.notes:
                say.note(note)
            joiner.add(parts)
            joiner.close()
        for line in joiner.notes[known:]:
            say.warning(line)
        verify(clip, plan, temporary, joiner.index, joiner.times, joiner.copied)
        verify_joins(plan, temporary, joiner.index, firsts[1:])
    return _said(told)


def grade_whole(asked: Request) -> tuple[Report, Said]:
    """Grade a clip in one piece; see `streamct.pipeline.grade_asked`."""
    told: list[Event] = []
    report = grade_asked(asked, told.append)
    return report, _said(told)


def _said(told: list[Event]) -> Said:
    return tuple(event for event in told if event.kind in ("note", "warning"))
