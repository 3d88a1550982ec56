"""`streamct palette`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamct.cli import options as o
from streamct.errors import OutputError

if TYPE_CHECKING:
    from streamct.model import Event


def palette(
    input: Annotated[
        list[str],
        typer.Argument(metavar="REF...", help="A picture, a video or a palette; several by weight as a.jpg b.jpg:0.5."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help=".json: the palette as a file. .png: the picture beside its swatches."),
    ] = None,
    preset: o.Preset = None,
    config: o.Config = None,
    palette_size: o.PaletteSize = None,
    ref_from: o.RefFrom = None,
    ref_to: o.RefTo = None,
    segmenter: o.Segmenter = None,
    classes: o.Classes = None,
    weights: o.Weights = None,
    segment_size: o.SegmentSize = None,
    segment_device: o.SegmentDevice = None,
    mask: o.StillMask = None,
    save_mask: o.SaveMask = None,
    overwrite: o.Overwrite = False,
    verbose: o.Verbose = False,
) -> None:
    """Print a palette as JSON, or write it: Lab (D65), sRGB hex and weight of each colour, heaviest first.

    What is printed is what -o look.json holds; `video`, `image`, `lut` and `preview` take it as REF or --palette. With
    a mask or a segmenter, foreground and background have palettes too; a PNG shows the matte, and a strip for each.
    --save-mask writes the matte itself, to retouch it and give it to the other commands as --ref-mask.

    Example:  streamct palette ref.jpg -o look.json
    """
    settings = o.build_settings(
        preset,
        config,
        palette_size=palette_size,
        segmenter=segmenter,
        classes=classes,
        weights=weights,
        segment_size=segment_size,
        segment_device=segment_device,
    )
    if output is not None and output.suffix.lower() not in (".json", ".png"):
        raise OutputError(f"{output}: a palette is written as .json, its swatches as .png. Name one of them.")
    from streamct.mapping import check_matte, find_palette, palette_text, write_matte, write_palette, write_swatches
    from streamct.media.files import check_target

    def tell(event: Event) -> None:
        typer.echo(f"{event.kind}: {event.message}", err=True)

    wanted = o.wanted(input, start=ref_from, stop=ref_to)
    assert wanted is not None
    if output is not None:
        check_target(output, wanted.paths, overwrite)  # before a long reference is looked through
    if save_mask is not None:
        check_matte(wanted, settings, save_mask, mask, output, overwrite)
    seen = find_palette(wanted, settings, mask=mask, progress=tell)
    if save_mask is not None:
        write_matte(wanted, seen, save_mask, overwrite)
    if output is None or output.suffix.lower() == ".png":
        if output is not None:
            write_swatches(wanted, seen, output, overwrite)
        typer.echo(palette_text(wanted, seen), nl=False)
    else:
        write_palette(wanted, seen, output, overwrite)
        typer.echo(output)
