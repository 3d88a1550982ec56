"""Source and graded result -> an Evaluation, for pictures and clips."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, fields, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from streamct.color.proxy import picture_proxy_rgb, planes_proxy_rgb, proxy_size
from streamct.errors import InputError, ReferenceError, UsageError
from streamct.grade.cutlist import beyond, read_cuts
from streamct.media.image import PICTURE_EXTENSIONS, read_picture
from streamct.media.pipes import DASH
from streamct.media.sequence import pattern_of
from streamct.media.source import Source, open_source
from streamct.metrics.difference import Difference, difference
from streamct.metrics.distance import Distance, content, distance_of, spread
from streamct.metrics.flow import opencv
from streamct.metrics.iqa import IQA_METRICS, Scorer
from streamct.metrics.motion import Flicker, FlickerMeter
from streamct.model import Clip, Event, FloatArray, Frame, Progress

MEASURED_EDGE = 1280
"""Pictures longer than this are measured on a copy scaled down to it."""
STILLS = 16
"""Most frames of a clip, evenly spread, on which everything is measured that a still has too."""
_EVERY = 25
"""Of a clip of unknown length every so many frames are measured as stills, from the first."""
_PROXY = 256
_DECODER_THREADS = 1

T = TypeVar("T", Difference, Distance)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a result compares with its source, and with its reference where one was given.

    frames: of the source; 1 for a picture. stills: how many of them `difference`, `distance` and `iqa` are means
    over, but for the edit, which is that of all frames. distance: None without a reference. flicker: None for
    pictures. iqa: score of each no-reference quality metric for (source, result), None if not asked for. notes: what
    limits the figures.
    """

    source: Path
    result: Path
    reference: Path | None
    frames: int
    stills: int
    difference: Difference
    distance: Distance | None
    flicker: Flicker | None
    iqa: dict[str, tuple[float, float]] | None
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, shares included."""
        out: dict[str, Any] = {name: str(v) if isinstance(v, Path) else v for name, v in asdict(self).items()}
        if self.distance is not None:
            out["distance"] |= {"ab_share": self.distance.ab_share, "lab_share": self.distance.lab_share}
        if self.flicker is not None:
            out["flicker"] |= {
                "edit_warp_share": self.flicker.edit_warp_share,
                "drift_share": self.flicker.drift_share,
                "drift_seen_share": self.flicker.drift_seen_share,
            }
        if self.iqa is not None:
            out["iqa"] = {name: {"source": s, "result": r} for name, (s, r) in self.iqa.items()}
        return out


def evaluate(
    source: Path | str,
    result: Path | str,
    reference: Path | str | None = None,
    *,
    cuts: Path | str | None = None,
    iqa: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure a graded picture or video against its source, and its colours against a reference picture's.

    cuts: a list of frames, times or an EDL that says where the shots of a video begin; None: they are found. iqa: also
    score quality with the package pyiqa, which the user installs. Memory does not grow with length.

    Raises:
        UsageError: a picture against a video, or OpenCV (videos) or pyiqa (iqa) is not installed.
        InputError: a file can't be used, or sizes or frame counts differ; the message names both.
        ReferenceError: the reference can't be read. TrackError: the list of cuts can't be used.
    """
    source, result = Path(source), Path(result)
    reference = None if reference is None else Path(reference)
    wanted = None if reference is None else _wanted(reference)
    scorer = Scorer() if iqa else None
    kinds = [_is_picture(path) for path in (source, result)]
    if kinds[0] != kinds[1]:
        picture, video = (source, result) if kinds[0] else (result, source)
        with open_source(video, None):
            pass  # or it is said why it is none
        raise UsageError(f"{picture} is a picture and {video} a video; give two of one kind.")
    tell = progress or (lambda event: None)
    if not kinds[0]:
        return _evaluate_clips(source, result, reference, wanted, None if cuts is None else Path(cuts), scorer, tell)
    if cuts is not None:
        raise UsageError(f"--cuts {cuts}: a picture has no shots. Leave it out.")
    before, after = read_picture(source).rgb, read_picture(result).rgb
    _check_size(source, before.shape[1::-1], result, after.shape[1::-1])
    tell(Event("start", total=1))
    stills = _Stills(wanted, scorer)
    stills.add(_measured(before), _measured(after))
    tell(Event("progress", done=1, total=1))
    return Evaluation(source, result, reference, 1, 1, stills.difference(), stills.distance(), None, stills.iqa())


def _wanted(reference: Path) -> NDArray[np.float32]:
    """A reference picture, (h, w, 3)."""
    try:
        return read_picture(reference, ReferenceError).rgb
    except ReferenceError as cause:
        if reference.is_file() and reference.suffix.lower() not in PICTURE_EXTENSIONS:
            raise ReferenceError(
                f"{reference}: is no picture, and only to a picture the distance is measured."
            ) from cause
        raise


def _evaluate_clips(
    source: Path,
    result: Path,
    reference: Path | None,
    wanted: NDArray[np.float32] | None,
    cuts: Path | None,
    scorer: Scorer | None,
    tell: Progress,
) -> Evaluation:
    opencv()
    with open_source(source, None) as first, open_source(result, None) as second:
        return _evaluate_sources((first, second), reference, wanted, cuts, scorer, tell)


def _evaluate_sources(
    sources: tuple[Source, Source],
    reference: Path | None,
    wanted: NDArray[np.float32] | None,
    cuts: Path | None,
    scorer: Scorer | None,
    tell: Progress,
) -> Evaluation:
    clips = sources[0].clip, sources[1].clip
    source, result = clips[0].path, clips[1].path
    _check_size(source, (clips[0].width, clips[0].height), result, (clips[1].width, clips[1].height))
    if clips[0].frames is not None and clips[1].frames is not None:
        _check_count(source, clips[0].frames, result, clips[1].frames)
    size = proxy_size(clips[0].width, clips[0].height, _PROXY)
    still_size = proxy_size(clips[0].width, clips[0].height, MEASURED_EDGE)
    step = _still_step(clips[0])
    listed = None if cuts is None else read_cuts(cuts, clips[0], _first_pts(sources[0]))
    stills, meter = _Stills(wanted, scorer), FlickerMeter(cuts=listed)
    tell(Event("start", total=clips[0].frames))
    counts = [0, 0]
    with ExitStack() as stack:
        readers = [stack.enter_context(closing(one.reader(False, _DECODER_THREADS))) for one in sources]
        for frames in zip_longest(*readers):
            counts = [n + (frame is not None) for n, frame in zip(counts, frames, strict=True)]
            if None in frames:
                continue
            if frames[0].index % step == 0:
                stills.add(*(_rgb(frame, clip, still_size) for frame, clip in zip(frames, clips, strict=True)))
            rgb = [_rgb(frame, clip, size) for frame, clip in zip(frames, clips, strict=True)]
            meter.push(rgb[0], rgb[1], pts=frames[0].pts)
            tell(Event("progress", done=counts[0], total=clips[0].frames))
        _check_count(source, counts[0], result, counts[1])
        notes = [line for reader in readers for line in reader.warnings]
    for clip in clips:
        if clip.coding.transfer != "srgb":
            notes.append(f"{clip.path}: {clip.coding.transfer.upper()} values were measured as if they were sRGB")
    if (late := beyond(cuts, listed, counts[0])) is not None:
        notes.append(late)
    flicker = meter.finish()
    changed = replace(stills.difference(), edit=flicker.edit)
    return Evaluation(
        source, result, reference, counts[0], len(stills), changed, stills.distance(), flicker, stills.iqa(),
        tuple(notes),
    )  # fmt: skip


def _is_picture(path: Path) -> bool:
    """Whether a file is one picture, by its name; a pattern of numbered pictures is a video."""
    if path == DASH:
        raise UsageError("-: what comes from a pipe can't be measured. Give two files.")
    return path.suffix.lower() in PICTURE_EXTENSIONS and (path.exists() or pattern_of(path) is None)


def _first_pts(source: Source) -> int:
    with closing(source.reader(False, _DECODER_THREADS)) as reader:
        return next((frame.pts for frame in reader), 0)


def _still_step(clip: Clip) -> int:
    frames = clip.frames
    if frames is None and clip.duration and clip.rate:
        frames = round(clip.duration * clip.rate)
    return max(1, -(-frames // STILLS)) if frames else _EVERY


class _Stills:
    """Means of the measures of stills."""

    def __init__(self, wanted: NDArray[np.float32] | None, scorer: Scorer | None) -> None:
        self._wanted = None if wanted is None else spread(wanted)
        self._scorer = scorer
        self._differences: list[Difference] = []
        self._distances: list[Distance] = []
        self._scores: list[tuple[dict[str, float], dict[str, float]]] = []

    def __len__(self) -> int:
        return len(self._differences)

    def add(self, source: FloatArray, result: FloatArray) -> None:
        self._differences.append(difference(source, result))
        if self._wanted is not None:
            area = content(source)
            self._distances.append(distance_of(spread(source, area), spread(result, area), self._wanted))
        if self._scorer is not None:
            self._scores.append((self._scorer(source), self._scorer(result)))

    def difference(self) -> Difference:
        return mean_of(self._differences)

    def distance(self) -> Distance | None:
        return mean_of(self._distances) if self._distances else None

    def iqa(self) -> dict[str, tuple[float, float]] | None:
        if self._scorer is None:
            return None
        return {
            name: (
                float(np.mean([s[name] for s, _ in self._scores])),
                float(np.mean([r[name] for _, r in self._scores])),
            )
            for name in IQA_METRICS
        }


def mean_of(parts: Sequence[T]) -> T:
    """The mean of each field of dataclasses of one kind."""
    return type(parts[0])(**{f.name: _mean(getattr(p, f.name) for p in parts) for f in fields(parts[0])})


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _rgb(frame: Frame, clip: Clip, size: tuple[int, int]) -> FloatArray:
    return planes_proxy_rgb(frame.planes, clip.format, clip.coding, *size)


def _measured(rgb: NDArray[np.float32]) -> FloatArray:
    width, height = proxy_size(rgb.shape[1], rgb.shape[0], MEASURED_EDGE)
    if (width, height) == rgb.shape[1::-1]:
        return np.asarray(rgb, np.float64)
    return picture_proxy_rgb(rgb, width, height)


def _check_size(source: Path, size: tuple[int, ...], result: Path, other: tuple[int, ...]) -> None:
    if size != other:
        raise InputError(
            f"{source} is {size[0]}x{size[1]} and {result} is {other[0]}x{other[1]}; "
            "a result is compared pixel by pixel with its source. Give two files of one size."
        )


def _check_count(source: Path, count: int, result: Path, other: int) -> None:
    if count != other:
        raise InputError(
            f"{source} has {count} frames and {result} has {other}; "
            "a result is compared frame by frame with its source. Give the whole graded clip, or cut both alike."
        )
