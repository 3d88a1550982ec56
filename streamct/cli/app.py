"""The command tree."""

from __future__ import annotations

from typing import Annotated

import typer

from streamct.cli import apply, batch, evaluate, image, lut, map, palette, preview, video

app = typer.Typer(
    name="streamct",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["--help", "-h"]},
    help="Give a whole video, or a picture, the colours of a reference picture.",
    epilog="Examples:  streamct video in.mp4 ref.jpg   ·   streamct image photo.tif ref.jpg -o out.tif",
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"streamct {version('streamct')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


app.command("video", no_args_is_help=True)(video.video)
app.command("image", no_args_is_help=True)(image.image)
app.command("batch", no_args_is_help=True)(batch.batch)
app.command("lut", no_args_is_help=True)(lut.lut)
app.command("preview", no_args_is_help=True)(preview.preview)
app.command("apply", no_args_is_help=True)(apply.apply)
app.command("palette", no_args_is_help=True)(palette.palette)
app.command("map", no_args_is_help=True)(map.map_)
app.command("evaluate", no_args_is_help=True)(evaluate.evaluate)
