"""`streamct video`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamct.cli import options as o
from streamct.cli.report import Display
from streamct.errors import UsageError


def video(
    input: Annotated[Path, typer.Argument(metavar="IN", help="A video, - for stdin, or pictures as frame_%05d.png.")],
    reference: o.References = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Default: <stem>.graded<ext> beside the input. - for stdout; frame_%05d.png."
        ),
    ] = None,
    preset: o.Preset = None,
    config: o.Config = None,
    palette: o.PaletteFile = None,
    map: o.Map = None,
    ref_from: o.RefFrom = None,
    ref_to: o.RefTo = None,
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
    start: o.Start = None,
    stop: o.Stop = None,
    cuts: o.Cuts = None,
    track: o.Track = None,
    save_track: o.SaveTrack = None,
    segmenter: o.Segmenter = None,
    classes: o.Classes = None,
    weights: o.Weights = None,
    segment_size: o.SegmentSize = None,
    segment_device: o.SegmentDevice = None,
    segment_every: o.SegmentEvery = None,
    save_masks: o.SaveMasks = None,
    mask: o.Mask = None,
    ref_mask: o.RefMask = None,
    codec: o.Codec = None,
    crf: o.Crf = None,
    encoder_preset: o.EncoderPreset = None,
    pix_fmt: o.PixFmt = None,
    pipe_format: o.Format = None,
    stream: o.Stream = None,
    rate: o.Rate = None,
    hwaccel: o.Hwaccel = None,
    tolerate_corrupt: o.TolerateCorrupt = False,
    engine: o.Engine = "auto",
    spans: o.Spans = None,
    address: o.Address = None,
    cpu_workers: o.CpuWorkers = None,
    gpu_workers: o.GpuWorkers = None,
    gpus_per_worker: o.GpusPerWorker = None,
    overwrite: o.Overwrite = False,
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
    as_json: o.Json = False,
) -> None:
    """Give a video the colours of a reference: a picture, a video or a palette, or several.

    Sound, subtitles, chapters and tags are copied; frame times stay exact. The path of the graded video is
    printed on stdout, everything else on stderr; with -o - the video goes to stdout, all else to stderr.

    Examples:  streamct video in.mp4 ref.jpg --strength 0.8 -o graded.mp4
    ·   ffmpeg -i in.mp4 -c copy -f matroska - | streamct video - ref.jpg -o - | ffplay -
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
        pipe_format=pipe_format,
    )
    piped = output == Path("-")
    if pipe_format is not None and not piped:
        raise UsageError("--format is for standard output (-o -); the container of a file follows its ending.")
    colours = o.wanted(reference, palette, map, ref_from, ref_to)
    if spans is not None and spans < 1:
        raise UsageError(f"--spans {spans}: at least one is needed.")
    from streamct.execute.engine import Engine, chosen, unused
    from streamct.model import Event
    from streamct.pipeline import grade_asked
    from streamct.prepare import Request

    asked = Request(
        input, colours, output, settings, map, mask, ref_mask, save_masks, cuts, track, save_track, overwrite, stream,
        rate, hwaccel, tolerate_corrupt, start, stop,
    )  # fmt: skip
    wanted = Engine(engine, address, cpu_workers, gpu_workers, gpus_per_worker)
    with Display("frame", quiet=quiet, as_json=as_json, piped=piped) as display:
        for line in unused(wanted, chosen(wanted)[0], settings.segment.segmenter != "none"):
            display(Event("note", message=line))
        if input == Path("-") or piped:
            if spans is not None or engine == "ray" or address is not None:
                raise UsageError("-: what comes or goes through a pipe is graded here, in one piece: --engine local.")
            grade_asked(asked, display)
        elif spans is None and chosen(wanted)[0] == "local" and cpu_workers is None:
            grade_asked(asked, display)
        else:
            from streamct.spanned import grade_with

            grade_with(wanted, asked, display, spans)
