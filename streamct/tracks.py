"""What the user gives and takes of a clip's shots: lists of cuts, saved tracks; and the pass that finds a track."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from streamct.color.lut import LutGrid
from streamct.color.proxy import proxy_size
from streamct.errors import OutputError, TrackError, UsageError
from streamct.grade.bake import Baker
from streamct.grade.cutlist import read_cuts
from streamct.grade.mattes import Mattes, Segmented
from streamct.grade.regions import Palettes
from streamct.grade.sample import Sampler
from streamct.grade.shots import ShotFinder, Track
from streamct.grade.trackfile import analysis_digest, load_track, save_track
from streamct.media.files import check_target
from streamct.media.source import Source
from streamct.model import Clip, Frame
from streamct.settings import Settings
from streamct.work import tell

_TOLD_EVERY = 8


class _Say(Protocol):
    def start(self, total: int | None) -> None: ...
    def progress(self, done: int) -> None: ...
    def note(self, message: str) -> None: ...


def small_size(clip: Clip, mattes: Mattes, settings: Settings) -> tuple[int, int] | None:
    """(width, height) of the proxies that a segmenter gets, with square pixels; None where there is none."""
    if not isinstance(mattes, Segmented):
        return None
    aspect = clip.sample_aspect or Fraction(1)
    return proxy_size(max(1, round(clip.width * aspect)), clip.height, settings.segment.size or 1)


class Tracks:
    """The lists of cuts and tracks of one run. cuts, saved: what was read, None where none was given.

    Raises:
        UsageError: a track is asked for in a mode that has none. TrackError: a file can't be used.
    """

    def __init__(self, source: Source, settings: Settings, cuts: Path | None, track: Path | None, save: Path | None):
        self._source = source
        self._clip = clip = source.clip
        self._path = track
        self._save = save
        for flag, given in (("--track", track), ("--save-track", save)):
            if given is not None and settings.time.mode != "shot":
                raise UsageError(f"{flag} {given}: only --temporal shot has a track. Add it.")
        if track is not None and cuts is not None:
            raise UsageError(f"--cuts {cuts}: the track {track} has its own cuts. Leave one of them out.")
        if not source.again and (settings.time.mode == "shot" or cuts is not None):
            raise UsageError(
                "--temporal shot and --cuts read the video twice, and standard input comes once. Give a file."
            )
        self.saved = None if track is None else load_track(track, clip)
        self.cuts = None if cuts is None else read_cuts(cuts, clip, _first_pts(source))

    def check(self, inputs: tuple[Path, ...], matte: bool, overwrite: bool) -> None:
        """Refuse what can't be before anything is decoded. matte: whether the user gives one.

        Raises:
            OutputError, TrackError: the track can't be written there, or its masks are not those given.
        """
        if self._save is not None:
            check_target(self._save, inputs, overwrite)
            if self._save.resolve() in {path.resolve() for path in inputs}:
                raise OutputError(f"{self._save}: is the output too. Name another file for the track.")
        if self.saved is not None and matte != (self.saved.segmenter == "matte"):
            remedy = "Give none." if matte else "Give it again."
            made = "a --mask" if self.saved.segmenter == "matte" else f"the segmenter {self.saved.segmenter}"
            raise TrackError(f"{self._path}: was made with {made}. --mask: {remedy}")

    def warning(self, palettes: Palettes, matte: bool, network: Any, settings: Settings) -> str | None:
        """What the user should know of a track that was read and does not quite suit the settings."""
        if self.saved is None:
            return None
        if palettes.split is not None and self.saved.segmenter == "none":
            return f"{self._path}: was made without a segmenter, so the whole frame is graded as one region"
        name = "matte" if matte else network.name if network is not None else self.saved.segmenter
        if self.saved.digest != analysis_digest(settings, name):
            return f"{self._path}: was made with other settings of palette or segmenter; its own are used"
        return None

    def find(self, palettes: Palettes, mattes: Mattes, settings: Settings, say: _Say, tolerate: bool = False,
             whole: bool = False) -> Track:  # fmt: skip
        """Decode the clip once and find its shots and their palettes. whole: all of it as one shot."""
        clip = self._clip
        say.note("first pass: looking for the shots and their colours")
        # Colours are counted in cells, which add up over a shot of any length.
        counted = settings.palette.model_copy(update={"bins": "unit"})
        sampler = Sampler(clip.format, clip.coding, counted, small_size(clip, mattes, settings))
        baker = Baker(palettes, LutGrid(clip.coding, clip.format.depth), settings)
        finder = ShotFinder(baker, self.cuts, isinstance(mattes, Segmented), whole)
        with closing(self._source.reader(tolerate)) as reader:
            return _look_through(reader, sampler, mattes, finder, say.progress)

    def save(self, track: Track, segmenter: str, settings: Settings) -> None:
        """Write the track where the user wants it."""
        if self._save is not None:
            save_track(self._save, track, self._clip, settings, segmenter)


def _look_through(
    frames: Any, sampler: Sampler, mattes: Mattes, finder: ShotFinder, progress: Callable[[int], None]
) -> Track:
    frame: Frame
    done = 0
    for done, frame in enumerate(frames, 1):
        for look, mask in mattes.push(sampler.look(frame)):
            finder.push(sampler.count(look, mask), mask)
        if done % _TOLD_EVERY == 0:
            tell(done)
            progress(done)
    for look, mask in mattes.finish():
        finder.push(sampler.count(look, mask), mask)
    progress(done)
    return finder.finish()


def _first_pts(source: Source) -> int:
    with closing(source.reader(tolerate=True)) as reader:
        return next((frame.pts for frame in reader), 0)
