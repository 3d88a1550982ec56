"""`streamct apply`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamct.cli import options as o
from streamct.cli.report import Display


def apply(
    input: Annotated[Path, typer.Argument(metavar="IN", help="A video or a picture.")],
    lut: Annotated[Path, typer.Argument(metavar="LUT", help="A .cube file.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Default: <stem>.graded<ext> beside the input.")
    ] = None,
    config: o.Config = None,
    codec: o.Codec = None,
    crf: o.Crf = None,
    encoder_preset: o.EncoderPreset = None,
    pix_fmt: o.PixFmt = None,
    quality: o.Quality = None,
    stream: o.Stream = None,
    tolerate_corrupt: o.TolerateCorrupt = False,
    overwrite: o.Overwrite = False,
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
    as_json: o.Json = False,
) -> None:
    """Render a video or a picture through a .cube file, ours or another program's.

    1D, 3D, or both in one file. Sound, subtitles, chapters, tags, bit depth and frame times are kept as `video` and
    `image` keep them.

    Example:  streamct apply in.mp4 look.cube -o out.mp4
    """
    settings = o.build_settings(
        None, config, codec=codec, crf=crf, encoder_preset=encoder_preset, pix_fmt=pix_fmt, quality=quality
    )
    from streamct.lut_apply import apply_lut

    with Display("frame", quiet=quiet, as_json=as_json, piped=output == Path("-")) as display:
        apply_lut(
            input, lut, output, settings,
            overwrite=overwrite, stream=stream, tolerate_corrupt=tolerate_corrupt, progress=display,
        )  # fmt: skip
