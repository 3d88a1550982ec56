"""Many files: each is looked at, graded where that is still to be done, put into its place and recorded.

What is done for one file is a task (`file_task`); `run_batch` runs the tasks of all over an executor. Whatever happens
to one file is its own result; the others go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from streamct.errors import InputError, OutputError, StallError, StreamctError
from streamct.execute import Executor, Job, Outcome, Task, values
from streamct.execute.schedule import STALL_SECONDS, State, run_tasks
from streamct.grade.regions import Palettes
from streamct.ledger import Ledger, Record, content, digest_of, input_identity, sweep, versions
from streamct.media.output import resolve_output
from streamct.media.source import open_source
from streamct.model import Event, Progress, Report
from streamct.pipeline import grade_asked, grade_picture, with_segmenter
from streamct.prepare import Request
from streamct.run import Teller, chosen_network, reference_look
from streamct.settings import Settings
from streamct.sources import Item

Look = tuple[Palettes, float | None]
Status = Literal["done", "skipped", "failed"]
PREPARE, GRADE, LOOK = "prepare", "grade", "reference"
"""The stages whose times are told."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a batch does beside the settings of its files.

    folder: of the outputs. ledger: what is done already. overwrite: replace outputs that are not this command's.
    restart: take nothing from the ledger. tolerate, hwaccel: as for `streamct.pipeline.grade_video`.
    """

    folder: Path
    ledger: Ledger
    overwrite: bool = False
    restart: bool = False
    tolerate: bool = False
    hwaccel: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was found out about a file before it is graded.

    digest: of all that decides the output. name: of the output, below the output folder. frames: None if unknown.
    state: "done" (the output is there as it was recorded), "kept" (graded, but not in its place) or "new". notes: lines
    about the output. record: of what is done or kept.
    """

    digest: str
    name: Path
    frames: int | None
    state: Literal["done", "kept", "new"]
    notes: tuple[str, ...] = ()
    record: Record | None = None


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one file.

    status: "done", "skipped" (it was done before) or "failed", with its error. frames: graded pictures. seconds: that
    they took. fps: frames/s. digest: of all that decides the output. sha256: of the output. stages: seconds by stage.
    """

    name: str
    input: Path
    output: Path
    status: Status
    frames: int = 0
    seconds: float = 0.0
    fps: float = 0.0
    segmenter: str = ""
    warnings: tuple[str, ...] = ()
    digest: str = ""
    sha256: str = ""
    stages: Mapping[str, float] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What became of all. seconds: wall time. frames: that were graded. stages: seconds in workers, by stage."""

    files: tuple[FileResult, ...]
    seconds: float
    frames: int
    fps: float
    engine: str
    workers: int
    retries: int
    stages: Mapping[str, float]

    @property
    def failed(self) -> int:
        """How many files did not come out."""
        return sum(result.status == "failed" for result in self.files)


@dataclass(frozen=True, slots=True)
class BatchState:
    """How far a batch is, for those who watch.

    files, total: finished and all. share: finished, with what is done of those in work, 0..1. frames: graded so far.
    fps: on average. running, waiting: jobs. alive: workers. retries: of jobs whose worker was lost. stages: seconds.
    """

    files: int
    total: int
    share: float
    frames: int
    fps: float
    running: int
    waiting: int
    alive: int
    retries: int
    stages: Mapping[str, float]


def prepare(item: Item, options: Options) -> Prepared:
    """Look at a file, decide what becomes of it, and ask the ledger; runs in a worker.

    Raises:
        InputError: it can't be used. OutputError: it can't become what is asked for, or the output exists already.
    """
    settings, notes = item.settings, list[str]()
    facts: dict[str, Any] = {"kind": item.kind}
    frames: int | None = 1
    if item.kind == "clip":
        with open_source(item.input, None, hwaccel=options.hwaccel) as source:
            clip = source.clip
            plan = resolve_output(clip, options.folder / item.output if item.fixed else None, settings.output)
        name = item.output if item.fixed or plan.path.suffix == item.output.suffix else item.fallback
        notes = [note.replace(plan.path.name, name.name) for note in plan.notes]
        frames = clip.frames
        if frames is None and clip.duration is not None and clip.rate is not None:
            frames = round(clip.duration * clip.rate)
        facts |= {
            "stream": clip.stream, "tolerate": options.tolerate, "hwaccel": options.hwaccel,
            "encoder": [plan.container, plan.encoder, plan.pix_fmt, plan.options],
            "settings": settings.model_dump(mode="json", exclude={"segment": {"weights"}}),
        }  # fmt: skip
    else:
        name = item.output
        only = settings.model_dump(mode="json", exclude={"segment": {"weights"}, "time": True, "output": True})
        facts |= {"settings": only, "quality": settings.output.quality}
    try:
        digest = digest_of({**facts, **_contents(item), "output": str(name)})
    except OSError as cause:
        raise InputError(
            f"{cause.filename or item.input}: can't be read ({cause.strerror}). Check the path."
        ) from cause
    state, record = _state(digest, name, options)
    return Prepared(digest, name, frames, state, tuple(notes), record)


def _contents(item: Item) -> dict[str, Any]:
    network = _segments(item)
    weights = item.settings.segment.weights
    if network and weights is None:
        from streamct.segment.weights import cached

        weights = cached(item.settings.segment.segmenter)
    return {
        "input": input_identity(item.input),
        "reference": content(item.reference),
        "mask": content(item.mask),
        "ref_mask": content(item.ref_mask),
        "cuts": content(item.cuts),
        "weights": content(weights) if network else None,
        "versions": versions(network),
    }


def _segments(item: Item) -> bool:
    return item.settings.segment.segmenter != "none" and (item.mask is None or item.ref_mask is None)


def _state(digest: str, name: Path, options: Options) -> tuple[Literal["done", "kept", "new"], Record | None]:
    """What the ledger knows; refuses an output that is there and not ours."""
    ledger, target = options.ledger, options.folder / name
    done = ledger.done(digest, options.folder)
    if done is not None and not options.restart:
        return "done", done
    if target.is_dir():
        raise OutputError(f"{target}: is a folder. Name another output.")
    if target.exists() and done is None and not options.overwrite:
        raise OutputError(
            f"{target}: exists already, and not as this command wrote it. "
            "Pass --overwrite (-y) to replace it, or choose another -o."
        )
    if options.restart:
        ledger.drop(digest, name.suffix)
        return "new", None
    kept = ledger.kept(digest, name.suffix)
    return ("new", None) if kept is None else ("kept", kept)


def grade_file(item: Item, prepared: Prepared, options: Options, look: Look) -> Record:
    """Grade a file as a whole, keep the result as its part, and put it into its place; runs in a worker.

    Raises:
        StreamctError: see `streamct.pipeline.grade_video`.
    """
    ledger, digest, ending = options.ledger, prepared.digest, prepared.name.suffix
    part, target = ledger.part(digest, ending), options.folder / prepared.name
    if prepared.state == "new":
        try:
            report = _grade(item, part, options, look)
        except OutputError as error:
            raise OutputError(str(error).replace(str(part), str(target))) from error
        ledger.keep(digest, ending, _facts(report, prepared))
    return ledger.place(digest, ending, options.folder, str(prepared.name))


def _grade(item: Item, part: Path, options: Options, look: Look) -> Report:
    if item.kind == "picture":
        return grade_picture(
            item.input, item.reference, part, item.settings,
            mask=item.mask, ref_mask=item.ref_mask, overwrite=True, look=look,
        )  # fmt: skip
    return grade_asked(
        Request(
            item.input, item.reference, part, item.settings,
            mask=item.mask, ref_mask=item.ref_mask, cuts=item.cuts, overwrite=True, hwaccel=options.hwaccel,
            tolerate_corrupt=options.tolerate, look=look,
        )
    )  # fmt: skip


def _facts(report: Report, prepared: Prepared) -> dict[str, Any]:
    """What a record repeats of a report."""
    return {
        "frames": report.frames,
        "seconds": round(report.seconds, 3),
        "segmenter": report.segmenter,
        "warnings": list(dict.fromkeys((*prepared.notes, *report.warnings))),
        "details": report.details,
    }


def make_look(item: Item) -> Look:
    """The palettes of a reference, once for all files that have it; runs in a worker.

    Raises:
        ReferenceError, MaskError, SegmenterError: it can't be used.
    """
    needed = item.mask is None or item.ref_mask is None
    network, settings = chosen_network(item.settings, Teller(None), needed=needed)
    return reference_look(item.reference, settings, item.ref_mask, network)


def file_task(
    item: Item, options: Options, look: Look | StreamctError, frames: dict[str, int], dry: bool = False
) -> Task[FileResult]:
    """All that is to be done for one file.

    frames: is told how many the file has, by the name of the job that grades it. dry: only find out what would be done.
    """
    stages: dict[str, float] = {}

    def timed(stage: str, outcomes: Sequence[Outcome]) -> list[Any]:
        stages[stage] = stages.get(stage, 0.0) + sum(outcome.seconds for outcome in outcomes)
        return values(outcomes)

    if isinstance(look, StreamctError):
        raise look
    prepared: Prepared
    (prepared,) = timed(PREPARE, (yield [Job(prepare, (item, options), f"{item.name}: {PREPARE}", 0)]))
    target = options.folder / prepared.name
    result = FileResult(item.name, item.input, target, "skipped", digest=prepared.digest)
    if prepared.state == "done" or dry:
        status: Status = "skipped" if prepared.state == "done" else "done"
        told = _told(result, prepared.record)
        return replace(told, status=status, frames=told.frames or prepared.frames or 0)
    frames[item.name] = prepared.frames or 0
    job = Job(grade_file, (item, prepared, options, look), item.name, max(prepared.frames or 0, 1))
    (record,) = timed(GRADE, (yield [job]))
    done = _told(result, record)
    return replace(done, status="done", stages=stages)


def _told(result: FileResult, record: Record | None) -> FileResult:
    """A result with what a record says."""
    if record is None:
        return result
    facts = record.facts
    return replace(
        result,
        frames=facts["frames"],
        seconds=facts["seconds"],
        fps=facts["details"].get("fps", 0.0),
        segmenter=facts["segmenter"],
        warnings=tuple(facts["warnings"]),
        sha256=record.sha256,
    )


def run_batch(
    items: Sequence[Item],
    options: Options,
    executor: Executor,
    *,
    progress: Progress | None = None,
    stall_seconds: float = STALL_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    dry: bool = False,
) -> BatchReport:
    """Grade all files; see `streamct.sources.collect`. What fails is told in its result, and the others go on.

    dry: only find out what would be done. progress is called from this thread: "start" with the number of files, a
    "file" for each that ended (data: `file`), "status" now and then (data: `state`), "done" (data: `report`).

    Raises:
        SegmenterError, UsageError: of what was asked for by name for the whole run.
        ReferenceError, MaskError: the one reference of all files can't be used.
        OutputError: the work folder can't be used.
    """
    tell = progress or (lambda event: None)
    Teller(tell)  # says if kernels are to be compiled
    if not dry:
        options.ledger.open()
        for folder in sorted({(options.folder / item.output).parent for item in items}):
            sweep(folder)
    items = _resolved(items, tell)
    run = _Run(items, options, executor, tell, stall_seconds, clock)
    tell(Event("start", total=len(items)))
    run.make_looks()
    run.grade(dry)
    report = run.report()
    tell(Event("done", done=len(items), total=len(items), data={"report": report}))
    return report


def _resolved(items: Sequence[Item], tell: Progress) -> list[Item]:
    """With nothing left open about segmenters: decided once for the whole run."""
    decided: dict[Any, Settings] = {}
    out = []
    for item in items:
        if not _segments(item):
            out.append(item)
            continue
        key = item.settings.segment
        if key not in decided:
            decided[key] = with_segmenter(item.settings, tell)
        out.append(replace(item, settings=item.settings.model_copy(update={"segment": decided[key].segment})))
    return out


class _Run:
    """One batch under way."""

    def __init__(
        self,
        items: Sequence[Item],
        options: Options,
        executor: Executor,
        tell: Callable[[Event], None],
        stall_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._items = items
        self._options = options
        self._executor = executor
        self._tell = tell
        self._stall_seconds = stall_seconds
        self._clock = clock
        self._began = clock()
        self._looks: dict[Any, Look | StreamctError] = {}
        self._frames: dict[str, int] = {}
        self._results: dict[str, FileResult] = {}
        self._stages: dict[str, float] = {}
        self._state: State | None = None

    def make_looks(self) -> None:
        """The palettes of all references, each once."""
        wanted = {_look_key(item): item for item in self._items}

        def task(item: Item, name: str) -> Task[Look]:
            outcomes = yield [Job(make_look, (item,), name, 0)]
            self._add({LOOK: outcomes[0].seconds})
            look: Look = values(outcomes)[0]
            return look

        tasks = {f"{LOOK} {number} {item.reference}": (key, item) for number, (key, item) in enumerate(wanted.items())}
        running = run_tasks(
            self._executor,
            ((name, task(item, name)) for name, (_, item) in tasks.items()),
            stall_seconds=self._stall_seconds,
            on_progress=self._watch,
            clock=self._clock,
        )
        for name, look in running:
            self._looks[tasks[name][0]] = look
        failed = [look for look in self._looks.values() if isinstance(look, StreamctError)]
        if failed and len(failed) == len(self._looks):
            raise failed[0]

    def grade(self, dry: bool) -> None:
        """All files."""
        items = {item.name: item for item in self._items}
        running = run_tasks(
            self._executor,
            self._tasks(dry),
            stall_seconds=self._stall_seconds,
            on_progress=self._watch,
            clock=self._clock,
        )
        try:
            for name, result in running:
                self._take(items[name], result)
        except StallError as error:
            for name, item in items.items():
                if name not in self._results:
                    self._take(item, error)

    def _tasks(self, dry: bool) -> Iterator[tuple[str, Task[FileResult]]]:
        for item in self._items:
            yield item.name, file_task(item, self._options, self._looks[_look_key(item)], self._frames, dry)

    def _take(self, item: Item, result: FileResult | StreamctError) -> None:
        if isinstance(result, StreamctError):
            target = self._options.folder / item.output
            result = FileResult(item.name, item.input, target, "failed", error=str(result))
        self._results[item.name] = result
        self._add(result.stages)
        self._tell(Event("file", done=len(self._results), total=len(self._items), data={"file": result}))

    def _add(self, stages: Mapping[str, float]) -> None:
        for stage, seconds in stages.items():
            self._stages[stage] = self._stages.get(stage, 0.0) + seconds

    def _watch(self, state: State) -> None:
        self._state = state
        under_way = self._executor.progress()
        share = float(len(self._results))
        for name, done in under_way.items():
            if name not in self._results and self._frames.get(name):
                share += min(1.0, done / self._frames[name])
        seconds = max(self._clock() - self._began, 1e-6)
        told = BatchState(
            len(self._results), len(self._items), share / len(self._items), state.frames, state.frames / seconds,
            state.running, state.waiting, state.alive, state.retries, dict(self._stages),
        )  # fmt: skip
        self._tell(Event("status", data={"state": told}))

    def report(self) -> BatchReport:
        """What became of all, in the order of the items."""
        seconds = self._clock() - self._began
        files = tuple(self._results[item.name] for item in self._items)
        frames = sum(result.frames for result in files if result.status == "done")
        return BatchReport(
            files, seconds, frames, frames / max(seconds, 1e-6), self._executor.name, self._executor.workers,
            self._state.retries if self._state else 0, dict(self._stages),
        )  # fmt: skip


def _look_key(item: Item) -> Any:
    needed = item.mask is None or item.ref_mask is None
    segment = item.settings.segment if needed else None
    return item.reference, item.settings.palette, segment, item.ref_mask, needed
