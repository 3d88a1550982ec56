"""probe -> sample -> grade -> render -> write -> verify, for pictures and clips; and the same on arrays."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamct.color.colormap import ColorMap, apply_to_srgb, color_map
from streamct.color.correspondence import correspond
from streamct.color.histogram import Counter
from streamct.color.jit import compiled_before
from streamct.color.lut import LutGrid
from streamct.errors import MaskError, OutputError, ReferenceError, UsageError
from streamct.grade.regions import Palettes, palettes_of
from streamct.grade.sample import MaskSource, Sampler, sample_picture
from streamct.grade.track import Grade, Grader
from streamct.media.files import check_target, written_whole
from streamct.media.image import WRITABLE_EXTENSIONS, check_writable, read_picture, save_png, write_picture
from streamct.media.output import OutputPlan, resolve_output
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.media.verify import verify
from streamct.media.writer import Writer
from streamct.model import Clip, Event, Frame, Palette, Progress, Report
from streamct.preview import palette_sheet
from streamct.render import Renderer
from streamct.segment import Segmenter
from streamct.segment.matte import Matte, resized, still_matte
from streamct.segment.none import NoSegmenter
from streamct.settings import Settings
from streamct.stream import Stream, decoder_threads, encoder_threads

_NO_REFERENCE_SPLIT = (
    "the reference has no foreground of its own (--ref-mask), so the whole frame is graded as one region"
)
_COMPILING = "compiling the colour kernels; this happens once on a machine and takes some seconds"


def grade_video(
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
    """Grade a video with the colours of a reference picture, in one pass and bounded memory.

    output: None for `<stem>.graded<ext>` beside the input. mask: a picture, a folder of numbered pictures or a
    video, white for foreground; ref_mask: a picture. progress is called from the calling thread.

    Raises:
        StreamctError: anything wrong with input, reference, masks, settings or output. Nothing is left under
            the output's name then, and what was there is untouched.
    """
    settings = settings or Settings()
    input, reference = Path(input), Path(reference)
    output, mask, ref_mask = _path(output), _path(mask), _path(ref_mask)
    began = time.monotonic()
    say = _Teller(progress)
    clip = probe(input)
    plan = resolve_output(clip, output, settings.output)
    check_target(plan.path, (input, reference, *(p for p in (mask, ref_mask) if p is not None)), overwrite)
    for note in plan.notes:
        say.note(note)
    segmenter: Segmenter = Matte(mask) if mask is not None else NoSegmenter()
    segmenter.begin(clip.frames, clip.width, clip.height)
    palettes = reference_palettes(reference, settings, ref_mask)
    if mask is not None and palettes.split is None:
        say.warning(_NO_REFERENCE_SPLIT)
    if palettes.split is None:
        segmenter = NoSegmenter()
    say.start(clip.frames)
    with written_whole(plan.path) as temporary:
        frames = _render_clip(clip, plan, temporary, palettes, segmenter, settings, say)
    details: dict[str, Any] = {
        "width": clip.width,
        "height": clip.height,
        "encoder": plan.encoder,
        "pix_fmt": plan.pix_fmt,
        "options": plan.options,
        "fps": round(frames / max(say.elapsed(), 1e-6), 2),
    }
    return say.done(
        Report(
            input,
            reference,
            plan.path,
            frames,
            time.monotonic() - began,
            segmenter.name,
            tuple(say.said),
            details,
        )
    )


def _render_clip(
    clip: Clip,
    plan: OutputPlan,
    temporary: Path,
    palettes: Palettes,
    segmenter: Segmenter,
    settings: Settings,
    say: _Teller,
) -> int:
    ticks = Fraction(settings.time.knot_spacing) / (clip.rate * clip.time_base) if clip.rate else None
    sampler = Sampler(clip.format, clip.coding, settings.palette)
    grader = Grader(palettes, LutGrid(clip.coding, clip.format.depth), settings, ticks)
    renderer = Renderer(clip.format)
    split = palettes.split is not None and not isinstance(segmenter, NoSegmenter)

    def mask_of(frame: Frame) -> MaskSource | None:
        if not split:
            return None

        def at_size(width: int, height: int) -> NDArray[np.uint8]:
            mask = segmenter.mask(frame.index, width, height)
            assert mask is not None
            return mask

        return at_size

    with ExitStack() as stack:
        reader = stack.enter_context(Reader(clip, decoder_threads()))
        writer = stack.enter_context(Writer(clip, plan, temporary, encoder_threads(plan.encoder)))
        for note in writer.notes:
            say.note(note)

        def render(frame: Frame, grade: Grade) -> Frame:
            target = writer.allocate(frame)
            mask = mask_of(frame) if len(grade.luts) > 1 else None
            renderer.render(frame, target, grade, mask(clip.width, clip.height) if mask is not None else None)
            return target

        stream = Stream(reader, lambda frame: sampler.sample(frame, mask_of(frame)), grader, render, writer.write)
        frames = stream.run(say.progress)
        segmenter.end(frames)
        writer.close()
    for line in reader.warnings:
        say.warning(line)
    verify(clip, plan, temporary, writer.index, writer.times)
    return frames


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
    say = _Teller(progress)
    source = read_picture(input)
    path = output or _default_picture(input)
    check_writable(path)
    check_target(path, (input, reference, *(p for p in (mask, ref_mask) if p is not None)), overwrite)
    palettes = reference_palettes(reference, settings, ref_mask)
    if mask is not None and palettes.split is None:
        say.warning(_NO_REFERENCE_SPLIT)
    say.start(1)
    matte = still_matte(mask) if mask is not None else None
    graded = _grade_array(source.rgb, palettes, settings, matte)
    for note in write_picture(path, graded, source, settings.output.quality):
        say.note(note)
    say.progress(1)
    height, width = source.rgb.shape[:2]
    details = {"width": width, "height": height, "depth": source.depth}
    segmenter = "none" if mask is None else "matte"
    elapsed = time.monotonic() - began
    return say.done(Report(input, reference, path, 1, elapsed, segmenter, tuple(say.said), details))


def reference_palettes(path: Path, settings: Settings, mask: Path | None = None) -> Palettes:
    """Palettes of a reference picture, whole and, with a mask (white = foreground), of its two parts.

    Raises:
        ReferenceError, MaskError: a file can't be read.
    """
    rgb = read_picture(path, ReferenceError).rgb
    return _palettes(rgb, settings, still_matte(mask) if mask is not None else None)


def picture_palette(path: Path, settings: Settings | None = None, *, mask: Path | None = None) -> Palette:
    """The palette of a picture, or with a mask of its foreground.

    Raises:
        InputError, MaskError: a file can't be read, or the mask leaves nothing.
    """
    palettes = _palettes(
        read_picture(path).rgb, settings or Settings(), still_matte(mask) if mask is not None else None
    )
    if mask is None:
        return palettes.whole
    if palettes.split is None:
        raise MaskError(f"{mask}: has no clear foreground (between 2% and 98% of the picture must be white).")
    return palettes.split[0]


def write_palette_sheet(picture: Path, palette: Palette, output: Path, overwrite: bool = False) -> None:
    """Write a PNG of the picture beside its palette.

    Raises:
        OutputError: it exists or can't be written.
    """
    if output.suffix.lower() != ".png":
        raise OutputError(f"{output}: the swatches are written as PNG. Name the file .png.")
    check_target(output, (picture,), overwrite)
    save_png(output, palette_sheet(read_picture(picture).rgb, palette))


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
    palettes = _palettes(_as_srgb(reference, "reference")[0], settings, None)
    graded = _grade_array(rgb, palettes, settings, None)
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
    return _palettes(_as_srgb(image, "image")[0], settings or Settings(), None).whole


def _as_srgb(image: NDArray[Any], name: str) -> tuple[NDArray[np.float32], int]:
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


def _palettes(rgb: NDArray[np.float32], settings: Settings, matte: NDArray[np.uint8] | None) -> Palettes:
    mask = None if matte is None else lambda width, height: resized(matte, width, height)
    counter = Counter()
    palettes = palettes_of(sample_picture(rgb, mask, settings.palette, counter), counter, settings.palette)
    assert palettes is not None
    return palettes


def _grade_array(
    rgb: NDArray[np.float32], reference: Palettes, settings: Settings, matte: NDArray[np.uint8] | None
) -> NDArray[np.float32]:
    source = _palettes(rgb, settings, matte)
    workers = os.cpu_count() or 2

    def mapped(own: Palette, other: Palette) -> NDArray[np.float32]:
        return apply_to_srgb(_map(own, other, settings), rgb, workers)

    if source.split is None or reference.split is None or matte is None:
        return mapped(source.whole, reference.whole)
    weight = resized(matte, rgb.shape[1], rgb.shape[0])[..., None].astype(np.float32) / 255
    front = mapped(source.split[0], reference.split[0])
    back = mapped(source.split[1], reference.split[1])
    return back + weight * (front - back)


def _map(source: Palette, reference: Palette, settings: Settings) -> ColorMap:
    return color_map(correspond(source, reference, settings.mapping), settings.mapping)


def _path(given: Path | str | None) -> Path | None:
    return Path(given) if given is not None else None


def _default_picture(source: Path) -> Path:
    ending = source.suffix if source.suffix.lower() in WRITABLE_EXTENSIONS else ".png"
    return source.with_name(f"{source.stem}.graded{ending}")


class _Teller:
    """Passes events on and remembers what the report repeats."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._total: int | None = None
        self._started = time.monotonic()
        self.said: list[str] = []
        if not compiled_before():
            self._tell(Event("note", _COMPILING))

    def _tell(self, event: Event) -> None:
        if self._progress is not None:
            self._progress(event)

    def start(self, total: int | None) -> None:
        self._total = total
        self._started = time.monotonic()
        self._tell(Event("start", total=total))

    def elapsed(self) -> float:
        return time.monotonic() - self._started

    def progress(self, done: int) -> None:
        self._tell(Event("progress", done=done, total=self._total))

    def note(self, message: str) -> None:
        self.said.append(message)
        self._tell(Event("note", message))

    def warning(self, message: str) -> None:
        self.said.append(message)
        self._tell(Event("warning", message))

    def done(self, report: Report) -> Report:
        self._tell(Event("done", str(report.output), report.frames, report.frames, {"report": report}))
        return report
