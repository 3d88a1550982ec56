"""Many files over one executor. Whatever happens to one file is its own result; the others go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from streamct.errors import ClusterEndedError, ReferenceError, StallError, StreamctError
from streamct.execute import Executor, Job, Task, values
from streamct.execute.schedule import STALL_SECONDS, State, run_tasks
from streamct.file_task import FileResult, Options, file_task, make_look, resolve_segmenter, segments
from streamct.media.files import check_room, sweep
from streamct.model import Event, Progress
from streamct.references import Wanted
from streamct.run import Teller
from streamct.sources import Item

T = TypeVar("T")
A = TypeVar("A")
R = TypeVar("R")
STAGES = {
    "resolve_segmenter": "segmenter", "make_look": "reference", "inspect": "inspect", "divide": "look",
    "find_track": "shots", "render_span": "render", "join_parts": "join", "grade_whole": "grade",
    "grade_still": "grade", "place": "place",
}  # fmt: skip
"""What the times of jobs are told as, by the function that they call."""


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What became of all. seconds: wall time. frames: in what came out. fps: of those graded in this run, an earlier
    one's left out. stages: seconds in workers, by stage."""

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

    files, total: finished and all. share: finished, with what is done of those in work, 0..1. frames: graded so far,
    those of an earlier run left out. fps: on average. running, waiting: jobs. alive: workers. retries: of jobs whose
    worker was lost. stages: seconds.
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
        OutputError: the output folder or the work folder can't be used.
    """
    tell = progress or (lambda event: None)
    Teller(tell)  # says if kernels are to be compiled
    if not dry:
        open_folders(options)
        _sweep(items, options)
    run = _Run(items, replace(options, engine=executor.name), executor, tell, stall_seconds, clock)
    tell(Event("start", total=len(items)))
    run.resolve_segmenters()
    run.make_looks()
    run.grade(dry)
    report = run.report()
    tell(Event("done", done=len(items), total=len(items), data={"report": report}))
    return report


def open_folders(options: Options) -> None:
    """Make the folders of outputs and parts, and see that both can be written to.

    Raises:
        OutputError: one can't.
    """
    check_room(options.folder, "Check its permissions and space, or choose another -o.")
    options.ledger.open()


def _sweep(items: Sequence[Item], options: Options) -> None:
    """Remove what processes that are gone left in the folders of outputs and parts."""
    for folder in sorted({options.ledger.folder, *((options.folder / item.output).parent for item in items)}):
        sweep(folder)


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
        self._looks: dict[Any, Wanted | StreamctError] = {}
        self._owners: dict[str, str] = {}
        self._share = 0.0
        self._weights: dict[str, int] = {}
        self._heard: dict[str, int] = {}
        self._results: dict[str, FileResult] = {}
        self._stages: dict[str, float] = {}
        self._state: State | None = None

    def resolve_segmenters(self) -> None:
        """Which segmenter each file gets: decided once, where the networks will run."""
        wanted = {_segment_key(item): item for item in self._items if segments(item)}
        found = self._each("segmenter", wanted, resolve_segmenter)
        resolved = {}
        for key, answer in found.items():
            if isinstance(answer, StreamctError):
                raise answer
            settings, said = answer
            resolved[key] = settings.segment
            for event in said:
                self._tell(event)
        self._items = [
            replace(
                item, settings=item.settings.model_copy(update={"segment": resolved[_segment_key(item)]})
            ) if segments(item) else item
            for item in self._items
        ]  # fmt: skip

    def make_looks(self) -> None:
        """The palettes of all references, each once."""
        self._looks = self._each("reference", {_look_key(item): item for item in self._items}, make_look)
        looks = list(self._looks.values())
        if len(looks) == 1 and isinstance(looks[0], StreamctError):
            if where := next((item.ref_place for item in self._items), ""):
                raise ReferenceError(f"{where}: {looks[0]}") from looks[0]
            raise looks[0]

    def _each(self, name: str, wanted: Mapping[Any, A], call: Callable[[A], R]) -> dict[Any, R | StreamctError]:
        """What a function gives for each of some arguments, called in workers; by their keys."""

        def task(argument: A, job: str) -> Task[R]:
            (value,) = values((yield [Job(call, (argument,), job, 0)]))
            made: R = value
            return made

        keys = {f"{name} {number}": key for number, key in enumerate(wanted, 1)}
        tasks = ((job, self._timed(task(wanted[key], job), job, {})) for job, key in keys.items())
        return {keys[job]: made for job, made in self._run(tasks)}

    def _run(self, tasks: Iterator[tuple[str, Task[R]]]) -> Iterator[tuple[str, R | StreamctError]]:
        return run_tasks(
            self._executor, tasks, stall_seconds=self._stall_seconds, on_progress=self._watch, clock=self._clock
        )

    def grade(self, dry: bool) -> None:
        """All files."""
        items = {item.name: item for item in self._items}
        try:
            for name, result in self._run(self._tasks(dry)):
                self._take(items[name], result)
        except (StallError, ClusterEndedError) as error:
            _sweep(self._items, self._options)  # after workers that had to be ended
            for name, item in items.items():
                if name not in self._results:
                    self._take(item, error)

    def _tasks(self, dry: bool) -> Iterator[tuple[str, Task[FileResult]]]:
        earlier = {} if dry else self._options.ledger.parts()
        for item in self._items:
            stages: dict[str, float] = {}
            output = self._options.ledger.of(self._options.folder / item.output).output
            task = file_task(item, self._options, self._looks[_look_key(item)], dry, earlier.get(output, ()))
            yield item.name, self._timed(self._with_stages(task, stages), item.name, stages)

    def _with_stages(self, task: Task[FileResult], stages: dict[str, float]) -> Task[FileResult]:
        result = yield from task
        return replace(result, stages=stages)

    def _timed(self, task: Task[T], name: str, stages: dict[str, float]) -> Task[T]:
        """A task whose jobs are noted: how long each stage took, how much of the file is done."""
        try:
            jobs = next(task)
            while True:
                total = sum(job.weight for job in jobs)
                if total:
                    self._owners |= dict.fromkeys((job.name for job in jobs), name)
                    self._weights[name] = total
                outcomes = yield jobs
                for outcome in outcomes:
                    stage = STAGES.get(outcome.job.call.__name__, outcome.job.call.__name__)
                    for sums in (stages, self._stages):
                        sums[stage] = round(sums.get(stage, 0.0) + outcome.seconds, 3)
                    self._owners.pop(outcome.job.name, None)
                    self._heard.pop(outcome.job.name, None)
                jobs = task.send(outcomes)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            task.close()

    def _take(self, item: Item, result: FileResult | StreamctError) -> None:
        if isinstance(result, StreamctError):
            target = self._options.folder / item.output
            result = FileResult(item.name, item.input, target, "failed", error=str(result))
        self._results[item.name] = result
        self._tell(Event("file", done=len(self._results), total=len(self._items), data={"file": result}))

    def _watch(self, state: State) -> None:
        self._state = state
        for job, done in self._executor.progress().items():
            if job in self._owners:
                self._heard[job] = max(done, self._heard.get(job, 0))
        part: dict[str, float] = {}
        for job, done in self._heard.items():
            name = self._owners[job]
            part[name] = part.get(name, 0.0) + done / self._weights[name]
        share = len(self._results) + sum(min(1.0, value) for name, value in part.items() if name not in self._results)
        self._share = share = max(share, self._share)  # between the spans of a file and its end none is heard of
        seconds = max(self._clock() - self._began, 1e-6)
        told = BatchState(
            len(self._results), len(self._items), share / len(self._items), state.finished, state.finished / seconds,
            state.running, state.waiting, state.alive, state.retries, dict(self._stages),
        )  # fmt: skip
        self._tell(Event("status", data={"state": told}))

    def report(self) -> BatchReport:
        """What became of all, in the order of the items."""
        seconds = self._clock() - self._began
        files = tuple(self._results[item.name] for item in self._items)
        done = [result for result in files if result.status == "done"]
        frames = sum(result.frames for result in done)
        graded = frames - sum(result.details.get("frames reused", 0) for result in done)
        return BatchReport(
            files, seconds, frames, graded / max(seconds, 1e-6), self._executor.name, self._executor.workers,
            self._state.retries if self._state else 0, dict(self._stages),
        )  # fmt: skip


def _segment_key(item: Item) -> Any:
    return item.settings.segment, item.mask is not None, item.settings.mapping.regions != "both"


def _look_key(item: Item) -> Any:
    needed = item.mask is None or item.ref_mask is None
    segment = item.settings.segment if needed else None
    return item.reference, item.settings.palette, segment, item.ref_mask, needed
