"""`streamct palette`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamct.cli import options as o

if TYPE_CHECKING:
    from streamct.model import Event, Palette


def palette(
    input: Annotated[Path, typer.Argument(metavar="IN", help="A picture.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write a PNG: the picture beside its swatches.")
    ] = None,
    preset: o.Preset = None,
    config: o.Config = None,
    palette_size: o.PaletteSize = None,
    segmenter: o.Segmenter = None,
    classes: o.Classes = None,
    weights: o.Weights = None,
    segment_size: o.SegmentSize = None,
    mask: o.StillMask = None,
    overwrite: o.Overwrite = False,
    verbose: o.Verbose = False,
) -> None:
    """Print a picture's palette as JSON: Lab (D65), sRGB hex and weight of each colour, heaviest first.

    With a mask or a segmenter, `colours` are the foreground's and `background` follows; the PNG then shows the
    matte, and a strip for each.

    Example:  streamct palette ref.jpg --segmenter auto -o palette.png
    """
    settings = o.build_settings(
        preset,
        config,
        palette_size=palette_size,
        segmenter=segmenter,
        classes=classes,
        weights=weights,
        segment_size=segment_size,
    )
    from streamct.pipeline import picture_palettes, write_palette_sheet

    def tell(event: Event) -> None:
        typer.echo(f"{event.kind}: {event.message}", err=True)

    looked = picture_palettes(input, settings, mask=mask, progress=tell)
    if output is not None:
        write_palette_sheet(looked, input, output, overwrite)
    found = looked.palettes
    out: dict[str, Any] = {"picture": str(input), "segmenter": looked.segmenter}
    if looked.share is not None:
        out["foreground_share"] = round(looked.share, 6)
    out["colours"] = _listed(found.whole if found.split is None else found.split[0])
    if found.split is not None:
        out["background"] = _listed(found.split[1])
    typer.echo(json.dumps(out, indent=2))


def _listed(palette: Palette) -> list[dict[str, Any]]:
    from streamct.color.lab import lab_to_srgb8

    return [
        {
            "lab": [round(float(v), 3) for v in lab],
            "hex": "#" + "".join(f"{v:02x}" for v in rgb),
            "weight": round(float(weight), 6),
        }
        for lab, rgb, weight in zip(palette.colours, lab_to_srgb8(palette.colours), palette.weights, strict=True)
    ]
