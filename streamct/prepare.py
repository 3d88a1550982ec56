"""What is asked of a run over a clip, and all that has to be known before its first frame is graded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from streamct.by_map import unmasked
from streamct.comparison import USUAL_SECONDS, Comparison, preview_path
from streamct.errors import UsageError
from streamct.grade.cutlist import beyond, idle
from streamct.grade.foreground import Foreground
from streamct.grade.mapped import MapBaker
from streamct.grade.mattes import Mattes
from streamct.grade.regions import Palettes
from streamct.grading import Held, reach
from streamct.media.files import check_target
from streamct.media.masks import check_mask_folder
from streamct.media.output import OutputPlan, resolve_output
from streamct.media.picture_writer import check_pictures
from streamct.media.sequence import SEQUENCE
from streamct.media.source import Source
from streamct.media.trim import Trim
from streamct.model import Report
from streamct.moments import Moment, as_seconds
from streamct.parts import is_anywhere, trimmed
from streamct.references import Given, References, Wanted, look, map_for, references
from streamct.run import (
    Teller,
    chosen_network,
    clip_mattes,
    region_palettes,
    segmented_by,
    telling,
)
from streamct.segment import GivenMattes
from streamct.segment.deeplab import DeepLab
from streamct.segment.given import PartMattes, mattes_for
from streamct.segment.none import NoSegmenter
from streamct.settings import Settings
from streamct.tracks import Tracks
from streamct.undivided import check_regions, never_split, reference_undivided


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a run; see `streamct.pipeline.grade_video`.

    reference: None with a `map`, which has its own. seen: what `streamct.references.look` gave for this reference,
    which spares making it again.
    """

    input: Path
    reference: Given | None
    output: Path | None = None
    settings: Settings = field(default_factory=Settings)
    map: Path | None = None
    mask: Path | None = None
    ref_mask: Path | None = None
    save_masks: Path | None = None
    cuts: Path | None = None
    track: Path | None = None
    save_track: Path | None = None
    overwrite: bool = False
    stream: int | None = None
    rate: Fraction | float | str | None = None
    hwaccel: str | None = None
    tolerate_corrupt: bool = False
    start: Moment | None = None
    stop: Moment | None = None
    compare: Comparison | None = None
    seen: Wanted | None = None

    @property
    def references(self) -> References | None:
        """What the wanted colours come from, None where a map says it.

        Raises:
            UsageError: neither is given.
        """
        return None if self.reference is None and self.map is not None else references(self.reference)

    @property
    def colours(self) -> Path:
        """The first of their files, for the report."""
        wanted = self.references
        if wanted is not None:
            return wanted.paths[0]
        assert self.map is not None
        return self.map


@dataclass(slots=True)
class Prepared:
    """A run that may begin. plan: of the output. settings: with nothing left open about the segmenter. palettes: of
    the reference; held: the map instead. given: the user's mattes, or none. network: the segmenter, None without one.
    used: whether masks matter. mattes: of the clip, to be closed. trim: the part that is written, None for all;
    anywhere: reading may begin in the middle of the clip. reference: what told the reference's foreground."""

    plan: OutputPlan
    settings: Settings
    palettes: Palettes | None
    held: Held | None
    kept: Tracks
    given: GivenMattes
    network: DeepLab | None
    used: bool
    mattes: Mattes
    trim: Trim | None = None
    anywhere: bool = False
    reference: str = "none"

    def details(self, source: Source, frames: int, seconds: float) -> dict[str, Any]:
        """What a report says beside the main facts."""
        clip, plan = source.clip, self.plan
        details: dict[str, Any] = {
            "width": clip.width,
            "height": clip.height,
            "encoder": plan.encoder,
            "pix_fmt": plan.pix_fmt,
            "options": plan.options,
            "fps": round(frames / max(seconds, 1e-6), 2),
            "engine": "local",
            "workers": 1,
            "spans": 1,
        }
        frames_seen = self.network is not None and self.mattes.name == self.network.name
        return details | segmented_by(self.network, self.settings, self.reference, frames_seen)


def prepare(source: Source, asked: Request, say: Teller) -> Prepared:
    """Check all that can be checked before anything is decoded, and look at the reference.

    Raises:
        StreamctError: anything wrong with input, reference, masks, settings or output.
    """
    reference = asked.references
    clip, settings, mask, ref_mask, save_masks = (
        source.clip, asked.settings, asked.mask, asked.ref_mask, asked.save_masks
    )  # fmt: skip
    if asked.map is not None:
        settings = settings.updated(time__mode="window")  # shots and grades are the map's, in one pass
    compare, stop = asked.compare, asked.stop
    plan = resolve_output(clip if compare is None else compare.shape(clip), asked.output, settings.output)
    if compare is not None:
        stop = stop if stop is not None else (as_seconds(asked.start, "--from", clip) or 0) + USUAL_SECONDS
        if asked.output is None:
            plan = replace(plan, path=preview_path(asked.input, plan.path.suffix))
    map = (
        None
        if asked.map is None
        else map_for(asked.map, reference, ref_mask, (asked.cuts, asked.track, asked.save_track))
    )
    wanted = reference.paths if reference is not None else ()
    others = (
        *wanted,
        *(p for p in (asked.map, mask, ref_mask, asked.cuts, asked.track, settings.input.lut) if p is not None),
    )
    if plan.container == SEQUENCE:
        check_pictures(clip, plan.path, others, asked.overwrite)
    elif not plan.piped:
        check_target(plan.path, (asked.input, *others), asked.overwrite)
    kept = Tracks(source, settings, asked.cuts, asked.track, asked.save_track)
    kept.check((asked.input, *others, plan.path), mask is not None, asked.overwrite)
    trim = trimmed(clip, asked.start, stop, asked.save_track)
    for note in source.notes:
        say.note(note)
    for note in plan.notes:
        say.note(note)
    if save_masks is not None:
        if mask is None and settings.segment.segmenter == "none":
            raise UsageError("--save-masks: there are no masks to save. Add --segmenter auto, or --mask.")
        check_mask_folder(save_masks, asked.overwrite, (asked.input, *others, plan.path))
    given = telling(mattes_for(mask, source, trim), say)
    if map is not None:
        needed = mask is None and MapBaker(map, settings).splits
    else:
        needed = mask is None or ref_mask is None
    unsaved = "" if save_masks is None or mask is not None else f" No masks are saved in {save_masks}."
    network, settings, why = chosen_network(settings, say, needed, unsaved, given=(mask, ref_mask))
    masked = mask is not None or network is not None
    palettes, held, told_by = None, None, "none"
    if map is not None and asked.map is not None:
        check_regions(settings, masked)
        held = Held(asked.map, MapBaker(map, settings, split=masked))
        apart = held.baker.splits
        if (warning := unmasked(map, settings, apart, mask is not None)) is not None:
            say.warning(f"{asked.map}: {warning}")
    else:
        assert reference is not None
        seen = asked.seen or look(reference, settings, ref_mask, network, say.warning)
        told_by = seen.segmenter
        palettes = region_palettes(seen.palettes, settings, masked)
        apart = palettes.split is not None
        if ref_mask is not None and not masked and why is None:
            say.warning(
                "--ref-mask alone does nothing: the clip has no mask (--mask, --segmenter), so it is one region"
            )
        if (warning := reference_undivided(seen.palettes, seen.share, settings, masked, why)) is not None:
            say.warning(warning)
    used = apart or save_masks is not None
    segmenting = network if mask is None and used and kept.saved is None else None
    if asked.cuts is not None and settings.time.mode == "off" and segmenting is None:
        say.warning(idle(asked.cuts))
    shots = kept.cuts if held is None else held.baker.cuts
    mattes = clip_mattes(clip, settings, given if used else NoSegmenter(), segmenting, shots)
    if palettes is not None and (warning := kept.warning(palettes, mask is not None, network, settings)) is not None:
        say.warning(warning)
    anywhere = False
    if trim is not None:
        by_number = None if isinstance(given, PartMattes) else mask
        anywhere = source.sought and held is None and is_anywhere(by_number, kept.cuts, kept.saved is not None)
        if settings.time.mode != "shot" or kept.saved is not None:
            trim.prepare(max(reach(settings, mattes.support)), anywhere)
    return Prepared(plan, settings, palettes, held, kept, given, network, used, mattes, trim, anywhere, told_by)


def share_of(foreground: Foreground | None) -> dict[str, Any]:
    """What a report says of it."""
    share = None if foreground is None else foreground.share
    return {} if share is None else {"foreground": round(share, 4)}


def reported(
    asked: Request,
    ready: Prepared,
    source: Source,
    frames: int,
    seconds: float,
    name: str,
    say: Teller,
    foreground: Foreground | None = None,
) -> Report:
    """The report of a run that is over. seconds: since the command began. name: of what told the foreground.
    foreground: what was counted of it, None if nothing."""
    plan = ready.plan
    if (warning := never_split(foreground, ready.palettes, ready.settings)) is not None:
        say.warning(warning)
    cuts = ready.kept.cuts if ready.trim is None else None
    if (warning := beyond(asked.cuts, cuts, frames)) is not None:
        say.warning(warning)
    for line in [] if ready.network is None else ready.network.told():
        say.warning(line)
    path = asked.output if plan.piped and asked.output is not None else plan.path
    details = ready.details(source, frames, say.elapsed()) | share_of(foreground)
    return Report(asked.input, asked.colours, path, frames, seconds, name, tuple(say.said), details)
