"""`streamct image`."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamct.cli import options as o
from streamct.cli.report import Display, complain
from streamct.errors import InputError, OutputError

if TYPE_CHECKING:
    from streamct.model import Event
    from streamct.references import References
    from streamct.settings import Settings


def image(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="A picture, or a folder of pictures.")],
    reference: o.References = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Default: <stem>.graded<ext> beside SRC; for a folder <name>.graded/."),
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
    segmenter: o.Segmenter = None,
    classes: o.Classes = None,
    weights: o.Weights = None,
    segment_size: o.SegmentSize = None,
    segment_device: o.SegmentDevice = None,
    mask: o.StillMask = None,
    ref_mask: o.RefMask = None,
    quality: o.Quality = None,
    overwrite: o.Overwrite = False,
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
    as_json: o.Json = False,
) -> None:
    """Give a picture, or every picture of a folder, the colours of a reference picture.

    JPEG, PNG, TIFF, WebP and AVIF, by the output's ending. Bit depth, alpha, EXIF and the colour profile are kept.

    Example:  streamct image photo.tif ref.jpg -o graded.tif
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
        quality=quality,
    )
    wanted = o.wanted(reference, palette, map, ref_from, ref_to)
    from streamct.pipeline import grade_picture

    if not source.is_dir():
        with Display("picture", quiet=quiet, as_json=as_json) as display:
            grade_picture(
                source, wanted, output, settings,
                map=map, mask=mask, ref_mask=ref_mask, overwrite=overwrite, progress=display,
            )  # fmt: skip
        return
    from streamct.media.image import list_pictures

    pictures = list_pictures(source)
    display = Display("picture", quiet=quiet, as_json=as_json, many=len(pictures))
    failed = _grade_folder(source, pictures, wanted, map, output, settings, mask, ref_mask, overwrite, verbose, display)
    if failed:
        raise InputError(f"{len(failed)} of the pictures in {source} failed: {', '.join(failed)}.")


def _grade_folder(
    source: Path,
    pictures: list[Path],
    reference: References | None,
    map: Path | None,
    output: Path | None,
    settings: Settings,
    mask: Path | None,
    ref_mask: Path | None,
    overwrite: bool,
    verbose: bool,
    display: Display,
) -> list[str]:
    from streamct.media.files import remove_empty
    from streamct.media.image import WRITABLE_EXTENSIONS
    from streamct.pipeline import grade_picture, with_segmenter

    if not pictures:
        raise InputError(f"{source}: holds no pictures ({', '.join(WRITABLE_EXTENSIONS)}).")
    if output is not None and output.suffix.lower() in WRITABLE_EXTENSIONS and not output.is_dir():
        raise OutputError(f"{output}: names a picture, but {source} is a folder. Name a folder.")
    folder = output or source.resolve().with_name(f"{source.resolve().name}.graded")
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise OutputError(f"{folder}: can't be made into a folder ({cause.strerror}).") from cause
    failed = []
    told: set[str] = set()
    with display, ExitStack() as stack:
        stack.callback(remove_empty, new)
        if mask is None or ref_mask is None:
            settings = with_segmenter(settings, display, mask)
        for picture in pictures:
            ending = picture.suffix if picture.suffix.lower() in WRITABLE_EXTENSIONS else ".png"
            try:
                grade_picture(
                    picture, reference, folder / f"{picture.stem}{ending}", settings,
                    map=map, mask=mask, ref_mask=ref_mask, overwrite=overwrite, progress=_Once(display, picture, told),
                )  # fmt: skip
            except (InputError, OutputError) as error:
                complain(error, verbose)
                failed.append(picture.name)
    return failed


class _Once:
    """Passes on what is told of one picture of many, with its name; what is told of all alike only once."""

    def __init__(self, display: Display, picture: Path, told: set[str]) -> None:
        self._display = display
        self._picture = picture
        self._told = told

    def __call__(self, event: Event) -> None:
        if event.kind in ("note", "warning"):
            if "of the picture" in event.message:
                event = replace(event, message=f"{self._picture}: {event.message}")
            if event.message in self._told:
                return
            self._told.add(event.message)
        self._display(event)
