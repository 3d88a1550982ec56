"""What is said where foreground and background are not graded apart, though something should tell them apart."""

from __future__ import annotations

from streamct.errors import UsageError
from streamct.grade.foreground import Foreground
from streamct.grade.regions import SPLIT_SHARES, Palettes
from streamct.settings import Settings


def check_regions(settings: Settings, masked: bool) -> None:
    """Refuse to grade one region where nothing tells where it is. masked: whether the input has masks.

    Raises:
        UsageError: so it is.
    """
    regions = settings.mapping.regions
    if regions != "both" and not masked:
        raise UsageError(f"--regions {regions}: nothing tells where that is. Add --mask or --segmenter.")


def clip_without_network(why: str, ref_masked: bool) -> str:
    """What comes of it where no network can be had for a clip without masks. why: can't it be had. ref_masked: whether
    the reference has a mask of its own."""
    beside = ", and --ref-mask changes nothing" if ref_masked else ""
    return f"the whole frame is graded as one region{beside}, because there is no segmenter: {why}"


def reference_undivided(
    palettes: Palettes, share: float | None, settings: Settings, masked: bool, why: str | None = None
) -> str | None:
    """A warning where the input has masks and the reference has no split.

    palettes: the reference's own. share: of its foreground, None where nothing tells that. masked: whether the input
    has masks. why: no network could be had, where one was asked for.
    """
    if not masked or palettes.split is not None:
        return None
    both = settings.mapping.regions == "both"
    done = "the whole frame is graded as one region" if both else "the region is drawn towards the whole reference"
    if share is not None:
        low, high = SPLIT_SHARES
        return f"{share:.1%} of the reference are foreground; a split needs {low:.0%} to {high:.0%}, so {done}"
    lacking = f"the reference has no foreground of its own, so {done}"
    if why is not None:
        return f"{lacking}. Give it with --ref-mask. There is no segmenter that could find it: {why}"
    return f"{lacking}. Give it with --ref-mask, or add --segmenter, which finds it" if both else None


def never_split(foreground: Foreground | None, palettes: Palettes | None, settings: Settings) -> str | None:
    """A warning where a clip has masks, and still all of it or nothing is graded. palettes: of the reference."""
    if foreground is None or foreground.share is None or palettes is None or palettes.split is None:
        return None
    regions = settings.mapping.regions
    apart = foreground.split if regions == "both" else foreground.between
    return None if apart else clip_undivided(foreground.share, "clip", regions)


def clip_undivided(share: float, what: str, regions: str) -> str | None:
    """What is done where the masks of a clip or picture hold all of it or nothing. share: of its foreground. regions:
    those that are graded, see `MappingSettings`."""
    low, high = SPLIT_SHARES
    found = f"{share:.1%} of the {what} are foreground"
    between = low <= share <= high
    if regions == "both":
        found += ", but all or nothing of it at any time" if between else ""
        return f"{found}; a split needs {low:.0%} to {high:.0%}, so it is graded as one region"
    if between:
        return None
    graded = share if regions == "fg" else 1 - share
    done = "nothing is graded" if graded < low else "the whole frame is graded"
    nearly = "" if graded in (0, 1) else "next to " if graded < low else "nearly "
    return f"{found}, so with --regions {regions} {nearly}{done}"
