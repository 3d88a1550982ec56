"""The videos and pictures of folders and patterns, in the order that people number things."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from streamct.errors import InputError, UsageError
from streamct.ledger import FOLDER
from streamct.media.endings import CLIP_ENDINGS
from streamct.media.image import PICTURE_EXTENSIONS

GLOB = re.compile(r"[*?[]")
_NUMBER = re.compile(r"(.*?)(\d+)(\.\w+)")
_A_VIDEO = 24
"""So many pictures with consecutive numbers may well be one video."""
_NAMED = 4


@dataclass(frozen=True, slots=True)
class Told:
    """Lines for the user. notes: about what was left out. unread: about what could not be looked into."""

    notes: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def is_footage(path: Path) -> bool:
    """Whether a file is a video or a picture, by its ending."""
    ending = path.suffix.lower()
    return ending in CLIP_ENDINGS or ending in PICTURE_EXTENSIONS


def walk(source: Path, folder: Path, recursive: bool, told: Told) -> list[tuple[Path, Path]]:
    """The files of a folder with their names below it, numbers in names in numeric order.

    folder: of the outputs, which is left out. Links to folders are followed, but for those to what is taken anyway.

    Raises:
        InputError: the folder itself can't be read.
    """
    walked = _Walk(source, folder.resolve(), recursive, told)
    walked.enter(source)
    walked.tell()
    return walked.found


class _Walk:
    """One folder under way."""

    def __init__(self, source: Path, away: Path, recursive: bool, told: Told) -> None:
        self.found: list[tuple[Path, Path]] = []
        self._source = source
        self._away = away
        self._recursive = recursive
        self._told = told
        self._roots = [source.resolve()]
        self._others: list[str] = []
        self._loops: list[str] = []
        self._closed = 0

    def enter(self, top: Path) -> None:
        """Take what lies in a folder, and in those below."""

        def fail(cause: OSError) -> None:
            name = Path(str(cause.filename))
            said = f"{name}: can't be read as a folder ({cause.strerror}). Check its permissions."
            if name == self._source:
                raise InputError(said) from cause
            self._told.unread.append(said)

        for name, below, files in os.walk(top, onerror=fail):
            here = Path(name)
            below[:] = [entry for entry in sorted(below, key=natural) if self._enters(here / entry)]
            for entry in sorted(files, key=natural):
                path = here / entry
                if entry.startswith("."):
                    continue
                if is_footage(path):
                    self.found.append((path, path.relative_to(self._source)))
                else:
                    self._others.append(str(path.relative_to(self._source)))
            self._told.notes.extend(_one_video(here, files))
            for link in [entry for entry in below if (here / entry).is_symlink()]:
                below.remove(link)  # which `os.walk` would not follow
                self.enter(here / link)

    def _enters(self, path: Path) -> bool:
        real = Path(os.path.realpath(path))
        if path.name.startswith(".") or real == self._away:
            return False
        if os.path.isdir(path / FOLDER):
            line = f"{path}: holds outputs of an earlier run and is left out; name it to grade them again"
            self._told.notes.append(line)
            return False
        if not self._recursive:
            self._closed += 1
            return False
        if path.is_symlink():
            if any(real == root or real in root.parents or root in real.parents for root in self._roots):
                self._loops.append(str(path.relative_to(self._source)))
                return False
            self._roots.append(real)
        return True

    def tell(self) -> None:
        """Say what was left out."""
        notes, source = self._told.notes, self._source
        if self._others:
            notes.append(f"{source}: neither videos nor pictures by their endings: {_some(self._others)}")
        if self._closed:
            more = "s" if self._closed > 1 else ""
            notes.append(f"{source}: {self._closed} folder{more} in it left out; -r goes into them")
        if self._loops:
            notes.append(f"{source}: links to folders that are taken where they lie are left out: {_some(self._loops)}")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _one_video(folder: Path, names: Sequence[str]) -> list[str]:
    """Advice about pictures that are numbered like the frames of a video."""
    series: dict[tuple[str, int, str], list[int]] = {}
    for name in names:
        match = _NUMBER.fullmatch(name)
        if match and match[3].lower() in PICTURE_EXTENSIONS and not name.startswith("."):
            series.setdefault((match[1], len(match[2]), match[3]), []).append(int(match[2]))
    lines = []
    for (begin, width, ending), numbers in sorted(series.items()):
        if len(numbers) >= _A_VIDEO and max(numbers) - min(numbers) == len(numbers) - 1:
            pattern = folder / f"{begin}%0{width}d{ending}"
            lines.append(
                f"{folder}: {len(numbers)} numbered pictures are graded one by one; "
                f"if they are frames of a video, use streamct video {pattern}"
            )
    return lines


def matches(source: Path, folder: Path, told: Told) -> list[tuple[Path, Path]]:
    """What a pattern matches, named below the folders before its first wildcard: videos and pictures, or files with the
    ending that the pattern names. `**` at its end stands for all that lies below. folder: of the outputs; what lies in
    it is left out, unless the pattern names it.

    Raises:
        UsageError: it matches nothing.
    """
    parts = source.parts
    first = next(i for i, part in enumerate(parts) if GLOB.search(part))
    base = Path(*parts[:first])
    away = folder.resolve()
    below = parts[-1] == "**"
    pattern = Path(*parts[first:], *(["*"] if below else []))
    found = [
        path
        for path in base.glob(str(pattern))
        if (os.path.isfile(path) or not os.path.exists(path))
        and not any(part.startswith(".") for part in path.relative_to(base).parts)
    ]
    if away not in (base.resolve(), *base.resolve().parents):
        found = [path for path in found if away not in Path(os.path.realpath(path)).parents]
    if not found:
        raise UsageError(f"{source}: matches no file. Check the pattern.")
    if below or not source.suffix or GLOB.search(source.suffix):
        others = [str(path.relative_to(base)) for path in found if not is_footage(path)]
        if others:
            named = _some(sorted(others, key=natural))
            told.notes.append(f"{source}: neither videos nor pictures by their endings: {named}")
        found = [path for path in found if is_footage(path)]
    return [(path, path.relative_to(base)) for path in sorted(found, key=lambda p: natural(str(p)))]


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Sorts names by the numbers in them."""
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in re.split(r"(\d+)", name.casefold())], name
