"""What is asked of a run over a clip, and all that has to be known before its first frame is graded."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from streamct.errors import UsageError
from streamct.grade.mattes import Mattes
from streamct.grade.regions import Palettes
from streamct.media.files import check_target
from streamct.media.masks import check_mask_folder
from streamct.media.output import OutputPlan, resolve_output
from streamct.media.picture_writer import check_pictures
from streamct.media.sequence import SEQUENCE
from streamct.media.source import Source
from streamct.model import Report
from streamct.run import Teller, chosen_network, clip_mattes, described, no_split, reference_look
from streamct.segment import GivenMattes
from streamct.segment.deeplab import DeepLab
from streamct.segment.matte import Matte
from streamct.segment.none import NoSegmenter
from streamct.settings import Settings
from streamct.tracks import Tracks


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a run; see `streamct.pipeline.grade_video`.

    look: what `streamct.run.reference_look` gave for this reference, which spares making it again.
    """

    input: Path
    reference: Path
    output: Path | None = None
    settings: Settings = field(default_factory=Settings)
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
    look: tuple[Palettes, float | None] | None = None


@dataclass(slots=True)
class Prepared:
    """A run that may begin. plan: of the output. settings: with nothing left open about the segmenter. palettes: of
    the reference. given: the user's mattes, or none. network: the segmenter, None without one. used: whether masks
    matter. mattes: of the clip, to be closed."""

    plan: OutputPlan
    settings: Settings
    palettes: Palettes
    kept: Tracks
    given: GivenMattes
    network: DeepLab | None
    used: bool
    mattes: Mattes

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
        if self.network is not None:
            details["network"] = described(self.network, self.settings)
        return details


def prepare(source: Source, asked: Request, say: Teller) -> Prepared:
    """Check all that can be checked before anything is decoded, and look at the reference.

    Raises:
        StreamctError: anything wrong with input, reference, masks, settings or output.
    """
    clip, settings, mask, ref_mask, save_masks = (
        source.clip, asked.settings, asked.mask, asked.ref_mask, asked.save_masks
    )  # fmt: skip
    plan = resolve_output(clip, asked.output, settings.output)
    others = (asked.reference, *(p for p in (mask, ref_mask, asked.cuts, asked.track) if p is not None))
    if plan.container == SEQUENCE:
        check_pictures(clip, plan.path, others, asked.overwrite)
    elif not plan.piped:
        check_target(plan.path, (asked.input, *others), asked.overwrite)
    kept = Tracks(source, settings, asked.cuts, asked.track, asked.save_track)
    kept.check((asked.input, *others, plan.path), mask is not None, asked.overwrite)
    for note in source.notes:
        say.note(note)
    for note in plan.notes:
        say.note(note)
    if save_masks is not None:
        if mask is None and settings.segment.segmenter == "none":
            raise UsageError("--save-masks: there are no masks to save. Add --segmenter auto, or --mask.")
        check_mask_folder(save_masks, asked.overwrite)
    given: GivenMattes = Matte(mask) if mask is not None else NoSegmenter()
    given.begin(clip.frames, clip.width, clip.height)
    network, settings = chosen_network(settings, say, needed=mask is None or ref_mask is None)
    palettes, share = asked.look or reference_look(asked.reference, settings, ref_mask, network)
    if ref_mask is not None and mask is None and network is None:
        say.warning("--ref-mask alone does nothing: the clip has no mask (--mask, --segmenter), so it is one region")
    if palettes.split is None and (mask is not None or network is not None):
        say.warning(no_split(share))
    used = palettes.split is not None or save_masks is not None
    segmenting = network if mask is None and used and kept.saved is None else None
    mattes = clip_mattes(clip, settings, given if used else NoSegmenter(), segmenting, kept.cuts)
    if (warning := kept.warning(palettes, mask is not None, network, settings)) is not None:
        say.warning(warning)
    return Prepared(plan, settings, palettes, kept, given, network, used, mattes)


def reported(
    asked: Request, ready: Prepared, source: Source, frames: int, seconds: float, name: str, say: Teller
) -> Report:
    """The report of a run that is over. seconds: since the command began. name: of what told the foreground."""
    plan = ready.plan
    path = asked.output if plan.piped and asked.output is not None else plan.path
    details = ready.details(source, frames, say.elapsed())
    return Report(asked.input, asked.reference, path, frames, seconds, name, tuple(say.said), details)
