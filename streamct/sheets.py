"""Preview sheets: some frames of a picture or a clip, graded as the render grades them, on one PNG."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from streamct.color.colormap import color_map
from streamct.color.correspondence import correspond
from streamct.color.histogram import Counter
from streamct.color.palette import extract
from streamct.errors import OutputError, ReferenceError, UsageError
from streamct.grade.cutlist import read_cuts
from streamct.grade.regions import SPLIT_SHARES, Colours, Regions, add_colours
from streamct.grade.sample import sample_picture
from streamct.input_lut import picture_through_lut, through_lut
from streamct.media.excerpts import Excerpt
from streamct.media.files import check_target
from streamct.media.image import PICTURE_EXTENSIONS, read_picture, save_png
from streamct.media.probe import probe
from streamct.media.trim import Trim
from streamct.model import Palette, Progress, Report
from streamct.moments import Moment, as_seconds
from streamct.previewer import Masked, Previewer, Row, Wanted, picture_size
from streamct.run import Teller, chosen_network, no_split, picture_look, region_palettes
from streamct.segment.matte import resized, still_matte
from streamct.segment.still import picture_full, picture_mask
from streamct.settings import Settings
from streamct.sheet import Heading, Match, Pair, Picture, fit, pair_sheet, variant_sheet
from streamct.stills import grade_array

USUAL_FRAMES, USUAL_VARIANT_FRAMES = 4, 2
MOST_FRAMES, MOST_VARIANTS = 24, 24

Variant = tuple[str, Settings]
"""What it is called on the sheet, and its settings."""


def write_sheet(
    input: Path | str,
    reference: Path | str,
    output: Path | str | None = None,
    settings: Settings | None = None,
    *,
    frames: int | None = None,
    at: Sequence[str] = (),
    start: Moment | None = None,
    stop: Moment | None = None,
    variants: Sequence[Variant] = (),
    mask: Path | str | None = None,
    ref_mask: Path | str | None = None,
    cuts: Path | str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Write a PNG that shows what `grade_video` or `grade_picture` would make of some frames.

    output: None for `<stem>.preview.png` beside the input. frames: how many, spread over what the clip shows between
    `start` and `stop`; None for 4, with variants 2. at: times instead, `[[hh:]mm:]ss[.fff]` after the first frame;
    shown is the frame that a player shows then. variants: show these settings side by side instead of `settings`.
    mask, ref_mask, cuts: as `grade_video` takes them. In the mode `shot` the shots of the frames are looked through.
    Colours beyond sRGB (HDR, BT.2020) are clipped on the sheet.

    Raises:
        StreamctError: anything wrong with input, reference, masks, times or output.
    """
    settings = settings or Settings()
    input, reference = Path(input), Path(reference)
    mask, ref_mask, cuts = (Path(p) if p is not None else None for p in (mask, ref_mask, cuts))
    output = Path(output) if output is not None else input.with_name(f"{input.stem}.preview.png")
    if output.suffix.lower() != ".png":
        raise OutputError(f"{output}: a sheet is written as PNG. Name the file .png.")
    if len(variants) > MOST_VARIANTS:
        raise UsageError(f"{len(variants)} variants are more than a sheet holds ({MOST_VARIANTS}). Leave some out.")
    count = frames or (USUAL_VARIANT_FRAMES if variants else USUAL_FRAMES)
    if not 1 <= count <= MOST_FRAMES or len(at) > MOST_FRAMES:
        raise UsageError(f"{max(count, len(at))} frames: a sheet holds 1 to {MOST_FRAMES}.")
    began = time.monotonic()
    say = Teller(progress)
    files = (reference, mask, ref_mask, cuts, settings.input.lut)
    check_target(output, (input, *(path for path in files if path is not None)), overwrite)
    network, settings = chosen_network(settings, say, needed=mask is None or ref_mask is None)
    named = [(name, s.model_copy(update={"segment": settings.segment})) for name, s in variants] or [("", settings)]
    rgb = read_picture(reference, ReferenceError).rgb
    matte = still_matte(ref_mask) if ref_mask is not None else None
    if matte is None and network is not None:
        matte = picture_mask(rgb, network)
    chosen = []
    for _, own in named:
        palettes, share = picture_look(rgb, own, matte)
        chosen.append(Wanted(own, region_palettes(palettes, own, mask is not None or network is not None)))
    if chosen[0].palettes.split is None and (mask is not None or network is not None):
        say.warning(no_split(share if matte is not None else None))
    masked = Masked(mask, network)
    if input.suffix.lower() in PICTURE_EXTENSIONS:
        if at or (start, stop) != (None, None):
            raise UsageError("--at, --from, --to: a picture has no time. Leave them out.")
        rows, colours = _picture_rows(picture_through_lut(read_picture(input).rgb, settings), chosen, masked)
    else:
        clip = through_lut(probe(input), settings)
        if clip.coding.transfer != "srgb":
            say.note("the sheet is sRGB: what is brighter than diffuse white is cut off there, and only there")
        low, high = as_seconds(start, "--from", clip), as_seconds(stop, "--to", clip)
        if (low, high) != (None, None):
            Trim(clip, low, high)  # which says what is wrong with them
        listed = None
        if cuts is not None:
            with Excerpt(clip) as excerpt:
                listed = read_cuts(cuts, clip, excerpt.first)
        rows, colours = Previewer(clip, chosen, say, masked, listed, low, high).rows(count, at)
    names = [path.name for path in (mask, ref_mask) if path is not None]
    heading = Heading(f"{input.name} → {reference.name}", _described(settings, bool(variants), names))
    if variants:
        grid = [(row.label, row.source, list(zip([n for n, _ in named], row.graded, strict=True))) for row in rows]
        sheet = variant_sheet(heading, grid, rgb)
    else:
        pairs = [Pair(r.source, r.graded[0], r.label) for r in rows]
        sheet = pair_sheet(heading, pairs, rgb, _matches(colours, chosen[0]))
    save_png(output, sheet)
    details = {"times": [row.label for row in rows], "width": sheet.shape[1], "height": sheet.shape[0]}
    elapsed = time.monotonic() - began
    name = "matte" if mask is not None else network.name if network is not None else "none"
    return say.done(Report(input, reference, output, len(rows), elapsed, name, tuple(say.said), details))


def _described(settings: Settings, variants: bool, masks: Sequence[str]) -> str:
    m, t = settings.mapping, settings.time
    if variants:
        return "variants; what they do not name is as given or by default"
    parts = [
        f"{m.correspondence}, {m.propagation}, {m.assignment}", f"strength {m.strength:g}", f"chroma {m.chroma:g}",
        f"lightness {m.alpha:g}", f"palette {settings.palette.size}",
        *([f"reach {m.reach:g}"] if m.reach is not None else []),
        *(["skin protected"] if m.protect_skin else []),
        *([f"regions {m.regions}"] if masks or settings.segment.segmenter != "none" else []),
        *([f"masks {' and '.join(masks)}"] if masks else []),
        *([settings.segment.segmenter] if settings.segment.segmenter != "none" else []),
        *([f"behind {settings.input.lut.name}"] if settings.input.lut is not None else []),
        f"window ±{t.radius} frames" if t.mode == "window" else f"temporal {t.mode}",
    ]  # fmt: skip
    return " · ".join(parts)


def _picture_rows(rgb: Picture, chosen: Sequence[Wanted], masked: Masked) -> tuple[list[Row], list[Regions]]:
    """A picture's one row: graded in full, then scaled."""
    size = picture_size(rgb.shape[1] / rgb.shape[0], len(chosen) > 1)
    matte = None
    if chosen[0].palettes.split is not None and masked.path is not None:
        matte = still_matte(masked.path)
    elif chosen[0].palettes.split is not None and masked.network is not None:
        matte = picture_full(picture_mask(rgb, masked.network), rgb)
    graded = [fit(grade_array(rgb, one.palettes, one.settings, matte), *size) for one in chosen]
    source = None if matte is None else lambda width, height: resized(matte, width, height)
    colours = sample_picture(rgb, source, chosen[0].settings.palette, Counter())
    return [Row("picture", fit(rgb, *size), graded)], [colours]


def _matches(colours: Sequence[Regions], wanted: Wanted) -> list[Match]:
    """How the palettes meet: of the whole picture, or of the regions that are graded apart."""
    fronts = [r.foreground for r in colours if r.foreground is not None]
    backs = [r.background for r in colours if r.background is not None]
    shares = [r.share for r in colours if r.foreground is not None]
    apart = bool(fronts) and SPLIT_SHARES[0] <= sum(shares) / len(shares) <= SPLIT_SHARES[1]
    if wanted.palettes.split is None or not apart:
        return [_match([r.whole for r in colours], wanted.palettes.whole, wanted.settings, "", "")]
    sides = (
        ("fg", "foreground", fronts, wanted.palettes.split[0]),
        ("bg", "background", backs, wanted.palettes.split[1]),
    )
    regions = wanted.settings.mapping.regions
    one = wanted.palettes.split[0] is wanted.palettes.split[1]
    return [
        _match(own, other, wanted.settings, name, "" if one else name)
        for key, name, own, other in sides
        if regions in (key, "both")
    ]


def _match(colours: Sequence[Colours], reference: Palette, settings: Settings, region: str, of_reference: str) -> Match:
    own = extract(add_colours(colours, [1] * len(colours), Counter()), settings.palette)
    met = correspond(own, reference, settings.mapping)
    return Match(own, reference, met, color_map(met, settings.mapping)(own.colours), region, of_reference)
