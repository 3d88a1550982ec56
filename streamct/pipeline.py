"""probe -> sample -> grade -> render -> write -> verify, for pictures and clips; and the same on arrays."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamct.by_map import map_picture, unmasked
from streamct.color.lut import LutGrid
from streamct.comparison import Comparer, Comparison
from streamct.errors import UsageError
from streamct.grade.cuts import ListedCuts
from streamct.grade.foreground import Foreground
from streamct.grade.mapped import MapBaker
from streamct.grade.mattes import Given, Mattes, Replayed
from streamct.grade.regions import SPLIT_SHARES, Palettes
from streamct.grade.shots import Track
from streamct.grading import pass_over
from streamct.input_lut import picture_through_lut, source_through_lut
from streamct.media.files import check_target
from streamct.media.image import check_writable, default_output, read_picture, write_picture
from streamct.media.masks import mask_folder
from streamct.media.pipes import StandardOutput
from streamct.media.source import Source, open_source
from streamct.model import Palette, Progress, Report
from streamct.moments import Moment
from streamct.part_shots import find_part
from streamct.prepare import Prepared, Request, prepare, reported
from streamct.references import Given as GivenReference
from streamct.references import Wanted, check_single, look, map_for, references
from streamct.run import (
    Teller,
    chosen_network,
    fell_back,
    picture_look,
    picture_weights,
    region_palettes,
    segmented_by,
)
from streamct.segment.given import PartMattes, mattes_for
from streamct.segment.still import picture_full, picture_mask
from streamct.settings import Settings
from streamct.stills import grade_array
from streamct.transcode import place, transcode
from streamct.undivided import check_regions, clip_undivided, reference_undivided


def grade_video(
    input: Path | str,
    reference: GivenReference | None,
    output: Path | str | None = None,
    settings: Settings | None = None,
    *,
    map: Path | str | None = None,
    mask: Path | str | None = None,
    ref_mask: Path | str | None = None,
    save_masks: Path | str | None = None,
    cuts: Path | str | None = None,
    track: Path | str | None = None,
    save_track: Path | str | None = None,
    overwrite: bool = False,
    stream: int | None = None,
    rate: Fraction | float | str | None = None,
    hwaccel: str | None = None,
    tolerate_corrupt: bool = False,
    start: Moment | None = None,
    stop: Moment | None = None,
    compare: Comparison | None = None,
    progress: Progress | None = None,
) -> Report:
    """Grade a video with the colours of a reference, in bounded memory: in one pass, `shot` in two.

    reference: a picture, a video or a palette file, or several of them (`streamct.references`). map: a map file, which
    has a reference of its own; then `reference` may be None.

    input: a file; `-` for standard input, which is read once, as it comes; or pictures as a pattern such as
    `frame_%05d.png`. output: likewise; None for `<stem>.graded<ext>` beside the input. mask: a picture, a folder of
    numbered pictures or a video, white for foreground; ref_mask: a picture; both go before `settings.segment`.
    save_masks: a folder for
    the mattes that were used, one PNG a frame, which may be given back as `mask`. cuts: a list of the frames at
    which shots begin, instead of looking for them. save_track: a file for what the first pass of `shot` finds; track:
    such a file, which spares that pass. stream: index of the video stream to grade, None for the best; the others
    are copied. rate: frames/s of numbered pictures, 24 by default. hwaccel: a device that decodes if it can, such as
    `cuda`. tolerate_corrupt: grade what decodes of a damaged file and warn, instead of refusing it. start, stop: the
    part to write, seconds after the first frame or text such as "00:12.5": frames from `start` on to the last before
    `stop`, graded as in a run over all, with what is copied cut likewise; the output begins at 0. compare: show
    the source beside the graded picture, or both parted by a line; the default output is then `<stem>.preview<ext>`,
    and it ends 10 s after `start` where no `stop` is given. progress is called from the calling thread.

    Raises:
        StreamctError: anything wrong with input, reference, masks, settings or output. Nothing is left under
            the output's name then, and what was there is untouched.
    """
    map = _path(map)
    asked = Request(
        Path(input), reference, _path(output),
        settings or Settings(), map, _path(mask), _path(ref_mask), _path(save_masks), _path(cuts), _path(track),
        _path(save_track), overwrite, stream, rate, hwaccel, tolerate_corrupt, start, stop, compare,
    )  # fmt: skip
    return grade_asked(asked, progress)


def grade_asked(asked: Request, progress: Progress | None = None) -> Report:
    """`grade_video`, with all that is asked in one."""
    say = Teller(progress)
    with open_source(asked.input, asked.stream, asked.rate, asked.hwaccel, asked.tolerate_corrupt) as opened:
        report = _grade_source(source_through_lut(opened, asked.settings), asked, say)
    return say.done(report)


def _grade_source(source: Source, asked: Request, say: Teller) -> Report:
    began = time.monotonic()
    clip, mask, tolerate = source.clip, asked.mask, asked.tolerate_corrupt
    ready = prepare(source, asked, say)
    plan, kept, settings, palettes = ready.plan, ready.kept, ready.settings, ready.palettes
    mattes, given, trim = ready.mattes, ready.given, ready.trim
    total = clip.frames
    if trim is not None:
        total, source = trim.frames, replace(source, trim=trim)
    say.start(total)
    with ExitStack() as stack:
        stack.callback(mattes.close)
        temporary: Path | StandardOutput = stack.enter_context(place(plan, asked.overwrite))
        folder = None
        masked = mattes.name != "none" or (kept.saved is not None and kept.saved.segmenter != "none")
        if asked.save_masks is not None and masked:
            folder = stack.enter_context(mask_folder(asked.save_masks))
        if settings.time.mode == "shot" and palettes is not None:
            if kept.saved is not None:
                found = kept.saved.track
            elif trim is not None:
                found = find_part(source, palettes, mattes, settings, kept.cuts, ready.anywhere, tolerate, say.progress)
            else:
                found = kept.find(palettes, mattes, settings, say, tolerate)
            name = mattes.name if kept.saved is None else kept.saved.segmenter
            kept.save(found, name, settings)
            if mask is not None:
                given = mattes_for(mask, source, trim)  # its first reading is over
            mattes = Given(given) if mattes.name == given.name and name == given.name else Replayed(name)
            stack.callback(mattes.close)
            say.start(total)
            frames, foreground = _render_clip(
                source, ready, palettes, mattes, settings, temporary, folder, asked, say, track=found
            )
        else:
            frames, foreground = _render_clip(
                source, ready, palettes, mattes, settings, temporary, folder, asked, say, cuts=kept.cuts
            )
        if mattes.name == given.name and (trim is None or isinstance(given, PartMattes)):
            given.end(frames)
    if asked.save_masks is not None and folder is None and not fell_back(asked.settings, settings):
        say.warning(f"{asked.save_masks}: no masks were saved, because there is no segmenter")
    return reported(asked, ready, source, frames, time.monotonic() - began, mattes.name, say, foreground)


def _render_clip(
    source: Source,
    ready: Prepared,
    palettes: Palettes | None,
    mattes: Mattes,
    settings: Settings,
    temporary: Path | StandardOutput,
    folder: Path | None,
    asked: Request,
    say: Teller,
    cuts: ListedCuts | None = None,
    track: Track | None = None,
) -> tuple[int, Foreground | None]:
    """Returns how many frames there were, and what was counted of their masks. track: grades that are known already."""
    compare = asked.compare
    only = None if source.trim is None else source.trim.wanted
    ours = pass_over(
        source.clip, palettes, mattes, settings, held=ready.held, folder=folder, cuts=cuts, track=track, only=only
    )  # fmt: skip
    fill, shape = ours.fill, None
    if compare is not None:
        fill = Comparer(compare, source.clip, LutGrid(source.clip.coding, source.clip.format.depth), fill).fill
        shape = compare.shape(source.clip)
    frames = transcode(
        source, ready.plan, temporary, ours.sample, ours.grading, fill, settings, say, asked.tolerate_corrupt, shape
    )  # fmt: skip
    return frames, ours.foreground


def grade_picture(
    input: Path | str,
    reference: GivenReference | None,
    output: Path | str | None = None,
    settings: Settings | None = None,
    *,
    map: Path | str | None = None,
    mask: Path | str | None = None,
    ref_mask: Path | str | None = None,
    overwrite: bool = False,
    seen: Wanted | None = None,
    progress: Progress | None = None,
) -> Report:
    """Grade a still picture; see `grade_video`. Depth, alpha, EXIF and profile of the source are kept.

    output: None for `<stem>.graded<ext>` beside the input (PNG where the input's format can't be written). seen: what
    `streamct.references.look` gave for this reference, which spares making it again.

    Raises:
        StreamctError: as `grade_video`.
    """
    settings = settings or Settings()
    input, map = Path(input), _path(map)
    asked = None if reference is None and map is not None else references(reference)
    output, mask, ref_mask = _path(output), _path(mask), _path(ref_mask)
    began = time.monotonic()
    say = Teller(progress)
    source = read_picture(input)
    source = replace(source, rgb=picture_through_lut(source.rgb, settings))
    path = output or default_output(input)
    check_writable(path)
    others = asked.paths if asked is not None else ()
    check_target(path, (input, *others, *(p for p in (map, mask, ref_mask) if p is not None)), overwrite)
    held = None if map is None else map_for(map, asked, ref_mask, ())
    if held is not None and map is not None:
        check_single(held, map)
    needed = mask is None or ref_mask is None if held is None else mask is None and MapBaker(held, settings).splits
    network, settings, why = chosen_network(settings, say, needed=needed, given=(mask, ref_mask))
    masked = mask is not None or network is not None
    palettes, baker, told_by = None, None, "none"
    if held is not None:
        check_regions(settings, masked)
        baker = MapBaker(held, settings, split=masked)
        apart = baker.splits
        if (warning := unmasked(held, settings, apart, mask is not None)) is not None:
            say.warning(f"{map}: {warning}")
    else:
        assert asked is not None
        found = seen or look(asked, settings, ref_mask, network, say.warning)
        told_by = found.segmenter
        palettes = region_palettes(found.palettes, settings, masked)
        apart = palettes.split is not None
        if (warning := reference_undivided(found.palettes, found.share, settings, masked, why)) is not None:
            say.warning(warning)
    say.start(1)
    matte = picture_weights(source.rgb, mask, network if apart else None, say, full=True)
    if baker is not None:
        graded = map_picture(source.rgb, baker, matte if apart else None)
    else:
        assert palettes is not None
        if matte is not None and apart:
            share, regions = picture_look(source.rgb, settings, matte)[1], settings.mapping.regions
            outside = share is not None and not SPLIT_SHARES[0] <= share <= SPLIT_SHARES[1]
            if share is not None and outside and (warning := clip_undivided(share, "picture", regions)) is not None:
                say.warning(warning)
        graded = grade_array(source.rgb, palettes, settings, matte)
    for note in write_picture(path, graded, source, settings.output.quality):
        say.note(note)
    say.progress(1)
    height, width = source.rgb.shape[:2]
    details: dict[str, Any] = {"width": width, "height": height, "depth": source.depth}
    details |= segmented_by(network, settings, told_by)
    segmenter = "matte" if mask is not None else network.name if network is not None and matte is not None else "none"
    elapsed = time.monotonic() - began
    said = asked.paths[0] if asked is not None else map
    assert said is not None
    return say.done(Report(input, said, path, 1, elapsed, segmenter, tuple(say.said), details))


def with_segmenter(settings: Settings, progress: Progress | None = None, mask: Path | None = None) -> Settings:
    """Settings whose `auto` segmenter is decided, for runs over many files: one warning and one download at most.

    mask: of the files, so that only the references need it.

    Raises:
        SegmenterError: see `chosen_network`.
    """
    say = Teller(progress)
    _, settings, why = chosen_network(settings, say, needed=True, given=(mask, None))
    if why is not None and mask is not None:
        say.warning(f"no reference gets a foreground but by --ref-mask, because there is no segmenter: {why}")
    return settings


def reference_palettes(path: Path, settings: Settings, mask: Path | None = None) -> Palettes:
    """Palettes of a reference, whole and, with a mask (white = foreground) for a picture, of its two parts.

    Raises:
        ReferenceError, MaskError: a file can't be read.
    """
    return look(references(path), settings, mask).palettes


def picture_palette(path: Path, settings: Settings | None = None, *, mask: Path | None = None) -> Palette:
    """The palette of a picture, or with a mask of its foreground.

    Raises:
        ReferenceError, MaskError: a file can't be read.
    """
    found = reference_palettes(path, settings or Settings(), mask)
    return found.whole if found.split is None else found.split[0]


def transfer_image(source: NDArray[Any], reference: NDArray[Any], settings: Settings | None = None) -> NDArray[Any]:
    """Give one picture the colours of another, on arrays.

    source, reference: (h, w, 3) or (h, w, 4) sRGB, uint8, uint16 or float in 0..1; a fourth channel is alpha and
    kept. Returns an array like `source`.

    Raises:
        UsageError: an array of another shape or dtype.

    Example:
        >>> import numpy as np, streamct
        >>> grey = np.full((8, 8, 3), 128, np.uint8)
        >>> streamct.transfer_image(grey, grey).tolist() == grey.tolist()
        True
    """
    settings = settings or Settings()
    rgb, top = _as_srgb(source, "source")
    other = _as_srgb(reference, "reference")[0]
    network, settings, _ = chosen_network(settings, Teller(None), needed=True)
    palettes = picture_look(other, settings, None if network is None else picture_mask(other, network))[0]
    palettes = region_palettes(palettes, settings, network is not None)
    rgb = picture_through_lut(rgb, settings)
    matte = None
    if network is not None and palettes.split is not None:
        matte = picture_full(picture_mask(rgb, network), rgb)
    graded = grade_array(rgb, palettes, settings, matte)
    out = np.array(source, copy=True)
    if top == 1:
        out[..., :3] = graded
    else:
        out[..., :3] = np.rint(np.clip(graded, 0, 1) * np.float32(top)).astype(source.dtype)
    return out


def extract_palette(image: NDArray[Any], settings: Settings | None = None) -> Palette:
    """The palette of a picture given as an array; see `transfer_image`.

    Raises:
        UsageError: an array of another shape or dtype.
    """
    return picture_look(_as_srgb(image, "image")[0], settings or Settings(), None)[0].whole


def _as_srgb(image: NDArray[Any], name: str) -> tuple[NDArray[np.float32], int]:
    if not isinstance(image, np.ndarray):
        raise UsageError(f"{name}: expected a numpy array, got {type(image).__name__}; transfer_picture takes files")
    if image.ndim != 3 or image.shape[2] not in (3, 4) or 0 in image.shape:
        raise UsageError(f"{name}: expected an array (h, w, 3) or (h, w, 4), got {image.shape = }")
    tops = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}
    top = tops.get(image.dtype, 1)
    if top == 1 and not np.issubdtype(image.dtype, np.floating):
        raise UsageError(f"{name}: expected uint8, uint16 or a float dtype, got {image.dtype = }")
    rgb = np.ascontiguousarray(image[..., :3], np.float32) / np.float32(top)
    if not np.isfinite(rgb).all():
        raise UsageError(f"{name}: holds values that are not finite")
    return rgb, top


def _path(given: Path | str | None) -> Path | None:
    return Path(given) if given is not None else None
