"""Preview sheets: some frames of a picture or a clip, graded as the render grades them, on one PNG."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

from streamct.by_map import map_picture, unmasked
from streamct.color.colormap import color_map, shown_colours
from streamct.color.correspondence import Correspondence, correspond
from streamct.color.histogram import Counter
from streamct.color.palette import extract, extract_joint
from streamct.errors import OutputError, UsageError
from streamct.grade.cutlist import idle, read_cuts
from streamct.grade.foreground import Foreground
from streamct.grade.lookfile import MapFile
from streamct.grade.mapped import MapBaker, shown_palette
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
from streamct.previewer import Masked, Previewer, Row, Variant, picture_size
from streamct.references import Given, References, Wanted, check_single, look, map_for, references, swatches
from streamct.run import Teller, chosen_network, picture_weights, region_palettes
from streamct.segment.matte import resized
from streamct.settings import Settings
from streamct.sheet import Heading, Match, Pair, Picture, fit, outlined, pair_sheet, share_told, variant_sheet
from streamct.stills import grade_array
from streamct.undivided import check_regions, clip_undivided, reference_undivided

USUAL_FRAMES, USUAL_VARIANT_FRAMES = 4, 2
MOST_FRAMES, MOST_VARIANTS = 24, 24

Named = tuple[str, Settings]
"""What a variant is called on the sheet, and its settings."""


def write_sheet(
    input: Path | str,
    reference: Given | None,
    output: Path | str | None = None,
    settings: Settings | None = None,
    *,
    map: Path | str | None = None,
    frames: int | None = None,
    at: Sequence[str] = (),
    start: Moment | None = None,
    stop: Moment | None = None,
    variants: Sequence[Named] = (),
    mask: Path | str | None = None,
    ref_mask: Path | str | None = None,
    cuts: Path | str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Write a PNG that shows what `grade_video` or `grade_picture` would make of some frames.

    reference, map, mask, ref_mask, cuts: as `grade_video` takes them. output: None for `<stem>.preview.png` beside the
    input. frames: how many, spread over what the clip shows between `start` and `stop`; None for 4, with variants 2.
    at: times instead, `[[hh:]mm:]ss[.fff]` after the first frame; shown is the frame that a player shows then.
    variants: show these settings side by side instead of `settings`. In the mode `shot` the shots of the frames are
    looked through. Colours beyond sRGB (HDR, BT.2020) are clipped on the sheet.

    Raises:
        StreamctError: anything wrong with input, reference, map, masks, times or output.
    """
    settings = settings or Settings()
    input = Path(input)
    asked = None if reference is None and map is not None else references(reference)
    map, mask, ref_mask, cuts = (Path(p) if p is not None else None for p in (map, mask, ref_mask, cuts))
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
    files = (*(asked.paths if asked is not None else ()), map, mask, ref_mask, cuts, settings.input.lut)
    check_target(output, (input, *(path for path in files if path is not None)), overwrite)
    is_picture = input.suffix.lower() in PICTURE_EXTENSIONS
    held = None if map is None else map_for(map, asked, ref_mask, (cuts,))
    if held is not None and map is not None and is_picture:
        check_single(held, map)
    needed = mask is None and MapBaker(held, settings).splits if held is not None else mask is None or ref_mask is None
    network, settings, why = chosen_network(settings, say, needed=needed, given=(mask, ref_mask))
    named = [(name, s.model_copy(update={"segment": settings.segment})) for name, s in variants] or [("", settings)]
    masked = Masked(mask, network)
    if held is not None and map is not None:
        chosen, shown = _by_map(held, map, named, masked, say), _seen_of(held, asked, settings, say)
    else:
        assert asked is not None
        chosen, shown = _by_references(asked, named, ref_mask, masked, say, why)
    if is_picture:
        if at or (start, stop) != (None, None):
            raise UsageError("--at, --from, --to: a picture has no time. Leave them out.")
        rows, colours = _picture_rows(picture_through_lut(read_picture(input).rgb, settings), chosen, masked, say)
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
            if network is None and all(own.time.mode == "off" for _, own in named):
                say.warning(idle(cuts))
        rows, colours = Previewer(clip, chosen, say, masked, listed, low, high).rows(count, at)
    if (warning := _undivided(colours, chosen[0], is_picture)) is not None:
        say.warning(warning)
    towards = map.name if map is not None else asked.name if asked is not None else ""
    names = [path.name for path in (mask, ref_mask) if path is not None]
    heading = Heading(f"{input.name} → {towards}", _described(chosen[0], bool(variants), names, held is not None))
    if variants:
        called = [name for name, _ in named]
        grid = [
            (f"{r.label}{share_told(r.matte)}", outlined(r.source, r.matte), list(zip(called, r.graded, strict=True)))
            for r in rows
        ]
        sheet = variant_sheet(heading, grid, shown)
    else:
        pairs = [Pair(r.source, r.graded[0], r.label, r.matte) for r in rows]
        matches = (
            _map_matches(chosen[0].baker)
            if chosen[0].baker is not None
            else _matches(colours, chosen[0], len(rows) > 1)
        )
        sheet = pair_sheet(heading, pairs, shown, matches)
    save_png(output, sheet)
    details = {"times": [row.label for row in rows], "width": sheet.shape[1], "height": sheet.shape[0]}
    elapsed = time.monotonic() - began
    name = "matte" if mask is not None else network.name if network is not None else "none"
    said = asked.paths[0] if asked is not None else map
    assert said is not None
    return say.done(Report(input, said, output, len(rows), elapsed, name, tuple(say.said), details))


def _undivided(colours: Sequence[Regions], variant: Variant, is_picture: bool) -> str | None:
    """A warning where the masks of all that was looked at hold nothing or all of it."""
    foreground = Foreground()
    for seen in colours:
        foreground.add(seen)
    share = foreground.share
    if share is None or not variant.splits or foreground.between or SPLIT_SHARES[0] <= share <= SPLIT_SHARES[1]:
        return None
    what = "picture" if is_picture else "frames that were looked at"
    return clip_undivided(share, what, variant.settings.mapping.regions)


def _by_references(
    asked: References, named: Sequence[Named], ref_mask: Path | None, masked: Masked, say: Teller, why: str | None
) -> tuple[list[Variant], Picture]:
    """The variants with the references' palettes, and the references to look at. why: see `Chosen`."""
    seen: dict[str, Wanted] = {}
    chosen = []
    for _, own in named:
        key = own.palette.model_dump_json()
        if key not in seen:
            seen[key] = look(asked, own, ref_mask, masked.network, *([] if seen else [say.warning]))
        chosen.append(Variant(own, region_palettes(seen[key].palettes, own, masked.any)))
    first = next(iter(seen.values()))
    own = chosen[0].settings
    if (warning := reference_undivided(first.palettes, first.share, own, masked.any, why)) is not None:
        say.warning(warning)
    return chosen, first.picture


def _by_map(held: MapFile, path: Path, named: Sequence[Named], masked: Masked, say: Teller) -> list[Variant]:
    chosen = []
    for _, own in named:
        check_regions(own, masked.any)
        own = own.updated(time__mode="window")  # steadies masks; the grades are the map's
        chosen.append(Variant(own, baker=MapBaker(held, own, split=masked.any)))
    if (warning := unmasked(held, chosen[0].settings, chosen[0].splits, masked.path is not None)) is not None:
        say.warning(f"{path}: {warning}")
    return chosen


def _seen_of(held: MapFile, asked: References | None, settings: Settings, say: Teller) -> Picture:
    """What a map wants, to look at: its references where they are given too, else its palette."""
    if asked is not None:
        return look(asked, settings, warn=say.warning).picture
    wanted = held.wanted()
    if wanted is not None:
        return swatches(wanted.whole)
    return swatches(shown_palette(next(m for shot in held.shots for m in shot.mappings)))


def _described(variant: Variant, variants: bool, masks: Sequence[str], mapped: bool) -> str:
    settings = variant.settings
    m, t = settings.mapping, settings.time
    if variants:
        return "variants; what they do not name is as given or by default"
    parts = [
        f"{m.correspondence}, {m.propagation}, {m.assignment}", f"strength {m.strength:g}", f"chroma {m.chroma:g}",
        f"lightness {m.alpha:g}",
        *([] if mapped else [f"palette {settings.palette.size}"]),
        *([f"reach {m.reach:g}"] if m.reach is not None else []),
        *(["skin protected"] if m.protect_skin else []),
        *_regions(variant, masks),
        *([f"behind {settings.input.lut.name}"] if settings.input.lut is not None else []),
        "by a map" if mapped else f"window ±{t.radius} frames" if t.mode == "window" else f"temporal {t.mode}",
    ]  # fmt: skip
    return " · ".join(parts)


def _regions(variant: Variant, masks: Sequence[str]) -> list[str]:
    """What tells regions apart, for the heading; where something should and can't, that they are one."""
    segmenter = variant.settings.segment.segmenter
    told = [*([f"masks {' and '.join(masks)}"] if masks else []), *([segmenter] if segmenter != "none" else [])]
    if not told:
        return []
    return [f"regions {variant.settings.mapping.regions}", *told] if variant.splits else ["one region"]


def _picture_rows(
    rgb: Picture, chosen: Sequence[Variant], masked: Masked, say: Teller
) -> tuple[list[Row], list[Regions]]:
    """A picture's one row: graded in full, then scaled."""
    size = picture_size(rgb.shape[1] / rgb.shape[0], len(chosen) > 1)
    split = any(one.splits for one in chosen)
    matte = picture_weights(rgb, masked.path, masked.network, say, full=True) if split else None
    graded = [
        fit(
            grade_array(rgb, one.reference, one.settings, matte)
            if one.baker is None
            else map_picture(rgb, one.baker, matte),
            *size,
        )
        for one in chosen
    ]
    source = None if matte is None else lambda width, height: resized(matte, width, height)
    colours = sample_picture(rgb, source, chosen[0].settings.palette, Counter())
    shown = fit(rgb, *size)
    small = None if matte is None else resized(matte, shown.shape[1], shown.shape[0])
    return [Row("picture", shown, graded, small)], [colours]


def _matches(colours: Sequence[Regions], variant: Variant, joint: bool) -> list[Match]:
    """How the palettes meet: of the whole picture, or of the regions that are graded apart. joint: of several shots."""
    fronts = [r.foreground for r in colours if r.foreground is not None]
    backs = [r.background for r in colours if r.background is not None]
    shares = [r.share for r in colours if r.foreground is not None]
    apart = bool(fronts) and SPLIT_SHARES[0] <= sum(shares) / len(shares) <= SPLIT_SHARES[1]
    reference = variant.reference
    if reference.split is None or not apart:
        return [_match([r.whole for r in colours], reference.whole, variant.settings, joint, "", "")]
    sides = (("fg", "foreground", fronts, reference.split[0]), ("bg", "background", backs, reference.split[1]))
    regions = variant.settings.mapping.regions
    one = reference.split[0] is reference.split[1]
    return [
        _match(own, other, variant.settings, joint, name, "" if one else name)
        for key, name, own, other in sides
        if regions in (key, "both")
    ]


def _match(
    colours: Sequence[Colours], reference: Palette, settings: Settings, joint: bool, region: str, of_reference: str
) -> Match:
    own = (extract_joint if joint else extract)(add_colours(colours, [1] * len(colours), Counter()), settings.palette)
    met = correspond(own, reference, settings.mapping)
    return Match(own, reference, met, color_map(met, settings.mapping)(own.colours), region, of_reference)


def _map_matches(baker: MapBaker) -> list[Match]:
    """The palettes of a map's longest shot, and what they become."""
    told = [shot for shot in baker.map.shots if shot.mappings]
    shot = max(told, key=lambda s: s.stop - s.start if s.stop is not None else math.inf, default=None)
    if shot is None:
        return []
    out = []
    for part in baker.graded(shot):
        found, mapping = shot.region(part), baker.mapping(shot, part)
        if found is None or mapping is None:
            continue
        own = shown_palette(found)
        goals = shown_colours(mapping, own.colours)
        reference = baker.reference(part) or own
        region = "" if part == "whole" else part
        out.append(Match(own, reference, Correspondence(own.colours, goals), goals, region, region))
    return out
