"""`streamct lut`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamct.cli import options as o
from streamct.cli.report import Display


def lut(
    input: Annotated[Path, typer.Argument(metavar="IN", help="A video or a picture.")],
    reference: o.References = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help=".cube, .3dl, .png (HALD) or .cdl (ASC CDL); <stem>.cube by default."),
    ] = None,
    size: Annotated[
        int | None, typer.Option("--size", help="Nodes an axis: 17, 33 (default; .3dl 17) or 65.", show_default=False)
    ] = None,
    per_shot: Annotated[
        bool, typer.Option("--per-shot", help="A file for each shot, with an EDL and a CSV of the shots.")
    ] = False,
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
    start: o.Start = None,
    stop: o.Stop = None,
    segmenter: o.Segmenter = None,
    classes: o.Classes = None,
    weights: o.Weights = None,
    segment_size: o.SegmentSize = None,
    segment_device: o.SegmentDevice = None,
    segment_every: o.SegmentEvery = None,
    mask: o.Mask = None,
    ref_mask: o.RefMask = None,
    overwrite: o.Overwrite = False,
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
    as_json: o.Json = False,
) -> None:
    """Write the look as a LUT for other programs: one for the whole picture or video, or one a shot.

    Made from all frames together; R'G'B' in and out, Rec.709/sRGB, display-referred. With masks or a segmenter for
    input and reference, foreground and background become two files. The paths are printed on stdout.

    Example:  streamct lut in.mp4 ref.jpg --per-shot -o look.cube
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
        segmenter=segmenter,
        classes=classes,
        weights=weights,
        segment_size=segment_size,
        segment_device=segment_device,
        segment_every=segment_every,
    )
    wanted = o.wanted(reference, palette, map, ref_from, ref_to)
    from streamct.lut_files import write_luts

    with Display("frame", quiet=quiet, as_json=as_json) as display:
        report = write_luts(
            input, wanted, output, settings,
            map=map, size=size, per_shot=per_shot, mask=mask, ref_mask=ref_mask, start=start, stop=stop,
            overwrite=overwrite, progress=display,
        )  # fmt: skip
    if not as_json:
        for path in report.details["files"][1:]:
            typer.echo(path)
