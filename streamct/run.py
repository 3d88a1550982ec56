"""What every run begins with: who is told, which segmenter, what the reference looks like."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamct.color.histogram import Counter
from streamct.color.jit import compiled_before, compiling
from streamct.errors import SegmenterError
from streamct.grade.cuts import ListedCuts
from streamct.grade.mattes import Given, Mattes, Segmented
from streamct.grade.regions import Palettes, palettes_of
from streamct.grade.sample import sample_picture
from streamct.model import Clip, Event, Progress, Report
from streamct.segment import GivenMattes
from streamct.segment.choose import check_none, load, resolve
from streamct.segment.matte import read_matte, resized
from streamct.segment.still import picture_full, picture_mask
from streamct.segment.upright import quarter_turns, stretched
from streamct.settings import Settings
from streamct.undivided import check_regions, clip_without_network

if TYPE_CHECKING:
    from streamct.segment.deeplab import DeepLab


class Teller:
    """Passes events on and remembers what the report repeats."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._total: int | None = None
        self._started = time.monotonic()
        self.said: list[str] = []
        if not compiled_before():
            self._tell(Event("note", compiling()))

    def _tell(self, event: Event) -> None:
        if self._progress is not None:
            self._progress(event)

    def start(self, total: int | None) -> None:
        """The work begins; total: frames or pictures, None if unknown."""
        self._total = total
        self._started = time.monotonic()
        self._tell(Event("start", total=total))

    def elapsed(self) -> float:
        """Seconds since the work began."""
        return time.monotonic() - self._started

    def progress(self, done: int) -> None:
        """So many are done."""
        self._tell(Event("progress", done=done, total=self._total))

    def note(self, message: str) -> None:
        """A line that the user should see once."""
        self.said.append(message)
        self._tell(Event("note", message))

    def passing(self, message: str) -> None:
        """A note of what goes on just now, which the report does not repeat."""
        self._tell(Event("note", message))

    def warning(self, message: str) -> None:
        """A line that the user should act on, or know of."""
        self.said.append(message)
        self._tell(Event("warning", message))

    def done(self, report: Report) -> Report:
        """All is done; gives the report back."""
        self._tell(Event("done", str(report.output), report.frames, report.frames, {"report": report}))
        return report


class Chosen(NamedTuple):
    """network: the segmenter, loaded, or None. settings: with nothing left open about it. why: none could be had,
    where `auto` asked for one; None where that is not so."""

    network: DeepLab | None
    settings: Settings
    why: str | None = None


def chosen_network(
    settings: Settings,
    say: Teller,
    needed: bool,
    otherwise: str = "",
    given: tuple[Path | None, Path | None] = (None, None),
) -> Chosen:
    """The segmenter that the settings ask for.

    needed: whether there is anything for it to segment. otherwise: what else comes of having none. given: the user's
    masks of the input and of the reference. Where `auto` finds no network that is told, but for an input with masks:
    there it depends on the reference (`reference_undivided`).

    Raises:
        SegmenterError, UsageError, SettingsError: see `resolve` and `load`. SegmenterError also where `auto` finds no
            network and one region is to be graded, which nothing else tells.
    """
    if not needed:
        check_none(settings.segment)
        if settings.segment.segmenter != "none":
            say.warning(
                f"--segmenter {settings.segment.segmenter}: there is nothing to segment, for masks are given, or a map "
                "that needs none"
            )
        return Chosen(None, settings)
    filled, why = resolve(settings.segment, say.passing)
    if why is not None and given[0] is None:
        if settings.mapping.regions != "both":
            raise SegmenterError(why)
        say.warning(clip_without_network(why, given[1] is not None) + otherwise)
    settings = settings.model_copy(update={"segment": filled})
    return Chosen(None if filled.segmenter == "none" else load(filled), settings, why)


def fell_back(asked: Settings, filled: Settings) -> bool:
    """Whether no segmenter could be had for `auto`, which has been told."""
    return asked.segment.segmenter == "auto" and filled.segment.segmenter == "none"


def segmented_by(
    network: DeepLab | None, settings: Settings, reference: str = "none", frames: bool = False
) -> dict[str, Any]:
    """What a report says of the network that was used, and of what told the reference's foreground.

    reference: see `Wanted.segmenter`. frames: whether the network looked at the frames of a clip.
    """
    told: dict[str, Any] = {} if reference == "none" else {"reference segmenter": reference}
    return told if network is None else told | {"network": _described(network, settings, frames)}


def _described(network: DeepLab, settings: Settings, frames: bool) -> dict[str, Any]:
    return {
        "name": network.name,
        "device": network.device,
        "precision": network.precision,
        "size": network.size,
        **({"every": settings.segment.every} if frames else {}),
        "memory": network.memory(),
        "weights": str(settings.segment.weights or "torchvision"),
    }


def region_palettes(palettes: Palettes, settings: Settings, masked: bool) -> Palettes:
    """The reference's palettes for the regions that are graded. Where `regions` names one and the reference has no
    split, all of it is what that region is to look like. masked: whether the input has masks.

    Raises:
        UsageError: one region is to be graded, and nothing tells where it is.
    """
    check_regions(settings, masked)
    if settings.mapping.regions == "both":
        return palettes
    return palettes if palettes.split is not None else Palettes(palettes.whole, (palettes.whole, palettes.whole))


def telling(given: GivenMattes, say: Teller) -> GivenMattes:
    """The user's mattes, after what should be known of how they are read has been told."""
    if given.told:
        say.warning(given.told)
    return given


def picture_weights(
    rgb: NDArray[np.float32], mask: Path | None, network: DeepLab | None, say: Teller, full: bool = False
) -> NDArray[np.uint8] | None:
    """Foreground weights of a picture (h, w, 3): of the user's mask, at its own size, or without one of the network, at
    that of its proxy; None without both. What should be known of how a mask is read is told.

    full: the network's at the size of the picture, to grade with.

    Raises:
        MaskError: the mask can't be read.
    """
    if mask is None:
        found = None if network is None else picture_mask(rgb, network)
        return picture_full(found, rgb) if full and found is not None else found
    matte, told = read_matte(mask)
    sizes = [(image.shape[1], image.shape[0]) for image in (matte, rgb)]
    for line in (told, stretched(mask, sizes[0], sizes[1:])):
        if line:
            say.warning(line)
    return matte


def clip_mattes(
    clip: Clip, settings: Settings, given: GivenMattes, network: DeepLab | None, cuts: ListedCuts | None = None
) -> Mattes:
    """A clip's mattes: the network's, or without one those that are given. cuts: where the user says shots begin."""
    if network is None:
        return Given(given)
    every = settings.segment.every or 1
    ticks = Fraction(every) / (clip.rate * clip.time_base) if clip.rate else None
    radius = settings.segment.radius if settings.time.mode != "off" else 0
    turns = quarter_turns(clip.display_matrix)
    return Segmented(network, radius=radius, every=every, ticks=ticks, turns=turns, cuts=cuts)


def picture_look(
    rgb: NDArray[np.float32], settings: Settings, matte: NDArray[np.uint8] | None
) -> tuple[Palettes, float | None]:
    """Palettes of a picture (h, w, 3) of sRGB values, and the share of its foreground, None without a matte.

    matte: foreground weights 0..255, of any size.
    """
    mask = None if matte is None else lambda width, height: resized(matte, width, height)
    counter = Counter()
    regions = sample_picture(rgb, mask, settings.palette, counter)
    palettes = palettes_of(regions, counter, settings.palette)
    assert palettes is not None
    return palettes, None if matte is None else regions.share
