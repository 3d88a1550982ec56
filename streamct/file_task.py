"""One file of a batch: looked at, graded where that is still to be done, put into its place and recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from streamct.errors import InputError, OutputError, ReferenceError, StreamctError
from streamct.execute import Job, Task, values
from streamct.input_lut import through_lut
from streamct.ledger import Ledger, Record, content, digest_of, in_terms_of, input_identity, span_digest, versions
from streamct.media.files import check_writable
from streamct.media.output import resolve_output
from streamct.media.source import open_source
from streamct.model import Event, Report, Span
from streamct.pipeline import grade_picture, with_segmenter
from streamct.prepare import Request
from streamct.references import References, Wanted, look
from streamct.run import Teller, chosen_network
from streamct.settings import Settings
from streamct.sources import Item
from streamct.spanned import clip_task
from streamct.work import tell

Status = Literal["done", "skipped", "failed", "planned"]


@dataclass(frozen=True, slots=True)
class Options:
    """What a batch does beside the settings of its files.

    folder: of the outputs. ledger: what is done already. overwrite: replace outputs that are not this command's.
    restart: take nothing from the ledger. tolerate, hwaccel: as for `streamct.pipeline.grade_video`. spans: how many
    spans each clip is graded in, None for as many as its length asks for. engine: what `run_batch` runs it on.
    """

    folder: Path
    ledger: Ledger
    overwrite: bool = False
    restart: bool = False
    tolerate: bool = False
    hwaccel: str | None = None
    spans: int | None = None
    engine: str = "local"


@dataclass(frozen=True, slots=True)
class Inspected:
    """What was found out about a file before it is graded.

    digest: of all that decides the output. name: of the output, below the output folder. frames: None if unknown.
    state: "done" (the output is there as it was recorded), "kept" (graded, but not in its place), "new", or "refused",
    with why. notes: lines about the output. record: of what is done or kept.
    """

    digest: str
    name: Path
    frames: int | None
    state: Literal["done", "kept", "new", "refused"]
    notes: tuple[str, ...] = ()
    record: Record | None = None
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one file.

    status: "done", "skipped" (it was done before), "failed", with its error, or "planned" (in a dry run). frames:
    graded pictures. seconds: that they took. fps: frames/s. digest: of all that decides the output. sha256: of the
    output. stages: seconds by stage. details: as of `streamct.model.Report`.
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
    details: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""


def inspect(item: Item, options: Options) -> Inspected:
    """Look at a file, decide what becomes of it, and ask the ledger; runs in a worker.

    Raises:
        InputError: it can't be used. OutputError: it can't become what is asked for.
    """
    settings, notes = item.settings, list[str]()
    facts: dict[str, Any] = {"kind": item.kind}
    frames: int | None = 1
    if item.kind == "clip":
        with open_source(item.input, None, hwaccel=options.hwaccel) as source:
            clip = through_lut(source.clip, settings)
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
    for contested, why in item.contested:
        if contested == name:
            raise OutputError(why)
    try:
        digest = digest_of({**facts, **_contents(item), "output": str(name)})
    except OSError as cause:
        raise InputError(
            f"{cause.filename or item.input}: can't be read ({cause.strerror}). Check the path."
        ) from cause
    try:
        state, record = _state(digest, name, options)
    except OutputError as error:
        return Inspected(digest, name, frames, "refused", tuple(notes), refusal=str(error))
    return Inspected(digest, name, frames, state, tuple(notes), record)


def _contents(item: Item) -> dict[str, Any]:
    network = segments(item)
    return {
        "input": input_identity(item.input),
        "reference": _reference(item.reference),
        "lut": content(item.settings.input.lut),
        "mask": content(item.mask),
        "ref_mask": content(item.ref_mask),
        "cuts": content(item.cuts),
        "weights": _weights(item.settings) if network else None,
        "versions": versions(network),
    }


def _reference(wanted: References) -> Any:
    """What they hold; where there are several, how much each counts; and which part of videos is taken."""
    (one, *others) = held = [(content(item.path), item.weight) for item in wanted.items]
    if wanted.start is not None or wanted.stop is not None:
        return [held, *(None if time is None else str(time) for time in (wanted.start, wanted.stop))]
    return held if others else one[0]


def _weights(settings: Settings) -> str | None:
    """Of the user's weights the content; torchvision's have a hash of it in their name, and may lie elsewhere."""
    if settings.segment.weights is not None:
        return content(settings.segment.weights)
    from streamct.segment.weights import cached

    return cached(settings.segment.segmenter).name


def segments(item: Item) -> bool:
    """Whether a network has something to tell apart."""
    return item.settings.segment.segmenter != "none" and (item.mask is None or item.ref_mask is None)


def _state(digest: str, name: Path, options: Options) -> tuple[Literal["done", "kept", "new"], Record | None]:
    """What the ledger knows; refuses an output that is there and not ours."""
    ledger, target = options.ledger, options.folder / name
    done = ledger.done(digest, options.folder)
    if done is None and target.exists():
        done = ledger.moved(digest, options.folder)
    if done is not None and not options.restart:
        return "done", done
    if target.is_dir():
        raise OutputError(f"{target}: is a folder. Name another output.")
    if target.exists() and done is None and not options.overwrite:
        if options.ledger.wrote(options.folder, name):
            raise OutputError(
                f"{target}: exists already: it was graded with other settings, another reference or version, or from "
                "another state of its input. Pass --overwrite (-y) to replace it, or choose another -o."
            )
        raise OutputError(
            f"{target}: exists already, and not as this command wrote it. "
            "Pass --overwrite (-y) to replace it, or choose another -o."
        )
    check_writable(next(folder for folder in target.parents if folder.exists()), target)
    if options.restart:
        return "new", None
    kept = ledger.kept(digest, name.suffix)
    return ("new", None) if kept is None else ("kept", kept)


def grade_still(item: Item, inspected: Inspected, options: Options, seen: Wanted) -> Record:
    """Grade a picture, keep the result as its part, and put it into its place; runs in a worker.

    Raises:
        StreamctError: see `streamct.pipeline.grade_picture`.
    """
    part = options.ledger.part(inspected.digest, inspected.name.suffix)
    report = grade_picture(
        item.input, item.reference, part, item.settings,
        mask=item.mask, ref_mask=item.ref_mask, overwrite=True, seen=seen,
    )  # fmt: skip
    tell(1)
    return place(inspected, options, report)


def place(inspected: Inspected, options: Options, report: Report | None) -> Record:
    """Put what was graded into its place and record it; runs in a worker. report: None where it was kept before."""
    ledger, digest, ending = options.ledger, inspected.digest, inspected.name.suffix
    if report is not None:

        def outward(line: str) -> str:
            return in_terms_of(options.folder / inspected.name, line, ledger.folder)

        facts = {
            "frames": report.frames,
            "seconds": round(report.seconds, 3),
            "segmenter": report.segmenter,
            "warnings": list(dict.fromkeys((*inspected.notes, *(outward(line) for line in report.warnings)))),
            "details": report.details | {"engine": options.engine},
        }
        ledger.keep(digest, ending, facts)
    return ledger.place(digest, ending, options.folder, str(inspected.name))


def resolve_segmenter(item: Item) -> tuple[Settings, tuple[Event, ...]]:
    """A file's settings with nothing left open about their segmenter, and what to tell the user; runs in a worker.

    Raises:
        SegmenterError, UsageError: see `chosen_network`.
    """
    told: list[Event] = []
    return with_segmenter(item.settings, told.append, item.mask), tuple(
        e for e in told if e.kind == "warning" or "weights" in e.message
    )


def make_look(item: Item) -> Wanted:
    """The palettes of a reference, once for all files that have it; runs in a worker.

    Raises:
        ReferenceError, MaskError, SegmenterError: it can't be used.
    """
    needed = item.mask is None or item.ref_mask is None
    network, settings, _ = chosen_network(item.settings, Teller(None), needed, given=(item.mask, item.ref_mask))
    found = look(item.reference, settings, item.ref_mask, network)
    return replace(found, picture=np.empty((0, 0, 3), np.float32), matte=None)  # which no file needs


def file_task(
    item: Item, options: Options, seen: Wanted | StreamctError, dry: bool = False, earlier: Sequence[Path] = ()
) -> Task[FileResult]:
    """All that is to be done for one file. dry: only find out what would be done. earlier: what runs that did not end
    left for this output, with whatever settings; it goes when the output is finished.

    Raises:
        StreamctError: it can't be done, and what it would have become is not known yet.
    """
    if isinstance(seen, StreamctError):
        raise ReferenceError(f"{f'{item.place}: ' if item.place else ''}{item.input}: {seen}") from seen
    wanted = options.folder / item.output
    options = replace(options, ledger=options.ledger.of(wanted))
    with nullcontext() if dry else options.ledger.held(wanted):
        inspected: Inspected
        (inspected,) = values((yield [Job(inspect, (item, options), f"{item.name}: inspect", 0)]))
        target = options.folder / inspected.name
        result = FileResult(item.name, item.input, target, "skipped", digest=inspected.digest)
        if inspected.state == "refused":
            return replace(result, status="failed", error=inspected.refusal)
        if inspected.state == "done" or dry:
            told = _told(result, inspected.record)
            status: Status = "skipped" if inspected.state == "done" else "planned"
            return replace(told, status=status, frames=told.frames or inspected.frames or 0)
        if options.restart:
            _remove(earlier)
        try:
            record = yield from _graded(item, inspected, options, seen)
        except StreamctError as error:
            said = _outward(str(error), item, options.ledger.folder, target)
            return replace(result, status="failed", error=said)
        _remove(earlier)
    told = _told(result, record)
    if inspected.state == "kept":
        told = replace(told, fps=0.0, details={**told.details, "frames reused": told.frames})
    return replace(told, status="done")


def _remove(parts: Sequence[Path]) -> None:
    for path in parts:
        path.unlink(missing_ok=True)


def _outward(message: str, item: Item, work: Path, target: Path) -> str:
    """A message in terms of what the user named, not of the parts in the work folder."""
    if f"no space left in {work}." in message:
        return (
            f"{item.input}: no space left in {work}, where {target} is made. "
            "Free some, or choose another folder with --work-dir."
        )
    return in_terms_of(target, message, work)


def _graded(item: Item, inspected: Inspected, options: Options, seen: Wanted) -> Task[Record]:
    record: Record
    part = options.ledger.part(inspected.digest, inspected.name.suffix)
    if inspected.state == "new" and item.kind == "picture":
        (record,) = values((yield [Job(grade_still, (item, inspected, options, seen), item.name)]))
        return record
    report, made = None, list[Path]()
    if inspected.state == "new":
        asked = Request(
            item.input, item.reference, part, item.settings,
            mask=item.mask, ref_mask=item.ref_mask, cuts=item.cuts, overwrite=True, hwaccel=options.hwaccel,
            tolerate_corrupt=options.tolerate, seen=seen,
        )  # fmt: skip

        def parts(span: Span) -> Path:
            made.append(options.ledger.part(span_digest(inspected.digest, span.start, span.stop), ".span"))
            return made[-1]

        report = yield from clip_task(asked, item.name, parts, options.ledger.folder, Teller(None), options.spans)
    (record,) = values((yield [Job(place, (inspected, options, report), f"{item.name}: place", 0)]))
    _remove(made)
    return record


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
        details=facts["details"],
    )
