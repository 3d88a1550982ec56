"""A picture's or a clip's look as files for other programs: one LUT for all of it, or one a shot.

The palettes are those of all frames together, so a LUT is what `video` would bake if the whole shot were one window.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from streamct.color.cdl import Cdl, fit_cdl, format_cdl
from streamct.color.colormap import ColorMap, apply_to_srgb, color_map
from streamct.color.correspondence import correspond
from streamct.color.cube import Cube, Lattice, nodes, unit_lattice
from streamct.color.cube_text import format_3dl, format_cube
from streamct.color.histogram import Counter, Points
from streamct.color.lab import lab_to_srgb, srgb_to_lab
from streamct.color.lattice import HALD_LEVEL, hald, map_lattice
from streamct.color.palette import extract, extract_joint
from streamct.errors import OutputError, UsageError
from streamct.grade.lookfile import MapFile, MappedShot
from streamct.grade.mapped import MapBaker
from streamct.grade.regions import SPLIT_SHARES, Colours, Palettes, add_colours
from streamct.grade.sample import Look, Sampler, sample_picture
from streamct.grade.summed import Shot, ShotSum
from streamct.input_lut import picture_through_lut, read_cube, through_lut
from streamct.media.files import check_folder, check_target, written_whole
from streamct.media.image import PICTURE_EXTENSIONS, encode_png, read_picture
from streamct.media.probe import probe
from streamct.media.source import Source
from streamct.media.tags import PRIMARIES_NAMES
from streamct.media.trim import Trim
from streamct.metrics.delta_e import delta_e_2000
from streamct.model import Clip, Palette, Progress, Report
from streamct.moments import Moment, as_seconds
from streamct.parts import is_anywhere, trimmed
from streamct.references import Given, as_points, check_single, look, map_for, references
from streamct.run import (
    Teller,
    chosen_network,
    clip_mattes,
    picture_weights,
    region_palettes,
    segmented_by,
    telling,
)
from streamct.segment import Mask
from streamct.segment.given import PartMattes, mattes_for
from streamct.segment.matte import resized
from streamct.settings import Settings
from streamct.shot_list import ShotEntry, format_csv, format_edl, timecode
from streamct.tracks import small_size
from streamct.undivided import reference_undivided

if TYPE_CHECKING:
    from streamct.segment.deeplab import DeepLab

SIZES = (17, 33, 65)
_USUAL_SIZE = {".cube": 33, ".3dl": 17}
_ENDINGS = (".cube", ".3dl", ".png", ".cdl")
_HDR_TRANSFERS = {16: "PQ", 18: "HLG"}


@dataclass(frozen=True, slots=True)
class _Look:
    """What one file says. part: "", "foreground" or "background". mapping: None for a shot without a colour."""

    part: str
    mapping: ColorMap | None
    colours: Points


def write_luts(
    input: Path | str,
    reference: Given | None,
    output: Path | str | None = None,
    settings: Settings | None = None,
    *,
    map: Path | str | None = None,
    size: int | None = None,
    per_shot: bool = False,
    mask: Path | str | None = None,
    ref_mask: Path | str | None = None,
    start: Moment | None = None,
    stop: Moment | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Write the look that takes a picture or a clip to a reference as a LUT: R'G'B', sRGB/Rec.709, display-referred.

    reference: see `grade_video`. map: a map file, which says all there is to say; the input is not decoded then.

    output: its ending says what is written: .cube, .3dl, .png (a HALD picture of level 8, 16 bits) or .cdl (ASC CDL,
    best fit). None for `<stem>.cube` beside the input. size: nodes an axis, 17, 33 or 65; None for 33, in a .3dl 17.
    per_shot: a file for each shot, `<stem>.shot001.<timecode><ending>`, with `<stem>.edl` and `<stem>.csv`.
    start, stop: the part of the clip that the look is made from, see `grade_video`; a map's shots that reach there.
    With masks for both, foreground and background go into `<stem>.foreground<ending>` and `<stem>.background<ending>`.

    Returns: a report whose details list the `files` and, for ASC CDL, the mean CIEDE2000 it falls short (`cdl_error`).

    Raises:
        StreamctError: anything wrong with input, reference, masks, settings or output.
    """
    settings = settings or Settings()
    input = Path(input)
    asked = None if reference is None and map is not None else references(reference)
    output = Path(output) if output is not None else input.with_name(f"{input.stem}.cube")
    mask, ref_mask, map = (Path(m) if m is not None else None for m in (mask, ref_mask, map))
    began = time.monotonic()
    say = Teller(progress)
    if settings.mapping.assignment == "hard":
        say.note("hard assignment has borders between colours; a LUT blurs them, and soft assignment has none")
    is_picture = input.suffix.lower() in PICTURE_EXTENSIONS
    size = _checked(output, size, per_shot, is_picture)
    check_folder(output)
    clip = None if is_picture else _sdr(through_lut(probe(input), settings))
    if clip is None and (start, stop) != (None, None):
        raise UsageError("--from, --to: a picture has no time. Leave them out.")
    trim = None if clip is None else trimmed(clip, start, stop)
    first = None if settings.input.lut is None else read_cube(settings.input.lut)
    if first is not None and (per_shot or output.suffix.lower() == ".cdl"):
        say.note(f"ASC CDL can't hold {settings.input.lut}: it is the look behind it")
    sources = asked.paths if asked is not None else ()
    inputs = (input, *sources, *(p for p in (map, mask, ref_mask, settings.input.lut) if p is not None))
    towards = map.name if map is not None else asked.name if asked is not None else ""
    rate = None if clip is None else clip.rate
    writer = _Writer(output, size, _comments(input, towards, settings), per_shot, rate, first)
    if map is not None:
        if mask is not None:
            raise UsageError(f"--mask {mask}: the map {map} tells its regions apart already. Leave the mask out.")
        held = map_for(map, asked, ref_mask, ())
        if clip is not None:
            held = _shots_between(held, clip, start, stop)
        if not per_shot:
            check_single(held, map, "Add --per-shot, or --from and --to within one of them; or make a map with --whole")
        baker = MapBaker(held, settings)
        looks = [_map_looks(shot, baker) for shot in held.shots]
        end = held.shots[-1].stop or (clip.frames if clip is not None else 1) or held.shots[-1].start + 1
        spans = [(shot.start, end if shot.stop is None else shot.stop) for shot in held.shots]
        say.start(None)
        entries, files = writer.render(spans, looks, input.name)
        _written(files, inputs, overwrite)
        details = _details(entries, files, output, per_shot, say)
        elapsed = time.monotonic() - began
        said = sources[0] if sources else map
        frames = end - spans[0][0]
        return say.done(Report(input, said, next(iter(files)), frames, elapsed, "none", tuple(say.said), details))
    assert asked is not None
    network, settings, why = chosen_network(
        settings, say, needed=mask is None or ref_mask is None, given=(mask, ref_mask)
    )
    masked = mask is not None or network is not None
    seen = look(asked, settings, ref_mask, network, say.warning)
    wanted = region_palettes(seen.palettes, settings, masked)
    if (warning := reference_undivided(seen.palettes, seen.share, settings, masked, why)) is not None:
        say.warning(warning)
    apart = wanted.split is not None
    if clip is None:
        say.start(1)
        shots = [_picture_shot(input, settings, mask if apart else None, network if apart else None, say)]
        say.progress(1)
    else:
        shots = _clip_shots(clip, settings, mask if apart else None, network if apart else None, per_shot, say, trim)
    counter = Counter()
    looks = [_looks(shot, wanted, settings, counter) for shot in shots]
    entries, files = writer.render([(shot.start, shot.stop) for shot in shots], looks, input.name)
    _written(files, inputs, overwrite)
    details = _details(entries, files, output, per_shot, say)
    details |= segmented_by(network, settings, seen.segmenter, mask is None and apart and clip is not None)
    name = "matte" if mask is not None else network.name if network is not None else "none"
    frames = shots[-1].stop - shots[0].start
    elapsed = time.monotonic() - began
    return say.done(Report(input, sources[0], next(iter(files)), frames, elapsed, name, tuple(say.said), details))


def _written(files: dict[Path, bytes], inputs: tuple[Path, ...], overwrite: bool) -> None:
    for path in files:
        check_target(path, inputs, overwrite)
    for path, data in files.items():
        with written_whole(path) as temporary:
            temporary.write_bytes(data)


def _details(
    entries: Sequence[ShotEntry], files: dict[Path, bytes], output: Path, per_shot: bool, say: Teller
) -> dict[str, Any]:
    details: dict[str, Any] = {"files": [str(path) for path in files], "shots": len(entries)}
    errors = [error for entry in entries for error in entry.cdl_errors]
    if output.suffix.lower() == ".cdl":
        details["cdl_error"] = [round(error, 3) for error in errors]
        say.note(f"ASC CDL: mean CIEDE2000 to the whole look {max(errors):.2f}{' at worst' if per_shot else ''}")
    return details


def _shots_between(held: MapFile, clip: Clip, start: Moment | None, stop: Moment | None) -> MapFile:
    """The map with those of its shots that reach into a part of the clip."""
    low, high = as_seconds(start, "--from", clip), as_seconds(stop, "--to", clip)
    ends = [*(shot.seconds for shot in held.shots[1:]), math.inf]
    kept = [
        shot
        for shot, end in zip(held.shots, ends, strict=True)
        if (low is None or end > low) and (high is None or shot.seconds < high)
    ]
    return held.model_copy(update={"shots": kept})


def _map_looks(shot: MappedShot, baker: MapBaker) -> list[_Look]:
    """As `_looks`: two files where most of the way foreground and background go apart."""
    parts = baker.graded(shot)
    looks = []
    for part in parts:
        found = shot.region(part)
        points = Points(np.empty((0, 3)), np.empty(0, np.int64))
        if found is not None:
            alone = Points(found.held.sources, np.ones(len(found.held), np.int64))
            points = alone if found.palette is None else as_points(found.palette)
        looks.append(_Look("" if part == "whole" else part, baker.mapping(shot, part), points))
    return looks


def _checked(output: Path, size: int | None, per_shot: bool, is_picture: bool) -> int:
    ending = output.suffix.lower()
    if ending not in _ENDINGS:
        raise OutputError(
            f"{output}: {ending or 'a name without an ending'} is no LUT that can be written. "
            f"Name it {', '.join(_ENDINGS[:-1])} or {_ENDINGS[-1]}."
        )
    if size is not None and ending not in _USUAL_SIZE:
        raise UsageError(f"--size {size}: a {ending} file has no nodes to choose. Leave it out.")
    if size is not None and size not in SIZES:
        raise UsageError(f"--size {size}: should be {', '.join(map(str, SIZES[:-1]))} or {SIZES[-1]}.")
    if per_shot and is_picture:
        raise UsageError("--per-shot: a picture has no shots. Leave it out.")
    return size or _USUAL_SIZE.get(ending, HALD_LEVEL**2)


def _sdr(clip: Clip) -> Clip:
    kind = _HDR_TRANSFERS.get(clip.tags.transfer)
    if kind is not None:
        raise UsageError(f"{clip.path}: is {kind}; LUT files are written for Rec.709/sRGB. Convert it first.")
    if clip.coding.primaries != "bt709":
        name = PRIMARIES_NAMES[clip.coding.primaries]
        raise UsageError(
            f"{clip.path}: has {name} primaries; LUT files are written for Rec.709/sRGB. Convert it first."
        )
    return clip


def _picture_shot(path: Path, settings: Settings, mask: Path | None, network: DeepLab | None, say: Teller) -> Shot:
    rgb = picture_through_lut(read_picture(path).rgb, settings)
    matte = picture_weights(rgb, mask, network, say)
    source = None if matte is None else lambda width, height: resized(matte, width, height)
    return Shot(0, 1, 0, 0, sample_picture(rgb, source, settings.palette, Counter()))


def _clip_shots(
    clip: Clip,
    settings: Settings,
    mask: Path | None,
    network: DeepLab | None,
    per_shot: bool,
    say: Teller,
    trim: Trim | None,
) -> list[Shot]:
    """The clip's colours, or those of a part of it, every frame looked at as the render does."""
    source = Source(clip, trim=trim)
    given = telling(mattes_for(mask, source, trim), say)
    mattes = clip_mattes(clip, settings, given, network if mask is None else None)
    sampler = Sampler(clip.format, clip.coding, settings.palette, small_size(clip, mattes, settings))
    total = ShotSum(per_shot)
    shots: list[Shot] = []
    done = 0

    def take(look: Look, matte: Mask | None) -> None:
        if trim is None or look.index in trim.wanted:
            shots.extend(total.push(sampler.count(look, matte)))

    of_part = isinstance(given, PartMattes)
    if trim is not None:
        trim.prepare(mattes.support + 1, is_anywhere(None if of_part else mask, None, False))
    with ExitStack() as stack:
        stack.callback(mattes.close)
        reader = source.reader(tolerate=False)
        stack.callback(reader.close)
        say.start(clip.frames if trim is None else trim.frames)
        for frame in reader:
            for look, matte in mattes.push(sampler.look(frame)):
                take(look, matte)
            done += 1
            say.progress(done if trim is None else len(trim.wanted))
        for look, matte in mattes.finish():
            take(look, matte)
        if trim is None or of_part:
            given.end(done if trim is None else len(trim.wanted))
    for line in reader.warnings:
        say.warning(line)
    shots += total.finish()
    if trim is None or trim.opened is None:
        return shots
    moved = trim.skipped - trim.opened.index
    return [replace(shot, start=shot.start + moved, stop=shot.stop + moved) for shot in shots]


def _comments(input: Path, reference: str, settings: Settings) -> list[str]:
    used = {"palette": settings.palette, "mapping": settings.mapping}
    rec709 = "R'G'B' 0..1 full range, Rec.709/sRGB primaries, display-referred"
    first = settings.input.lut
    ends = [f"Input and output: {rec709}"]
    if first is not None:
        ends = [f"Input: what {first.name} takes, which comes first", f"Output: {rec709}"]
    return [
        f"streamct {version('streamct')}: {input.name} towards {reference}",
        *ends,
        *(f"{section}: {values.model_dump_json()}" for section, values in used.items()),
    ]


class _Writer:
    """Renders files in memory, so that all of them are there before the first is written."""

    def __init__(
        self,
        output: Path,
        size: int,
        comments: list[str],
        per_shot: bool,
        rate: Fraction | None,
        first: Cube | None = None,
    ) -> None:
        self._output = output
        self._size = size
        self._comments = comments
        self._per_shot = per_shot
        self._rate = rate
        self._first = first

    def render(
        self, spans: Sequence[tuple[int, int]], looks: Sequence[Sequence[_Look]], name: str
    ) -> tuple[list[ShotEntry], dict[Path, bytes]]:
        """The shots [start, stop) as a list has them, and the files by path, those that the user asked for first."""
        files: dict[Path, bytes] = {}
        entries = []
        for number, ((start, stop), of_shot) in enumerate(zip(spans, looks, strict=True), 1):
            paths, cdls, errors = [], [], []
            for one in of_shot:
                path = self._path(number, start, one.part)
                paths.append(path.name)
                cdl = error = None
                if self._per_shot or path.suffix.lower() == ".cdl":
                    cdl, error = _fitted(one)
                    cdls.append(cdl)
                    errors.append(error)
                files[path] = self._data(one, path, cdl, error)
            entries.append(ShotEntry(number, start, stop, tuple(paths), tuple(cdls), tuple(errors)))
        if self._per_shot:
            title = self._output.stem
            files[self._output.with_suffix(".edl")] = format_edl(entries, title, name, self._rate).encode()
            files[self._output.with_suffix(".csv")] = format_csv(entries, self._rate).encode()
        return entries, files

    def _path(self, number: int, start: int, part: str) -> Path:
        names = [self._output.stem]
        if self._per_shot:
            names += [f"shot{number:03d}", timecode(start, self._rate).replace(":", "-")]
        if part:
            names.append(part)
        return self._output.with_name(".".join(names) + self._output.suffix)

    def _data(self, look: _Look, path: Path, cdl: Cdl | None, error: float | None) -> bytes:
        ending = path.suffix.lower()
        comments = [*self._comments, *([f"region: {look.part}"] if look.part else [])]
        if ending == ".cdl":
            assert cdl is not None
            text = f"{comments[0]}; best fit, mean CIEDE2000 to the whole look {error:.2f}"
            return format_cdl(cdl, path.stem, text).encode()
        lattice = _lattice(look.mapping, self._size, self._first)
        if ending == ".cube":
            return format_cube(lattice, path.stem, comments).encode()
        if ending == ".3dl":
            return format_3dl(lattice, comments).encode()
        return encode_png(hald(lattice))


def _lattice(mapping: ColorMap | None, size: int, first: Cube | None) -> Lattice:
    """first: what comes before the map."""
    if first is None:
        return unit_lattice(nodes(size)) if mapping is None else map_lattice(mapping, size)
    table = first(nodes(size))
    if mapping is not None:
        flat = table.reshape(size * size, size, 3).astype(np.float32)
        table = apply_to_srgb(mapping, flat).astype(np.float64).reshape(table.shape)
    return unit_lattice(table)


def _looks(shot: Shot, wanted: Palettes, settings: Settings, counter: Counter) -> list[_Look]:
    """The maps of a shot: of its foreground and background where both sides have a split, else one."""

    def of(part: str, colours: Colours, reference: Palette) -> _Look:
        points = add_colours([colours], [1], counter)
        if not len(points.lab):
            return _Look(part, None, points)
        own = (extract if shot.joined == 1 else extract_joint)(points, settings.palette)
        return _Look(part, color_map(correspond(own, reference, settings.mapping), settings.mapping), points)

    regions = shot.regions
    split = SPLIT_SHARES[0] <= regions.share <= SPLIT_SHARES[1]
    if wanted.split is None or regions.foreground is None or regions.background is None or not split:
        return [of("", regions.whole, wanted.whole)]
    sides = {
        "fg": of("foreground", regions.foreground, wanted.split[0]),
        "bg": of("background", regions.background, wanted.split[1]),
    }
    return [sides[side] for side in sides if settings.mapping.regions in (side, "both")]


def _fitted(look: _Look) -> tuple[Cdl, float]:
    """The nearest CDL, and its mean CIEDE2000 to the map over the shot's colours."""
    if look.mapping is None or not len(look.colours.lab):
        one = np.ones(3)
        return Cdl(one, np.zeros(3), one, 1.0), 0.0
    rgb = np.clip(lab_to_srgb(look.colours.lab), 0, 1)
    target = apply_to_srgb(look.mapping, rgb.astype(np.float32)[None])[0].astype(np.float64)
    weights = look.colours.weights.astype(np.float64)
    cdl = fit_cdl(rgb, target, weights)
    apart = delta_e_2000(srgb_to_lab(cdl(rgb)), srgb_to_lab(target))
    return cdl, float(apart @ weights / weights.sum())
