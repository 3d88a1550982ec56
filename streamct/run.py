"""What every run begins with: who is told, which segmenter, what the reference looks like."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from streamct.color.histogram import Counter
from streamct.color.jit import compiled_before, compiling
from streamct.errors import UsageError
from streamct.grade.cuts import ListedCuts
from streamct.grade.foreground import Foreground
from streamct.grade.mattes import Given, Mattes, Segmented
from streamct.grade.regions import SPLIT_SHARES, Palettes, palettes_of
from streamct.grade.sample import sample_picture
from streamct.model import Clip, Event, Progress, Report
from streamct.segment import GivenMattes
from streamct.segment.choose import check_none, load, resolve
from streamct.segment.matte import read_matte, resized
from streamct.segment.still import picture_full, picture_mask
from streamct.segment.upright import quarter_turns, stretched
from streamct.settings import Settings

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


def chosen_network(
    settings: Settings, say: Teller, needed: bool, otherwise: str = ""
) -> tuple[DeepLab | None, Settings]:
    """The segmenter that the settings ask for, loaded, and the settings with nothing left open about it.

    needed: whether there is anything for it to segment. otherwise: what else comes of having none.

    Raises:
        SegmenterError, UsageError, SettingsError: see `resolve` and `load`.
    """
    if not needed:
        check_none(settings.segment)
        if settings.segment.segmenter != "none":
            say.warning(
                f"--segmenter {settings.segment.segmenter}: there is nothing to segment, for masks are given, or a map "
                "that needs none"
            )
        return None, settings
    filled, warning = resolve(settings.segment, say.passing)
    if warning is not None:
        say.warning(warning + otherwise)
    settings = settings.model_copy(update={"segment": filled})
    return (None if filled.segmenter == "none" else load(filled)), settings


def fell_back(asked: Settings, filled: Settings) -> bool:
    """Whether no segmenter could be had for `auto`, which `chosen_network` has told."""
    return asked.segment.segmenter == "auto" and filled.segment.segmenter == "none"


def described(network: DeepLab, settings: Settings) -> dict[str, Any]:
    """What a report says of the network that was used."""
    return {
        "name": network.name,
        "device": network.device,
        "precision": network.precision,
        "size": network.size,
        "every": settings.segment.every,
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


def check_regions(settings: Settings, masked: bool) -> None:
    """Refuse to grade one region where nothing tells where it is. masked: whether the input has masks.

    Raises:
        UsageError: so it is.
    """
    regions = settings.mapping.regions
    if regions != "both" and not masked:
        raise UsageError(f"--regions {regions}: nothing tells where that is. Add --mask or --segmenter.")


def no_split(share: float | None) -> str:
    """Why foreground and background are not graded apart. share: of the reference's foreground, if it has a mask."""
    if share is None:
        return "the reference has no foreground of its own (--ref-mask), so the whole frame is graded as one region"
    low, high = SPLIT_SHARES
    return (
        f"{share:.1%} of the reference are foreground; a split needs {low:.0%} to {high:.0%}, "
        "so the whole frame is graded as one region"
    )


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


def never_split(foreground: Foreground | None, palettes: Palettes | None, settings: Settings) -> str | None:
    """A warning where a clip has masks, and still all of it is graded as one region. palettes: of the reference."""
    if foreground is None or foreground.share is None or foreground.split:
        return None
    if palettes is None or palettes.split is None or settings.mapping.regions != "both":
        return None
    return clip_no_split(foreground.share, "clip")


def clip_no_split(share: float, what: str) -> str:
    """Why foreground and background of a clip or picture are not graded apart. share: of its foreground."""
    low, high = SPLIT_SHARES
    found = f"{share:.1%} of the {what} are foreground"
    if low <= share <= high:
        found += ", but all or nothing of it at any time"
    return f"{found}; a split needs {low:.0%} to {high:.0%}, so it is graded as one region"


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
