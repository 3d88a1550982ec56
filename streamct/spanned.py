"""A clip in spans: the task that has its jobs done (`streamct.span_jobs`), and runs it on an executor."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from streamct.errors import DamagedInputError, StreamctError
from streamct.execute import Executor, Job, Shared, Task, values
from streamct.execute.engine import Engine, open_executor
from streamct.execute.schedule import State, run_tasks
from streamct.grade.cutlist import beyond
from streamct.grade.foreground import together
from streamct.media.masks import mask_folder
from streamct.media.parts import parts_folder
from streamct.model import Event, Progress, Report, Span
from streamct.prepare import Request, share_of
from streamct.run import Teller, fell_back
from streamct.segment.matte import Matte
from streamct.span_jobs import Divided, Recipe, Rendered, Said, divide, find_track, grade_whole, join_parts, render_span
from streamct.undivided import never_split

PartPath = Callable[[Span], Path]
"""Where the part of a span lies; it may be there from an earlier run."""


def clip_task(
    asked: Request, name: str, parts: PartPath | None, work: Path | None, say: Teller, count: int | None = None
) -> Task[Report]:
    """Grade one clip, in spans where it is long, or where `count` says how many.

    name: what its jobs are called by. parts: where its parts lie; who gives them removes them. work: a folder for what
    else the workers share, such as a track. Without these, all of it lies in a folder beside the output and goes with
    the task.

    Raises:
        StreamctError: anything wrong; the output is then as it was.
    """
    began = time.monotonic()
    (divided,) = values((yield [Job(divide, (asked, count), f"{name}: look", 0)]))
    spans = divided.spans
    if len(spans) == 1:
        if count is not None and count > 1 and divided.why is not None:
            say.warning(f"{name}: {divided.why}")
        return (yield from _whole(asked, name, divided, say))
    _tell_new(divided.said, say)
    try:
        return (yield from _in_spans(asked, name, parts, work, say, divided, began))
    except DamagedInputError as damage:
        say.warning(f"{damage} It is read again from its beginning.")
    return (yield from _whole(asked, name, divided, say))


def _whole(asked: Request, name: str, divided: Divided, say: Teller) -> Task[Report]:
    _tell_new(divided.said, say)
    say.start(divided.recipe.clip.frames)
    (given,) = values((yield [Job(grade_whole, (asked,), name, divided.spans[-1].stop)]))
    report: Report
    report, said = given
    _tell_new(said, say)
    return replace(report, warnings=tuple(say.said), details=report.details | {"spans": 1})


def _in_spans(
    asked: Request, name: str, parts: PartPath | None, work: Path | None, say: Teller, divided: Divided, began: float
) -> Task[Report]:
    recipe, spans = divided.recipe, divided.spans
    frames = spans[-1].stop
    looked: Rendered | None = None
    with ExitStack() as stack:
        if parts is None or work is None:
            work = stack.enter_context(parts_folder(recipe.plan.path))
            parts = _in_folder(work)
        if recipe.settings.time.mode == "shot" and recipe.track is None:
            path = work / f"{parts(Span(0, frames)).stem}.track.npz"
            stack.callback(path.unlink, missing_ok=True)
            say.start(frames)
            say.note("first pass: looking for the shots and their colours")
            ((made, looked),) = values((yield [Job(find_track, (recipe, asked, path), f"{name}: shots", frames)]))
            recipe = replace(recipe, track=path, segmenter=made)
        if asked.save_masks is not None and divided.masks:
            recipe = replace(recipe, folder=stack.enter_context(mask_folder(asked.save_masks)))
        say.start(frames)
        shared = Shared(recipe)
        paths = tuple(parts(span) for span in spans)
        there = [path.exists() for path in paths]  # from an earlier run; others may be there when a job is begun again
        outcomes = yield [
            Job(render_span, (shared, span, *rest), f"{name} [{span.start}, {span.stop})", span.stop - span.start)
            for span, *rest in zip(spans, divided.passages, paths, divided.mattes, strict=True)
        ]
        rendered: tuple[Rendered, ...] = tuple(values(outcomes))
        for line in dict.fromkeys(line for part in (looked, *rendered) if part is not None for line in part.said):
            say.warning(line)
        reused = [part.reused and old for part, old in zip(rendered, there, strict=True)]
        counted = together(part.foreground for part in rendered) if looked is None else looked.foreground
        before = sum(span.stop - span.start for span, known in zip(spans, reused, strict=True) if known)
        firsts = tuple(span.start for span in spans)
        took = say.elapsed()
        (said,) = values((yield [Job(join_parts, (shared, paths, firsts), f"{name}: join", 0)]))
    _tell_new(said, say)
    if (warning := never_split(counted, recipe.palettes, recipe.settings)) is not None:
        say.warning(warning)
    if (warning := beyond(asked.cuts, recipe.cuts, frames)) is not None:
        say.warning(warning)
    if asked.save_masks is not None and not divided.masks and not fell_back(asked.settings, recipe.settings):
        say.warning(f"{asked.save_masks}: no masks were saved, because there is no segmenter")
    segmenter = recipe.segmenter if recipe.track is not None else _name(recipe)
    details = divided.details | {
        "fps": round((frames - before) / max(took, 1e-6), 2), "spans": len(spans), "parts reused": sum(reused),
        "frames reused": before, **share_of(counted),
    }  # fmt: skip
    seconds = time.monotonic() - began
    return Report(
        asked.input, asked.colours, recipe.plan.path, frames, seconds, segmenter, tuple(say.said), details
    )  # fmt: skip


def _in_folder(folder: Path) -> PartPath:
    return lambda span: folder / f"{span.start:08d}.part"


def grade_in_spans(
    asked: Request, executor: Executor, progress: Progress | None = None, count: int | None = None
) -> Report:
    """`grade_video` over an executor, in spans where the clip is long; or in `count` spans.

    Raises:
        StreamctError: as `grade_video`; `ExecutionError`: workers were lost, or nothing went on.
    """
    say = _Phases(progress)
    task = clip_task(asked, asked.input.name, None, None, say, count)
    ((_, result),) = run_tasks(executor, [(str(asked.input), task)], on_progress=say.watch)
    if isinstance(result, StreamctError):
        raise result
    at = {"engine": executor.name, "workers": executor.workers}
    return say.done(replace(result, details=result.details | at))


def grade_with(engine: Engine, asked: Request, progress: Progress, count: int | None = None) -> Report:
    """`grade_in_spans` on the engine that the user asks for.

    Raises:
        StreamctError: as `grade_in_spans`; `ClusterError`: the cluster can't be reached.
    """
    folder = asked.input.parent if asked.output is None else asked.output.parent
    wanted = asked.references
    colours = wanted.paths if wanted is not None else (asked.map,)
    given = (
        asked.input, *colours, folder, asked.mask, asked.ref_mask, asked.cuts, asked.track, asked.settings.input.lut
    )  # fmt: skip
    paths = [path for path in given if path is not None and path.exists()]
    segmenting = asked.settings.segment.segmenter != "none" and (asked.mask is None or asked.ref_mask is None)
    written = (folder, *(path.parent for path in (asked.save_masks, asked.save_track) if path is not None))
    outputs = [path for path in written if path.is_dir()]
    executor = open_executor(
        engine, lambda line: progress(Event("note", line)), segmenting=segmenting, paths=paths, outputs=outputs
    )
    with executor:
        return grade_in_spans(asked, executor, progress, count)


class _Phases(Teller):
    """Tells the frames of the phase that is under way: a clip may be read twice.

    The count never falls, though a job may have to be begun again, and never passes the total.
    """

    def __init__(self, progress: Progress | None) -> None:
        super().__init__(progress)
        self._before: int | None = None
        self._most = 0
        self._begun = False

    def start(self, total: int | None) -> None:
        """A phase begins."""
        self._before, self._most, self._begun = None, 0, True
        super().start(total)

    def watch(self, state: State) -> None:
        """Frames of all jobs so far."""
        if not self._begun:
            return
        if self._before is None:
            self._before = state.frames  # a phase begins where the one before has ended, with no job in flight
        self._most = max(self._most, state.frames - self._before)
        self.progress(self._most if self._total is None else min(self._most, self._total))


def _name(recipe: Recipe) -> str:
    if recipe.segmenting:
        return recipe.settings.segment.segmenter
    return "none" if recipe.mask is None else Matte.name


def _tell_new(said: Said, say: Teller) -> None:
    """Pass on what has not been said yet."""
    for event in said:
        if event.message not in say.said:
            (say.note if event.kind == "note" else say.warning)(event.message)
