"""The map of a clip or a picture as a file: where each of its colours goes, to be read, edited and given back."""

from __future__ import annotations

import time
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from streamct.errors import MaskError, OutputError, SegmenterError, UsageError
from streamct.grade.bake import ONE, Looked
from streamct.grade.cutlist import beyond
from streamct.grade.lookfile import Input, MapFile, MappedShot, PaletteFile, palette_file
from streamct.grade.looktext import document_text, write_document
from streamct.grade.mapped import mappings_of, reference_of, shots_of
from streamct.grade.regions import Palettes
from streamct.input_lut import picture_through_lut, source_through_lut
from streamct.media.endings import ANIMATIONS, CLIP_ENDINGS
from streamct.media.files import check_target, written_whole
from streamct.media.image import PICTURE_EXTENSIONS, read_picture, save_png
from streamct.media.masks import save_mask
from streamct.media.source import Source, open_source
from streamct.model import Palette, Progress, Report
from streamct.preview import palette_sheet
from streamct.references import Given, References, Wanted, look, references
from streamct.run import (
    Teller,
    chosen_network,
    clip_mattes,
    picture_look,
    picture_weights,
    segmented_by,
    telling,
)
from streamct.segment.given import given_mattes
from streamct.segment.matte import resized
from streamct.segment.still import picture_full
from streamct.settings import Settings
from streamct.tracks import Tracks
from streamct.undivided import reference_undivided

if TYPE_CHECKING:
    from streamct.segment.deeplab import DeepLab


def write_map(
    input: Path | str,
    reference: Given,
    output: Path | str | None = None,
    settings: Settings | None = None,
    *,
    whole: bool = False,
    mask: Path | str | None = None,
    ref_mask: Path | str | None = None,
    cuts: Path | str | None = None,
    stream: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Write where the colours of a clip or a picture go, shot by shot, as a map file (`streamct.grade.lookfile`).

    Given back unedited, the map makes what `grade_video` makes in the mode `shot`, or `grade_picture`. output: None for
    `<stem>.map.json` beside the input. whole: one mapping for all of the clip, which fits any clip. The rest is as for
    `grade_video`. Targets are written at full strength; `settings.mapping.strength` counts when the map is used. The
    colours are those behind `settings.input.lut`, which has to be there when the map is used.

    Raises:
        StreamctError: anything wrong with input, reference, masks, cuts or output.
    """
    settings = (settings or Settings()).updated(time__mode="shot")
    input = Path(input)
    wanted = references(reference)
    output = Path(output) if output is not None else input.with_name(f"{input.stem}.map.json")
    mask, ref_mask, cuts = (Path(p) if p is not None else None for p in (mask, ref_mask, cuts))
    if output.suffix.lower() != ".json":
        raise OutputError(f"{output}: a map is written as JSON. Name the file .json.")
    began = time.monotonic()
    say = Teller(progress)
    beside = (mask, ref_mask, cuts, settings.input.lut)
    check_target(output, (input, *wanted.paths, *(path for path in beside if path is not None)), overwrite)
    network, settings, why = chosen_network(
        settings, say, needed=mask is None or ref_mask is None, given=(mask, ref_mask)
    )
    seen = look(wanted, settings, ref_mask, network, say.warning)
    apart = seen.palettes.split is not None
    masked = mask is not None or network is not None
    if (warning := reference_undivided(seen.palettes, seen.share, settings, masked, why)) is not None:
        say.warning(warning)
    if not apart:
        mask = network = None
    if input.suffix.lower() in PICTURE_EXTENSIONS:
        if whole or cuts is not None:
            raise UsageError("--whole, --cuts: a picture has no shots. Leave them out.")
        say.start(1)
        map = _of_picture(input, seen, wanted, settings, mask, network, say)
        say.progress(1)
    else:
        with open_source(input, stream) as opened:
            source = source_through_lut(opened, settings)
            map = _of_clip(source, seen, wanted, settings, mask, network, cuts, whole, say)
    write_document(output, map)
    colours = [len(m.colours) for shot in map.shots for m in shot.mappings]
    details: dict[str, Any] = {"shots": len(map.shots), "colours": sum(colours)}
    frames_seen = mask is None and map.input is not None and map.input.frames is not None
    details |= segmented_by(network, settings, seen.segmenter, frames_seen)
    frames = map.input.frames if map.input is not None and map.input.frames is not None else 1
    elapsed = time.monotonic() - began
    return say.done(Report(input, wanted.paths[0], output, frames, elapsed, map.segmenter, tuple(say.said), details))


def find_palette(
    reference: Given, settings: Settings | None = None, *, mask: Path | None = None, progress: Progress | None = None
) -> Wanted:
    """The palette of references; of their foreground and background too by a mask or `settings.segment`.

    Raises:
        StreamctError: a file can't be read, a mask leaves nothing, no such segmenter.
    """
    say = Teller(progress)
    network, settings, _ = chosen_network(settings or Settings(), say, needed=mask is None)
    seen = look(references(reference), settings, mask, network, say.warning)
    if mask is not None and seen.palettes.split is None:
        raise MaskError(f"{mask}: has no clear foreground (between 2% and 98% of the picture must be white).")
    if network is not None and seen.palettes.split is None and seen.share is not None:
        name = references(reference).name
        say.warning(f"{name}: {seen.share:.1%} of it are foreground; a split needs 2% to 98%, so it is one region")
    return seen


def palette_text(reference: Given, seen: Wanted) -> str:
    """The palette as a file would hold it."""
    return document_text(_document(references(reference), seen))


def _document(wanted: References, seen: Wanted) -> PaletteFile:
    return palette_file(seen.palettes, wanted.origins, seen.segmenter, seen.share)


def write_swatches(reference: Given, seen: Wanted, output: Path, overwrite: bool = False) -> None:
    """Write a PNG of what was looked at beside its palette; where it is split, also its matte and a strip for each.

    Raises:
        OutputError: it exists or can't be written.
    """
    check_target(output, references(reference).paths, overwrite)
    matte = None if seen.matte is None else _full_matte(seen)
    strips = (seen.palettes.whole,) if seen.palettes.split is None else seen.palettes.split
    save_png(output, palette_sheet(seen.picture, strips, matte))


def check_matte(
    reference: Given, settings: Settings, matte: Path, mask: Path | None, output: Path | None, overwrite: bool = False
) -> None:
    """Refuse what `write_matte` could not write. mask: the user's, if any. output: what is written beside it.

    Raises:
        UsageError: nothing tells the foreground, or it is not that of one picture.
        OutputError: it is named otherwise than a PNG, exists, or can't be written.
    """
    wanted = references(reference)
    if mask is None and settings.segment.segmenter == "none":
        raise UsageError("--save-mask: there is no mask to save. Add --segmenter auto, or --mask.")
    only = wanted.paths[0].suffix.lower()
    if len(wanted.paths) > 1 or only == ".json" or (only in CLIP_ENDINGS and only not in ANIMATIONS):
        raise UsageError(f"--save-mask: a mask belongs to one picture; the references here are {wanted.name}.")
    if matte.suffix.lower() != ".png":
        raise OutputError(f"{matte}: a mask is written as PNG. Name the file .png.")
    check_target(matte, (*wanted.paths, *(path for path in (mask, output) if path is not None)), overwrite)
    if output is not None and matte.resolve() == output.resolve():
        raise OutputError(f"{matte}: is the output too. Name another file for the mask.")


def write_matte(reference: Given, seen: Wanted, output: Path, overwrite: bool = False) -> None:
    """Write the foreground of a reference picture, at its size, as a grey PNG that may be given back as its mask.

    Raises:
        SegmenterError: there is none, for no network could be had. OutputError: it exists or can't be written.
    """
    if seen.matte is None:
        raise SegmenterError(f"{output}: there is no mask to save, because there is no segmenter.")
    check_target(output, references(reference).paths, overwrite)
    with written_whole(output) as temporary:
        save_mask(temporary, _full_matte(seen))


def _full_matte(seen: Wanted) -> NDArray[np.uint8]:
    assert seen.matte is not None
    if seen.segmenter == "matte":
        return resized(seen.matte, seen.picture.shape[1], seen.picture.shape[0])
    return picture_full(seen.matte, seen.picture)


def write_palette(reference: Given, seen: Wanted, output: Path, overwrite: bool = False) -> None:
    """Write the palette of references as a file, which stands in for them.

    Raises:
        OutputError: it exists or can't be written.
    """
    wanted = references(reference)
    check_target(output, wanted.paths, overwrite)
    write_document(output, _document(wanted, seen))


def _of_picture(
    path: Path, seen: Wanted, wanted: References, settings: Settings, mask: Path | None, network: DeepLab | None,
    say: Teller,
) -> MapFile:  # fmt: skip
    rgb = picture_through_lut(read_picture(path).rgb, settings)
    own = picture_look(rgb, settings, picture_weights(rgb, mask, network, say))[0]
    looked = Looked(own.whole, own.split, ONE if own.split is not None else 0)
    maps, apart = mappings_of(looked, _split_with(seen.palettes, own.split), settings)
    height, width = rgb.shape[:2]
    name = "none" if own.split is None or network is None else network.name
    return MapFile(
        format="streamct map",
        version=1,
        made_from=wanted.origins,
        segmenter="matte" if mask is not None else name,
        input=Input(name=path.name, width=width, height=height),
        reference=reference_of(seen.palettes),
        shots=[MappedShot(start=0, stop=None, apart=apart, mappings=maps)],
    )


def _split_with(wanted: Palettes, own: tuple[Palette, Palette] | None) -> Palettes:
    return wanted if own is not None else Palettes(wanted.whole)


def _of_clip(
    source: Source,
    seen: Wanted,
    wanted: References,
    settings: Settings,
    mask: Path | None,
    network: DeepLab | None,
    cuts: Path | None,
    whole: bool,
    say: Teller,
) -> MapFile:
    clip = source.clip
    with ExitStack() as stack:
        kept = Tracks(source, settings, cuts, None, None)
        given = telling(given_mattes(mask, clip), say)
        mattes = clip_mattes(clip, settings, given, network if mask is None else None, kept.cuts)
        stack.callback(mattes.close)
        say.start(clip.frames)
        track = kept.find(seen.palettes, mattes, settings, say, whole=whole)
        if (warning := beyond(cuts, kept.cuts, track.frames)) is not None:
            say.warning(warning)
        if mask is not None:
            given.end(track.frames)
    first = track.shots[0].pts
    seconds = [round(float(Fraction(shot.pts - first) * clip.time_base), 6) for shot in track.shots]
    return MapFile(
        format="streamct map",
        version=1,
        made_from=wanted.origins,
        segmenter=mattes.name,
        input=Input(name=clip.path.name, width=clip.width, height=clip.height, frames=track.frames),
        reference=reference_of(seen.palettes),
        shots=shots_of(track, seen.palettes, settings, clip.coding, seconds, open_end=whole),
    )
