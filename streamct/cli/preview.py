"""`streamct preview`."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamct.cli import options as o
from streamct.cli.report import Display
from streamct.errors import UsageError

if TYPE_CHECKING:
    from streamct.settings import Settings

_VARIED = (
    "preset", "strength", "chroma", "lightness", "palette-size", "correspondence", "propagation", "assignment", "reach",
    "temporal", "radius", "protect-skin",
)  # fmt: skip


def preview(
    input: Annotated[Path, typer.Argument(metavar="IN", help="A video or a picture.")],
    reference: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="REF... [KEY=A,B]...",
            help=f"As for `video`; with --variants also what to vary: {', '.join(_VARIED)}.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Default: <stem>.preview.png beside the input.")
    ] = None,
    frames: Annotated[
        int | None, typer.Option("--frames", "-n", help="How many frames; 4, with --variants 2.", show_default=False)
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="These frames instead: 00:12.5,01:03", show_default=False)
    ] = None,
    variants: Annotated[
        bool, typer.Option("--variants", help="Show every combination of the given choices side by side.")
    ] = False,
    wipe: Annotated[
        bool, typer.Option("--wipe", help="A video instead: source and graded, parted by a line that moves.")
    ] = False,
    wipe_at: Annotated[
        float | None,
        typer.Option("--wipe-at", help="A line that stands: 0 left .. 1 right; implies --wipe.", show_default=False),
    ] = None,
    side_by_side: Annotated[
        bool, typer.Option("--side-by-side", help="A video instead: source on the left, graded on the right.")
    ] = False,
    start: o.Start = None,
    stop: o.Stop = None,
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
    cuts: o.Cuts = None,
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
    """Show what a grade would look like, in seconds: frames before and after, palettes and scopes on one PNG.

    The frames are graded as `video` grades them; only what lies around them is decoded. --wipe and --side-by-side
    write a short video instead, 10 s from --from on unless --to tells otherwise.

    Example:  streamct preview in.mp4 ref.jpg --variants preset=film,paper strength=0.5,1
    """
    given: dict[str, Any] = {
        "strength": strength,
        "alpha": alpha,
        "palette_size": palette_size,
        "correspondence": correspondence,
        "propagation": propagation,
        "assignment": assignment,
        "reach": reach,
        "protect_skin": protect_skin,
        "chroma": chroma,
        "regions": regions,
        "lut_in": lut_in,
        "temporal": temporal,
        "radius": radius,
        "segmenter": segmenter,
        "classes": classes,
        "weights": weights,
        "segment_size": segment_size,
        "segment_device": segment_device,
        "segment_every": segment_every,
    }
    settings = o.build_settings(preset, config, **given)
    choices = [text for text in reference or () if "=" in text and not Path(text).exists()]
    references = [text for text in reference or () if text not in choices]
    if choices and not variants:
        raise UsageError(f"{' '.join(choices)}: choices go with --variants.")
    if variants and not choices:
        raise UsageError("--variants: name what to vary, e.g. --variants preset=film,paper strength=0.5,1")
    named = _variants(choices, preset, config, given)
    wanted = o.wanted(references, palette, map, ref_from, ref_to)
    wipe = wipe or wipe_at is not None
    if wipe or side_by_side:
        if named or at or frames or (wipe and side_by_side):
            raise UsageError("--wipe, --side-by-side: one of them, without --at, --frames and --variants.")
        from streamct.comparison import Comparison
        from streamct.pipeline import grade_video

        with Display("frame", quiet=quiet, as_json=as_json) as display:
            grade_video(
                input, wanted, output, settings,
                map=map, mask=mask, ref_mask=ref_mask, cuts=cuts, start=start, stop=stop,
                compare=Comparison(side_by_side, wipe_at), overwrite=overwrite, progress=display,
            )  # fmt: skip
        return
    from streamct.sheets import write_sheet

    with Display("frame", quiet=quiet, as_json=as_json) as display:
        write_sheet(
            input, wanted, output, settings,
            map=map, frames=frames, at=at.split(",") if at else (), start=start, stop=stop, variants=named,
            mask=mask, ref_mask=ref_mask, cuts=cuts, overwrite=overwrite, progress=display,
        )  # fmt: skip


def _variants(
    choices: list[str], preset: str | None, config: Path | None, given: dict[str, Any]
) -> list[tuple[str, Settings]]:
    """Every combination of the choices, each with its name."""
    lists = []
    for choice in choices:
        key, _, values = choice.partition("=")
        key = key.replace("_", "-")
        if key not in _VARIED or not values:
            raise UsageError(f"--variants {choice}: should be KEY=A,B with one of {', '.join(_VARIED)}.")
        lists.append([(key, value) for value in values.split(",")])
    out = []
    for combination in itertools.product(*lists) if lists else ():
        flags = dict(given)
        chosen = preset
        for key, value in combination:
            if key == "preset":
                chosen = value
            else:
                flags["alpha" if key == "lightness" else key.replace("-", "_")] = value
        out.append((" · ".join(f"{k} {v}" for k, v in combination), o.build_settings(chosen, config, **flags)))
    return out
