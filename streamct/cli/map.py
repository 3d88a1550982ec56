"""`streamct map`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamct.cli import options as o
from streamct.cli.report import Display


def map_(
    input: Annotated[Path, typer.Argument(metavar="IN", help="A video or a picture.")],
    reference: o.References = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Default: <stem>.map.json beside the input.")
    ] = None,
    whole: Annotated[bool, typer.Option("--whole", help="One mapping for all of the video, not one a shot.")] = False,
    preset: o.Preset = None,
    config: o.Config = None,
    palette: o.PaletteFile = None,
    ref_from: o.RefFrom = None,
    ref_to: o.RefTo = None,
    alpha: o.Alpha = None,
    palette_size: o.PaletteSize = None,
    correspondence: o.Correspondence = None,
    propagation: o.Propagation = None,
    assignment: o.Assignment = None,
    reach: o.Reach = None,
    protect_skin: o.ProtectSkin = None,
    chroma: o.Chroma = None,
    lut_in: o.LutIn = None,
    cuts: o.Cuts = None,
    segmenter: o.Segmenter = None,
    classes: o.Classes = None,
    weights: o.Weights = None,
    segment_size: o.SegmentSize = None,
    segment_device: o.SegmentDevice = None,
    segment_every: o.SegmentEvery = None,
    mask: o.Mask = None,
    ref_mask: o.RefMask = None,
    stream: o.Stream = None,
    overwrite: o.Overwrite = False,
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
    as_json: o.Json = False,
) -> None:
    """Write where each colour goes, as a JSON file to edit: change a target, lock one, forbid a reference colour.

    `video`, `image`, `lut` and `preview` take it back with --map. Held colours come out exactly at their targets.

    Example:  streamct map in.mp4 ref.jpg -o map.json   then   streamct video in.mp4 --map map.json
    """
    settings = o.build_settings(
        preset,
        config,
        alpha=alpha,
        palette_size=palette_size,
        correspondence=correspondence,
        propagation=propagation,
        assignment=assignment,
        reach=reach,
        protect_skin=protect_skin,
        chroma=chroma,
        lut_in=lut_in,
        segmenter=segmenter,
        classes=classes,
        weights=weights,
        segment_size=segment_size,
        segment_device=segment_device,
        segment_every=segment_every,
    )
    wanted = o.wanted(reference, palette, None, ref_from, ref_to)
    assert wanted is not None
    from streamct.mapping import write_map

    with Display("frame", quiet=quiet, as_json=as_json) as display:
        write_map(
            input, wanted, output, settings,
            whole=whole, mask=mask, ref_mask=ref_mask, cuts=cuts, stream=stream, overwrite=overwrite, progress=display,
        )  # fmt: skip
