"""probe -> sample -> grade -> render -> write -> verify, for pictures and clips; and the same on arrays."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamct.color.lut import LutGrid
from streamct.comparison import USUAL_SECONDS, Comparer, Comparison, preview_path
from streamct.errors import MaskError, OutputError, UsageError
from streamct.grade.analyst import Analyst
from streamct.grade.bake import Baker
from streamct.grade.cuts import ListedCuts
from streamct.grade.mattes import Given, Mattes, Replayed
from streamct.grade.regions import Palettes
from streamct.grade.sample import Sampler
from streamct.grade.shots import Replay, Track
from streamct.grade.track import Grade, Grader
from streamct.input_lut import picture_through_lut, source_through_lut
from streamct.media.files import check_target
from streamct.media.image import check_writable, default_output, read_picture, save_png, write_picture
from streamct.media.masks import check_mask_folder, mask_folder, mask_name, save_mask
from streamct.media.output import OutputPlan, resolve_output
from streamct.media.picture_writer import check_pictures
from streamct.media.pipes import StandardOutput
from streamct.media.sequence import SEQUENCE
from streamct.media.source import Source, open_source
from streamct.model import Frame, Palette, Progress, Report
from streamct.moments import Moment, as_seconds
from streamct.part_shots import find_part
from streamct.parts import is_anywhere, reach, trimmed
from streamct.preview import palette_sheet
from streamct.render import Renderer
from streamct.run import (
    Teller,
    chosen_network,
    clip_mattes,
    described,
    no_split,
    picture_look,
    reference_look,
    region_palettes,
)
from streamct.segment.matte import Matte, resized, still_matte
from streamct.segment.none import NoSegmenter
from streamct.segment.still import picture_full, picture_mask
from streamct.settings import Settings
from streamct.stills import grade_array
from streamct.stream import Grading
from streamct.tracks import Tracks, small_size
from streamct.transcode import place, transcode


def grade_video(
    input: Path | str,
    reference: Path | str,
    output: Path | str | None = None,
    settings: Settings | None = None,
    *,
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
    """Grade a video with the colours of a reference picture, in bounded memory: in one pass, `shot` in two.

    input: a file; `-` for standard input, which is read once, as it comes; or pictures as a pattern such as
    `frame_%05d.png`. output: likewise; None for `<stem>.graded<ext>` beside the input. mask: a picture, a folder of
    numbered pictures or a
    video, white for foreground; ref_mask: a picture; both go before `settings.segment`. save_masks: a folder for
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
    settings = settings or Settings()
    input, reference = Path(input), Path(reference)
    output, mask, ref_mask, save_masks = _path(output), _path(mask), _path(ref_mask), _path(save_masks)
    say = Teller(progress)
    with open_source(input, stream, rate, hwaccel) as opened:
        source = source_through_lut(opened, settings)
        report = _grade_source(
            source, input, reference, output, settings, mask, ref_mask, save_masks, _path(cuts), _path(track),
            _path(save_track), overwrite, tolerate_corrupt, say, start, stop, compare,
        )  # fmt: skip
    return say.done(report)


def _grade_source(
    source: Source,
    input: Path,
    reference: Path,
    output: Path | None,
    settings: Settings,
    mask: Path | None,
    ref_mask: Path | None,
    save_masks: Path | None,
    cuts: Path | None,
    track: Path | None,
    save_track: Path | None,
    overwrite: bool,
    tolerate_corrupt: bool,
    say: Teller,
    start: Moment | None = None,
    stop: Moment | None = None,
    compare: Comparison | None = None,
) -> Report:
    began = time.monotonic()
    clip = source.clip
    plan = resolve_output(clip if compare is None else compare.shape(clip), output, settings.output)
    if compare is not None:
        stop = stop if stop is not None else (as_seconds(start, "--from", clip) or 0) + USUAL_SECONDS
        plan = plan if output is not None else replace(plan, path=preview_path(input, plan.path.suffix))
    given_files = (mask, ref_mask, cuts, track, settings.input.lut)
    others = (reference, *(path for path in given_files if path is not None))
    if plan.container == SEQUENCE:
        check_pictures(clip, plan.path, others, overwrite)
    elif not plan.piped:
        check_target(plan.path, (input, *others), overwrite)
    kept = Tracks(source, settings, cuts, track, save_track)
    kept.check((input, *others, plan.path), mask is not None, overwrite)
    trim = trimmed(clip, start, stop, save_track)
    for note in source.notes:
        say.note(note)
    for note in plan.notes:
        say.note(note)
    if save_masks is not None:
        if mask is None and settings.segment.segmenter == "none":
            raise UsageError("--save-masks: there are no masks to save. Add --segmenter auto, or --mask.")
        check_mask_folder(save_masks, overwrite)
    given = Matte(mask) if mask is not None else NoSegmenter()
    given.begin(clip.frames, clip.width, clip.height)
    network, settings = chosen_network(settings, say, needed=mask is None or ref_mask is None)
    palettes, share = reference_look(reference, settings, ref_mask, network)
    palettes = region_palettes(palettes, settings, mask is not None or network is not None)
    if ref_mask is not None and mask is None and network is None:
        say.warning("--ref-mask alone does nothing: the clip has no mask (--mask, --segmenter), so it is one region")
    if palettes.split is None and (mask is not None or network is not None):
        say.warning(no_split(share))
    used = palettes.split is not None or save_masks is not None
    segmenting = network if mask is None and used and kept.saved is None else None
    mattes = clip_mattes(clip, settings, given if used else NoSegmenter(), segmenting, kept.cuts)
    if (warning := kept.warning(palettes, mask is not None, network, settings)) is not None:
        say.warning(warning)
    total = clip.frames
    if trim is not None:
        total, source = trim.frames, replace(source, trim=trim)
        anywhere = source.sought and is_anywhere(mask, kept.cuts, kept.saved is not None)
        if settings.time.mode != "shot" or kept.saved is not None:
            trim.prepare(reach(settings, mattes), anywhere)
    say.start(total)
    with ExitStack() as stack:
        stack.callback(mattes.close)
        temporary: Path | StandardOutput = stack.enter_context(place(plan, overwrite))
        folder = None
        masked = mattes.name != "none" or (kept.saved is not None and kept.saved.segmenter != "none")
        if save_masks is not None and masked:
            folder = stack.enter_context(mask_folder(save_masks))
        if settings.time.mode == "shot":
            if kept.saved is not None:
                found = kept.saved.track
            elif trim is not None:
                found = find_part(
                    source, palettes, mattes, settings, kept.cuts, anywhere, tolerate_corrupt, say.progress
                )
            else:
                found = kept.find(palettes, mattes, settings, say, tolerate_corrupt)
            name = mattes.name if kept.saved is None else kept.saved.segmenter
            kept.save(found, name, settings)
            if mask is not None:
                given = Matte(mask)  # its first reading is over
                given.begin(clip.frames, clip.width, clip.height)
            mattes = Given(given) if mattes.name == given.name and name == given.name else Replayed(name)
            say.start(total)
            frames = _render_clip(
                source,
                plan,
                temporary,
                palettes,
                mattes,
                settings,
                folder,
                say,
                tolerate_corrupt,
                track=found,
                compare=compare,
            )
        else:
            frames = _render_clip(
                source,
                plan,
                temporary,
                palettes,
                mattes,
                settings,
                folder,
                say,
                tolerate_corrupt,
                cuts=kept.cuts,
                compare=compare,
            )
        if mattes.name == given.name and trim is None:
            given.end(frames)
    if save_masks is not None and folder is None:
        say.warning(f"{save_masks}: no masks were saved, because there is no segmenter")
    details: dict[str, Any] = {
        "width": clip.width,
        "height": clip.height,
        "encoder": plan.encoder,
        "pix_fmt": plan.pix_fmt,
        "options": plan.options,
        "fps": round(frames / max(say.elapsed(), 1e-6), 2),
    }
    if network is not None:
        details["network"] = described(network, settings)
    path = output if plan.piped and output is not None else plan.path
    elapsed = time.monotonic() - began
    return Report(input, reference, path, frames, elapsed, mattes.name, tuple(say.said), details)


def _render_clip(
    source: Source,
    plan: OutputPlan,
    temporary: Path | StandardOutput,
    palettes: Palettes,
    mattes: Mattes,
    settings: Settings,
    folder: Path | None,
    say: Teller,
    tolerate: bool,
    cuts: ListedCuts | None = None,
    track: Track | None = None,
    compare: Comparison | None = None,
) -> int:
    """track: grades that are known already."""
    clip, only = source.clip, None if source.trim is None else source.trim.wanted
    ticks = Fraction(settings.time.knot_spacing) / (clip.rate * clip.time_base) if clip.rate else None
    grid = LutGrid(clip.coding, clip.format.depth)
    sample: Callable[[Frame], Any]
    grading: Grading
    if track is not None:
        sample, grading = (lambda frame: frame.index), Replay(track, Baker(palettes, grid, settings), only)
    else:
        sampler = Sampler(clip.format, clip.coding, settings.palette, small_size(clip, mattes, settings))
        sample, grading = (
            sampler.look,
            Analyst(sampler, mattes, Grader(palettes, grid, settings, ticks, cuts, only), only),
        )
    renderer = Renderer(clip.format, interlaced=clip.fields is not None)

    def fill(frame: Frame, target: Frame, grade: Grade) -> None:
        mask = None
        if len(grade.luts) > 1 or folder is not None:
            mask = mattes.full(frame, grade.mask)
        if folder is not None and mask is not None:
            save_mask(folder / mask_name(target.index), mask)
        renderer.render(frame, target, grade, mask)

    if compare is None:
        return transcode(source, plan, temporary, sample, grading, fill, settings, say, tolerate)
    filled, shape = Comparer(compare, clip, grid, fill).fill, compare.shape(clip)
    return transcode(source, plan, temporary, sample, grading, filled, settings, say, tolerate, shape)


def grade_picture(
    input: Path | str,
    reference: Path | str,
    output: Path | str | None = None,
    settings: Settings | None = None,
    *,
    mask: Path | str | None = None,
    ref_mask: Path | str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Grade a still picture; see `grade_video`. Depth, alpha, EXIF and profile of the source are kept.

    output: None for `<stem>.graded<ext>` beside the input (PNG where the input's format can't be written).

    Raises:
        StreamctError: as `grade_video`.
    """
    settings = settings or Settings()
    input, reference = Path(input), Path(reference)
    output, mask, ref_mask = _path(output), _path(mask), _path(ref_mask)
    began = time.monotonic()
    say = Teller(progress)
    source = read_picture(input)
    source = replace(source, rgb=picture_through_lut(source.rgb, settings))
    path = output or default_output(input)
    check_writable(path)
    check_target(path, (input, reference, *(p for p in (mask, ref_mask) if p is not None)), overwrite)
    network, settings = chosen_network(settings, say, needed=mask is None or ref_mask is None)
    palettes, share = reference_look(reference, settings, ref_mask, network)
    palettes = region_palettes(palettes, settings, mask is not None or network is not None)
    if palettes.split is None and (mask is not None or network is not None):
        say.warning(no_split(share))
    say.start(1)
    matte = still_matte(mask) if mask is not None else None
    if matte is None and network is not None and palettes.split is not None:
        matte = picture_full(picture_mask(source.rgb, network), source.rgb)
    graded = grade_array(source.rgb, palettes, settings, matte)
    for note in write_picture(path, graded, source, settings.output.quality):
        say.note(note)
    say.progress(1)
    height, width = source.rgb.shape[:2]
    details: dict[str, Any] = {"width": width, "height": height, "depth": source.depth}
    if network is not None:
        details["network"] = described(network, settings)
    segmenter = "matte" if mask is not None else network.name if network is not None and matte is not None else "none"
    elapsed = time.monotonic() - began
    return say.done(Report(input, reference, path, 1, elapsed, segmenter, tuple(say.said), details))


def with_segmenter(settings: Settings, progress: Progress | None = None) -> Settings:
    """Settings whose `auto` segmenter is decided, for runs over many files: one warning and one download at most.

    Raises:
        SegmenterError: a segmenter asked for by name, or its weights, can't be had.
    """
    return chosen_network(settings, Teller(progress), needed=True)[1]


def reference_palettes(path: Path, settings: Settings, mask: Path | None = None) -> Palettes:
    """Palettes of a reference picture, whole and, with a mask (white = foreground), of its two parts.

    Raises:
        ReferenceError, MaskError: a file can't be read.
    """
    return reference_look(path, settings, mask, None)[0]


def picture_palette(path: Path, settings: Settings | None = None, *, mask: Path | None = None) -> Palette:
    """The palette of a picture, or with a mask of its foreground.

    Raises:
        InputError, MaskError: a file can't be read, or the mask leaves nothing.
    """
    looked = picture_palettes(path, settings, mask=mask)
    return looked.palettes.whole if looked.palettes.split is None else looked.palettes.split[0]


@dataclass(frozen=True, slots=True, eq=False)
class PicturePalettes:
    """A picture, its palettes and, where it was segmented, by what, and what came of it.

    rgb: (h, w, 3) extended sRGB. matte: (h, w) foreground weights 0..255, None without a segmenter. share: of the
    foreground, 0..1.
    """

    rgb: NDArray[np.float32]
    palettes: Palettes
    segmenter: str = "none"
    matte: NDArray[np.uint8] | None = None
    share: float | None = None


def picture_palettes(
    path: Path, settings: Settings | None = None, *, mask: Path | None = None, progress: Progress | None = None
) -> PicturePalettes:
    """The palettes of a picture: whole, and of foreground and background by a mask or `settings.segment`.

    Raises:
        InputError, MaskError, SegmenterError: a file can't be read, a mask leaves nothing, no such segmenter.
    """
    settings = settings or Settings()
    say = Teller(progress)
    network, settings = chosen_network(settings, say, needed=mask is None)
    rgb = read_picture(path).rgb
    if mask is not None:
        name, coarse, matte = "matte", still_matte(mask), None
        matte = resized(coarse, rgb.shape[1], rgb.shape[0])
    elif network is not None:
        name, coarse = network.name, picture_mask(rgb, network)
        matte = picture_full(coarse, rgb)
    else:
        return PicturePalettes(rgb, picture_look(rgb, settings, None)[0])
    palettes, share = picture_look(rgb, settings, coarse)
    if mask is not None and palettes.split is None:
        raise MaskError(f"{mask}: has no clear foreground (between 2% and 98% of the picture must be white).")
    if palettes.split is None:
        say.warning(f"{path}: {share:.1%} of it are foreground; a split needs 2% to 98%, so it is one region")
    return PicturePalettes(rgb, palettes, name, matte, share)


def write_palette_sheet(looked: PicturePalettes, picture: Path, output: Path, overwrite: bool = False) -> None:
    """Write a PNG of the picture beside its palette; where it is split, also its matte, and a strip for each part.

    Raises:
        OutputError: it exists or can't be written.
    """
    if output.suffix.lower() != ".png":
        raise OutputError(f"{output}: the swatches are written as PNG. Name the file .png.")
    check_target(output, (picture,), overwrite)
    strips = (looked.palettes.whole,) if looked.palettes.split is None else looked.palettes.split
    save_png(output, palette_sheet(looked.rgb, strips, looked.matte))


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
    network, settings = chosen_network(settings, Teller(None), needed=True)
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
