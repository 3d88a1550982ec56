"""`streamct palette`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from streamct.cli import options as o


def palette(
    input: Annotated[Path, typer.Argument(metavar="IN", help="A picture.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write a PNG: the picture beside its swatches.")
    ] = None,
    preset: o.Preset = None,
    config: o.Config = None,
    palette_size: o.PaletteSize = None,
    mask: o.StillMask = None,
    overwrite: o.Overwrite = False,
    verbose: o.Verbose = False,
) -> None:
    """Print a picture's palette as JSON: Lab (D65), sRGB hex and weight of each colour, heaviest first.

    Example:  streamct palette ref.jpg -o palette.png
    """
    settings = o.build_settings(preset, config, palette_size=palette_size)
    from streamct.color.lab import lab_to_srgb8
    from streamct.pipeline import picture_palette, write_palette_sheet

    found = picture_palette(input, settings, mask=mask)
    if output is not None:
        write_palette_sheet(input, found, output, overwrite)
    colours = [
        {
            "lab": [round(float(v), 3) for v in lab],
            "hex": "#" + "".join(f"{v:02x}" for v in rgb),
            "weight": round(float(weight), 6),
        }
        for lab, rgb, weight in zip(found.colours, lab_to_srgb8(found.colours), found.weights, strict=True)
    ]
    typer.echo(json.dumps({"picture": str(input), "colours": colours}, indent=2))
