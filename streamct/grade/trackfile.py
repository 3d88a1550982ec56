"""A track on disk: what the first pass of the mode `shot` found out about a clip, to be graded again at once.

The file is a compressed .npz of numpy arrays without pickles:

- `header`: UTF-8 JSON as bytes. format ("streamct track"), version (1), clip (name, frames, width, height, time_base as
  "n/d", fingerprint: SHA-256 of the file's length, first and last 64 KiB), segmenter (whose masks were counted: "none",
  "matte" or a network's name), palette (the settings that the palettes were made with) and digest (SHA-256 of both
  and of the masks' settings).
- `shots` (n, 3) int64: first frame, frame after the last, pts of the first. `content` (n, 4) int64: top, bottom, left,
  right of the picture inside the black border, -1 where all is black. `split` (n,) int64: 0..256, how far foreground
  and background are graded apart.
- `lengths` (n, 3) int64: colours in each shot's palettes of whole, foreground and background, 0 for none; `colours`
  (sum, 3) float64 L*a*b* and `weights` (sum,) float64: those palettes, one after the other.
- `masks` (bytes,) uint8: zlib-deflated masks of all frames, one after the other; `mask_ends` (frames,) int64: where
  each ends; `mask_shape` (2,) int64: rows and columns. Empty without a segmenter and
  for mattes, which are given again.

Grades follow from palettes, reference and mapping settings, so a track serves any reference and any look.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from streamct.color.apply import Content
from streamct.errors import TrackError
from streamct.grade.bake import Looked
from streamct.grade.shots import Shot, Track
from streamct.media.files import fingerprint, written_whole
from streamct.model import Clip, IntArray, Palette
from streamct.settings import Settings

_FORMAT, _VERSION = "streamct track", 1


@dataclass(frozen=True, slots=True)
class SavedTrack:
    """A track and how it was made. segmenter: whose masks were counted. digest: of the settings it depends on."""

    track: Track
    segmenter: str
    digest: str


def analysis_digest(settings: Settings, segmenter: str) -> str:
    """SHA-256 of what a track depends on: the palettes' settings, and the masks' where a network made them."""
    parts: dict[str, Any] = {"palette": settings.palette.model_dump(mode="json"), "segmenter": segmenter}
    if settings.input.lut is not None:
        parts["input"] = settings.input.model_dump(mode="json")
    if segmenter not in ("none", "matte"):
        parts["segment"] = settings.segment.model_dump(mode="json", include={"classes", "size", "every", "radius"})
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def save_track(path: Path, track: Track, clip: Clip, settings: Settings, segmenter: str) -> None:
    """Write a track; it appears whole or not at all.

    Raises:
        OutputError: it can't be written.
    """
    header = {
        "format": _FORMAT,
        "version": _VERSION,
        "clip": {
            "name": clip.path.name,
            "frames": track.frames,
            "width": clip.width,
            "height": clip.height,
            "time_base": str(clip.time_base),
            "fingerprint": fingerprint(clip.path),
        },
        "segmenter": segmenter,
        "palette": settings.palette.model_dump(mode="json"),
        "digest": analysis_digest(settings, segmenter),
    }
    palettes = [(shot.looked.whole, *(shot.looked.sides or (None, None))) for shot in track.shots]
    held = [palette for three in palettes for palette in three if palette is not None]
    arrays = {
        "header": np.frombuffer(json.dumps(header).encode(), np.uint8),
        "shots": np.array([(s.start, s.stop, s.pts) for s in track.shots], np.int64).reshape(-1, 3),
        "content": np.array([_edges(s.content) for s in track.shots], np.int64).reshape(-1, 4),
        "split": np.array([s.looked.split for s in track.shots], np.int64),
        "lengths": np.array([[len(p) if p else 0 for p in three] for three in palettes], np.int64).reshape(-1, 3),
        "colours": np.concatenate([p.colours for p in held]) if held else np.empty((0, 3)),
        "weights": np.concatenate([p.weights for p in held]) if held else np.empty(0),
        "masks": np.frombuffer(b"".join(track.masks), np.uint8),
        "mask_ends": np.cumsum([len(m) for m in track.masks], dtype=np.int64),
        "mask_shape": np.array(track.mask_shape, np.int64),
    }
    with written_whole(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def load_track(path: Path, clip: Clip) -> SavedTrack:
    """Read a track and check that it belongs to `clip`.

    Raises:
        TrackError: missing, unreadable, of another format, or of another clip.
    """
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(bytes(arrays["header"]))
    except FileNotFoundError:
        raise TrackError(f"{path}: no such track. --save-track writes one.") from None
    except OSError as cause:
        raise TrackError(f"{path}: can't be read as a track ({cause.strerror or cause}).") from cause
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as cause:
        raise TrackError(f"{path}: is no track, or a damaged one. --save-track writes one.") from cause
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise TrackError(f"{path}: is no track. --save-track writes one.")
    if header.get("version") != _VERSION:
        raise TrackError(
            f"{path}: is a track of version {header.get('version')}, this streamct reads version {_VERSION}. "
            "Save it again with --save-track."
        )
    try:
        _check_clip(path, header["clip"], clip)
        return SavedTrack(_track(arrays), str(header["segmenter"]), str(header["digest"]))
    except (KeyError, ValueError, IndexError, TypeError) as cause:
        raise TrackError(f"{path}: the track is damaged ({cause}). Save it again with --save-track.") from cause


def _check_clip(path: Path, made: dict[str, Any], clip: Clip) -> None:
    def refuse(of_track: str, of_clip: str) -> TrackError:
        return TrackError(
            f"{path}: is the track of {made['name']} ({of_track}), but {clip.path} has {of_clip}. "
            "Give the clip that it was made of, or save a new one with --save-track."
        )

    if clip.frames is not None and made["frames"] != clip.frames:
        raise refuse(f"{made['frames']} frames", f"{clip.frames} frames")
    if (made["width"], made["height"]) != (clip.width, clip.height):
        raise refuse(f"{made['width']} x {made['height']} pixels", f"{clip.width} x {clip.height} pixels")
    if made["fingerprint"] != fingerprint(clip.path):
        raise refuse("another file", "other contents")


def _edges(content: Content | None) -> tuple[int, int, int, int]:
    return (-1, -1, -1, -1) if content is None else (content.top, content.bottom, content.left, content.right)


def _track(arrays: dict[str, Any]) -> Track:
    ends: IntArray = np.cumsum(arrays["lengths"].reshape(-1))
    palettes: list[Palette | None] = []
    for length, end in zip(arrays["lengths"].reshape(-1), ends, strict=True):
        part = slice(int(end - length), int(end))
        whole = Palette(arrays["colours"][part].copy(), arrays["weights"][part].copy())
        palettes.append(whole if length else None)
    shots = []
    for i, ((start, stop, pts), edges, split) in enumerate(
        zip(arrays["shots"].tolist(), arrays["content"].tolist(), arrays["split"].tolist(), strict=True)
    ):
        own, front, back = palettes[3 * i : 3 * i + 3]
        looked = Looked(own, (front, back) if front is not None or back is not None else None, split)
        shots.append(Shot(start, stop, pts, None if edges[0] < 0 else Content(*edges), looked))
    stream, mask_ends = arrays["masks"].tobytes(), arrays["mask_ends"].tolist()
    masks = tuple(stream[start:stop] for start, stop in zip([0, *mask_ends], mask_ends, strict=False))
    rows, columns = arrays["mask_shape"].tolist()
    return Track(tuple(shots), masks, (rows, columns))
