"""`streamct batch`."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamct.cli import Stopped
from streamct.cli import options as o
from streamct.errors import StreamctError, UsageError

if TYPE_CHECKING:
    from streamct.references import References
    from streamct.sources import Item

_MANY = "Many files"
_CORES_A_FILE = 4  # beyond these a clip's own threads gain little
_KEPT = "finished outputs and parts are kept; run the same command again to go on"


def batch(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCES... REF",
            readable=False,
            help="Folders, files, patterns, lists (.txt, .csv); last the reference, unless --ref or a list names it.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of all outputs, laid out as the inputs are.")
    ],
    ref: Annotated[
        list[str] | None,
        typer.Option(
            "--ref",
            metavar="REF",
            help="The wanted colours, as a.jpg or a.jpg:0.5; give it again for several. All paths are sources then.",
            rich_help_panel=o.LOOK,
            show_default=False,
        ),
    ] = None,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Folders with all below them.", rich_help_panel=_MANY)
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="List what would be done, and do nothing.", rich_help_panel=_MANY)
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report", help="Write what became of each file as JSON, however the run ends.", rich_help_panel=_MANY
        ),
    ] = None,
    restart: Annotated[
        bool,
        typer.Option("--restart", help="Take nothing from earlier runs of this command.", rich_help_panel=_MANY),
    ] = False,
    work_dir: Annotated[
        Path | None,
        typer.Option("--work-dir", help="Folder of parts and records; DIR/.streamct.", rich_help_panel=_MANY),
    ] = None,
    preset: o.Preset = None,
    config: o.Config = None,
    strength: o.Strength = None,
    alpha: o.Alpha = None,
    palette_size: o.PaletteSize = None,
    correspondence: o.Correspondence = None,
    propagation: o.Propagation = None,
    assignment: o.Assignment = None,
    reach: o.Reach = None,
    protect_skin: o.ProtectSkin = None,
    chroma: o.Chroma = None,
    regions: o.Regions = None,
    lut_in: o.LutIn = None,
    temporal: o.Temporal = None,
    radius: o.Radius = None,
    segmenter: o.Segmenter = None,
    classes: o.Classes = None,
    weights: o.Weights = None,
    segment_size: o.SegmentSize = None,
    segment_device: o.SegmentDevice = None,
    segment_every: o.SegmentEvery = None,
    mask: o.StillMask = None,
    ref_mask: o.RefMask = None,
    ref_from: o.RefFrom = None,
    ref_to: o.RefTo = None,
    codec: o.Codec = None,
    crf: o.Crf = None,
    encoder_preset: o.EncoderPreset = None,
    pix_fmt: o.PixFmt = None,
    quality: o.Quality = None,
    hwaccel: o.Hwaccel = None,
    engine: o.Engine = "auto",
    spans: o.Spans = None,
    address: o.Address = None,
    cpu_workers: o.CpuWorkers = None,
    gpu_workers: o.GpuWorkers = None,
    gpus_per_worker: o.GpusPerWorker = None,
    tolerate_corrupt: o.TolerateCorrupt = False,
    overwrite: o.Overwrite = False,
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
    as_json: o.Json = False,
) -> None:
    """Give many videos and pictures the colours of a reference picture.

    Run the same command again and only what is missing is done. What fails is named, and the rest goes on; the exit
    code is 0 only if every file came out and every folder could be read. The paths of the outputs are printed on
    stdout, all else on stderr. On one machine several files are graded side by side, one for four cores and at least
    two; --cpu-workers sets how many.

    An output has the name of its input; where the ending has to change, the new one is added (a.heic becomes
    a.heic.png).

    A .txt list names one input a line; a .csv list has the columns input and any of reference, output, settings (a TOML
    file, or pairs such as mapping.strength=0.5), mask, ref_mask and cuts. Lines that begin with # are comments in both.

    Examples:  streamct batch -r footage ref.jpg -o graded   ·   streamct batch "takes/**/*.mov" ref.jpg -o graded
    ·   streamct batch shots.csv -o graded --report report.json
    ·   streamct batch -r footage --ref a.jpg --ref b.jpg:0.5 -o graded
    """
    settings = o.build_settings(
        preset,
        config,
        strength=strength,
        alpha=alpha,
        palette_size=palette_size,
        correspondence=correspondence,
        propagation=propagation,
        assignment=assignment,
        reach=reach,
        protect_skin=protect_skin,
        chroma=chroma,
        regions=regions,
        lut_in=lut_in,
        temporal=temporal,
        radius=radius,
        segmenter=segmenter,
        classes=classes,
        weights=weights,
        segment_size=segment_size,
        segment_device=segment_device,
        segment_every=segment_every,
        codec=codec,
        crf=crf,
        encoder_preset=encoder_preset,
        pix_fmt=pix_fmt,
        quality=quality,
    )
    from streamct.batch import open_folders, run_batch
    from streamct.cli.batch_display import BatchDisplay, plain_report
    from streamct.execute.engine import Engine, open_executor, unused
    from streamct.file_task import Options, segments
    from streamct.ledger import FOLDER, Ledger
    from streamct.media.files import check_room, remove_empty, sweep
    from streamct.sources import collect
    from streamct.work import cores

    if spans is not None and spans < 1:
        raise UsageError(f"--spans {spans}: at least one is needed.")
    where = Engine(engine, address, cpu_workers, gpu_workers, gpus_per_worker)
    sources, reference = _split(paths, ref, ref_from, ref_to)
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output}: is a file. Name a folder with -o.")
    work = work_dir or output / FOLDER
    if report is not None and not (report.parent.is_dir() or _lies_in(report, output)):
        raise UsageError(f"--report {report}: the folder {report.parent} does not exist. Create it first.")
    found = collect(sources, reference, output, settings, recursive=recursive, mask=mask, ref_mask=ref_mask)
    options = Options(output, Ledger(work), overwrite, restart, tolerate_corrupt, hwaccel, spans)
    with BatchDisplay(quiet=quiet, verbose=verbose, as_json=as_json, dry=dry_run) as display:
        for note in found.notes:
            display.note(note)
        for line in found.unread:
            display.note(line, "warning", always=True)
        if not ref and reference is not None:
            display.note(f"{reference.items[0].path}: is the reference, being the last path")
        if not ref and reference is not None and reference.items[0].weight != 1:
            only = reference.items[0].path
            display.note(f"{only}: is the only reference, so its weight changes nothing; --ref takes several")
        if not dry_run:
            display.note(f"parts and records of what is finished are in {work} (--work-dir)")
        written = (work, output, *([] if report is None else [report.parent]))
        new = {path for folder in written for path in (folder, *folder.parents) if not path.exists()}
        try:
            if not dry_run:
                open_folders(options)
            if report is not None:
                check_room(report.parent, "Check its permissions and space, or name another --report.")
            executor = open_executor(
                where,
                display.note,
                many=len(found.items) > 1,
                local_workers=min(len(found.items), max(2, cores() // _CORES_A_FILE)),
                segmenting=any(map(segments, found.items)),
                paths=_seen(found.items),
                outputs=() if dry_run else (output, work),
            )
            with closing(executor):
                for line in unused(where, executor.name, any(map(segments, found.items))):
                    display.note(line)
                told = run_batch(found.items, options, executor, progress=display, dry=dry_run)
        except (Stopped, StreamctError) as end:
            if isinstance(end, Stopped):
                end.left = _KEPT
                sweep(work)  # of workers that had to be ended
            if report is not None:
                with suppress(StreamctError):
                    _write(report, display.so_far(), found.unread, _why(end))
            raise
        else:
            if report is not None:
                _write(report, plain_report(told), found.unread)
        finally:
            remove_empty(new)
    if told.failed or found.unread:
        raise typer.Exit(1)


def _split(
    paths: list[Path], ref: list[str] | None, start: str | None, stop: str | None
) -> tuple[list[Path], References | None]:
    """Sources, and the references: those of --ref, else the last path if it is one. start, stop: see `references`."""
    from streamct.manifest import is_manifest
    from streamct.references import references

    if ref:
        return paths, references(ref, start=start, stop=stop)
    if is_manifest(paths[-1]):
        if start is not None or stop is not None:
            raise UsageError(
                f"--ref-from, --ref-to: are for the reference of the command, and {paths[-1]} names its own. "
                "Give the reference with --ref."
            )
        return paths, None
    if len(paths) < 2:
        raise UsageError(
            f"{paths[0]}: is the only path. Give SOURCES and the reference: streamct batch SOURCES... REF."
        )
    if os.path.isdir(paths[-1]):
        raise UsageError(f"{paths[-1]}: is a folder, but the last path is the reference picture. See --ref.")
    return paths[:-1], references(str(paths[-1]), start=start, stop=stop)


def _seen(items: Sequence[Item]) -> list[Path]:
    """What every machine has to see: one file of each folder that is read from."""
    named = (
        path
        for item in items
        for path in (
            item.input, *item.reference.paths, item.mask, item.ref_mask, item.cuts, item.settings.input.lut,
            item.settings.segment.weights,
        )
    )  # fmt: skip
    return sorted({path.parent: path for path in named if path is not None and os.path.exists(path)}.values())


def _lies_in(path: Path, folder: Path) -> bool:
    return Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder))


def _why(end: BaseException) -> str:
    return f"stopped by {signal.Signals(end.number).name}" if isinstance(end, Stopped) else str(end)


def _write(path: Path, report: Mapping[str, Any], unread: Sequence[str], error: str = "") -> None:
    """Write a report. error: what ended the run before all files had their turn."""
    from streamct.media.files import written_whole

    with written_whole(path) as temporary:
        told = {**report, "unread": list(unread), "error": error}
        temporary.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
