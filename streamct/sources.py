"""What a batch is given, and what that makes: one entry for each output, in a fixed order, before any work is done."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from streamct.errors import InputError, UsageError
from streamct.ledger import FOLDER
from streamct.manifest import Row, is_manifest, read_manifest, with_row
from streamct.media.image import PICTURE_EXTENSIONS, WRITABLE_EXTENSIONS
from streamct.settings import Settings

_ANIMATIONS = (".gif", ".apng")
_KEPT_ENDINGS = (".mp4", ".m4v", ".mov", ".mkv", ".ts", ".m2ts", ".mts", ".webm", ".avi", ".nut")
_CLIP_ENDINGS = (
    *_KEPT_ENDINGS, *_ANIMATIONS, ".3g2", ".3gp", ".asf", ".divx", ".dv", ".f4v", ".flv", ".h264", ".hevc", ".ivf",
    ".m2v", ".mjpeg", ".mpeg", ".mpg", ".mxf", ".ogv", ".vob", ".wmv", ".y4m",
)  # fmt: skip
_GLOB = re.compile(r"[*?[]")
_NUMBERED = re.compile(r"%0?\d*d")
_NAMED = 4
_FAULTS = 20
"""Lines of a list that are told to be wrong, at most."""


@dataclass(frozen=True, slots=True)
class Item:
    """One input and what becomes of it.

    name: of the input below its source, as messages call it; unique. kind: of pictures, one or many. output: its name
    below the output folder. fixed: the user chose that name; else a clip whose container can't be kept becomes
    `fallback`. The rest is as for `streamct.pipeline.grade_video`.
    """

    name: str
    input: Path
    kind: Literal["clip", "picture"]
    output: Path
    fallback: Path
    fixed: bool
    reference: Path
    settings: Settings
    mask: Path | None = None
    ref_mask: Path | None = None
    cuts: Path | None = None


@dataclass(frozen=True, slots=True)
class Collected:
    """All entries, and lines for the user about what was left out."""

    items: tuple[Item, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """An input and its name below its source; row: where a list names it."""

    path: Path
    below: Path
    row: Row | None = None


def collect(
    sources: Iterable[Path],
    reference: Path | None,
    folder: Path,
    settings: Settings,
    *,
    recursive: bool = False,
    mask: Path | None = None,
    ref_mask: Path | None = None,
) -> Collected:
    """What folders, files, patterns and lists come to.

    sources: a folder stands for the videos and pictures in it by their endings, a pattern such as `takes/**/*.mov` for
    what it matches, a .txt or .csv file for what it lists; any other path for itself, whether or not it is there.
    reference: for all whose list names none. folder: of all outputs; what lies in it is no input, unless it is named.
    recursive: folders with all that is below them.

    Raises:
        UsageError: nothing to do, no source is there, no reference, two outputs of one name, an output that is an input
            or out of place.
        InputError: a folder or a list can't be read.
    """
    notes: list[str] = []
    found: list[_Found] = []
    for source in sources:
        found += _expand(source, folder, recursive, notes)
    if found and all(entry.row is None and not entry.path.exists() for entry in found):
        raise UsageError(f"{', '.join(str(entry.path) for entry in found)}: no such file or folder. Check the path.")
    items, faults = list[Item](), list[UsageError]()
    for entry in found:
        try:
            item = _chosen(entry, folder, reference, settings)
        except UsageError as error:  # of a line in a list; whoever corrects it wants to know of all
            faults.append(error)
            continue
        items.append(replace(item, mask=item.mask or mask, ref_mask=item.ref_mask or ref_mask))
    if len(faults) == 1:
        raise faults[0]
    if faults:
        more = [f"and {len(faults) - _FAULTS} more lines are wrong."] if len(faults) > _FAULTS else []
        raise UsageError("\n".join([*map(str, faults[:_FAULTS]), *more]))
    items = _without_repeats(items)
    if not items:
        raise UsageError(f"{', '.join(map(str, sources))}: no videos or pictures. {' '.join(notes)}".strip())
    items = _distinct(items)
    _refuse_inputs(items, folder)
    return Collected(tuple(items), tuple(notes))


def _chosen(entry: _Found, folder: Path, reference: Path | None, settings: Settings) -> Item:
    """What becomes of one input; see `collect`."""
    row = entry.row
    if row is not None and row.fault:
        raise UsageError(row.fault)
    chosen = (row and row.reference) or reference
    if chosen is None:
        raise UsageError(f"{row.place if row else entry.path}: has no reference. Give REF, or a column 'reference'.")
    if row is None:
        return _item(entry, folder, chosen, settings)
    item = _item(entry, folder, chosen, with_row(settings, row))
    return replace(item, mask=row.mask, ref_mask=row.ref_mask, cuts=row.cuts)


def _expand(source: Path, folder: Path, recursive: bool, notes: list[str]) -> Iterator[_Found]:
    text = str(source)
    if source.is_dir():
        yield from _walk(source, folder, recursive, notes)
    elif is_manifest(source):
        for row in read_manifest(source):
            inside = row.input.is_relative_to(row.base) and ".." not in row.input.parts
            yield _Found(row.input, row.input.relative_to(row.base) if inside else Path(row.input.name), row)
    elif _GLOB.search(text) and not source.exists():
        yield from _matches(source, folder)
    elif _NUMBERED.search(source.name):
        raise UsageError(f"{source}: numbered pictures are one video. Grade them with `streamct video`.")
    else:
        yield _Found(source, Path(source.name))


def _walk(source: Path, folder: Path, recursive: bool, notes: list[str]) -> list[_Found]:
    """The videos and pictures of a folder, numbers in names in numeric order."""
    found: list[_Found] = []
    others: list[str] = []
    closed = 0
    away = folder.resolve()

    def fail(cause: OSError) -> None:
        raise InputError(
            f"{cause.filename}: can't be read as a folder ({cause.strerror}). Check its permissions."
        ) from cause

    for name, below, files in os.walk(source, onerror=fail):
        here = Path(name)
        entered = []
        for entry in sorted(below, key=_natural):
            path = here / entry
            if entry.startswith(".") or path.resolve() == away:
                continue
            if (path / FOLDER).is_dir():
                notes.append(f"{path}: holds outputs of an earlier run and is left out; name it to grade them again")
            elif not recursive:
                closed += 1
            else:
                entered.append(entry)
        below[:] = entered
        for entry in sorted(files, key=_natural):
            ending = Path(entry).suffix.lower()
            if entry.startswith("."):
                continue
            if ending in _CLIP_ENDINGS or ending in PICTURE_EXTENSIONS:
                found.append(_Found(here / entry, (here / entry).relative_to(source)))
            else:
                others.append(str((here / entry).relative_to(source)))
    if others:
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        notes.append(f"{source}: neither videos nor pictures by their endings: {', '.join(others[:_NAMED])}{more}")
    if closed:
        notes.append(f"{source}: {closed} folder{'s' if closed > 1 else ''} in it left out; -r goes into them")
    return found


def _matches(source: Path, folder: Path) -> list[_Found]:
    """What a pattern matches, named below the folders before its first wildcard."""
    parts = source.parts
    first = next(i for i, part in enumerate(parts) if _GLOB.search(part))
    base = Path(*parts[:first])
    away = folder.resolve()
    found = [
        path
        for path in base.glob(str(Path(*parts[first:])))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(base).parts)
    ]
    if away not in (base.resolve(), *base.resolve().parents):
        found = [path for path in found if away not in path.resolve().parents]
    if not found:
        raise UsageError(f"{source}: matches no file. Check the pattern.")
    return [_Found(path, path.relative_to(base)) for path in sorted(found, key=lambda p: _natural(str(p)))]


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in re.split(r"(\d+)", name.casefold())], name


def _item(entry: _Found, folder: Path, reference: Path, settings: Settings) -> Item:
    ending = entry.path.suffix.lower()
    picture = ending in PICTURE_EXTENSIONS and ending not in _ANIMATIONS
    row = entry.row
    if row is not None and row.output is not None:
        output = row.output
        if output.is_absolute() or ".." in output.parts:
            raise UsageError(f"{row.place}: output {output}: should be a name below {folder}.")
        if not output.suffix:
            raise UsageError(f"{row.place}: output {output}: has no ending, which says what kind of file it becomes.")
        fixed, fallback = True, output
    else:
        fixed = False
        if picture:
            output = entry.below if ending in WRITABLE_EXTENSIONS else entry.below.with_suffix(".png")
            fallback = output
        else:
            fallback = entry.below.with_suffix(".mkv")
            output = entry.below if ending in _KEPT_ENDINGS else fallback
            if ending in _ANIMATIONS:
                output = entry.below.with_suffix(".mp4")
    kind: Literal["clip", "picture"] = "picture" if picture else "clip"
    return Item(str(entry.below), entry.path, kind, output, fallback, fixed, reference, settings)


def _without_repeats(items: list[Item]) -> list[Item]:
    """Each once; what is named in two ways and would be written to the same place is one."""
    seen: set[tuple[Path, Path, Path, Settings]] = set()
    out = []
    for item in items:
        key = (item.input.resolve(), item.output, item.reference, item.settings)
        if key not in seen:
            seen.add(key)
            out.append(item)
    return out


def _distinct(items: list[Item]) -> list[Item]:
    """Every output once. A name with another ending than the input's gives way: `a.heic` -> `a.heic.png`.

    Raises:
        UsageError: two inputs would have the same output.
    """
    own = {_folded(item.output) for item in items if item.fixed or item.output.suffix == item.input.suffix}
    given: dict[str, Item] = {}
    out = []
    changed = sorted(items, key=lambda item: not (item.fixed or item.output.suffix == item.input.suffix))
    names = {}
    for item in changed:
        longer = item
        below = Path(item.name)
        if not item.fixed:
            if item.output.suffix != item.input.suffix and _folded(item.output) in {*own, *given}:
                longer = replace(longer, output=below.with_name(f"{below.name}{item.output.suffix}"))
            if item.fallback.suffix != item.input.suffix and _folded(item.fallback) in {*own, *given}:
                longer = replace(longer, fallback=below.with_name(f"{below.name}{item.fallback.suffix}"))
        for path in {longer.output, longer.fallback}:
            other = given.get(_folded(path))
            if other is not None:
                raise UsageError(
                    f"{item.input} and {other.input} would both become {path}. "
                    "Grade them into different folders, or name the outputs in a CSV list."
                )
        given |= {_folded(longer.output): longer, _folded(longer.fallback): longer}
        names[id(item)] = longer
    named: set[str] = set()
    for item in items:
        longer = names[id(item)]
        if longer.name in named:  # one input with several looks
            longer = replace(longer, name=f"{longer.name} -> {longer.output}")
        named.add(longer.name)
        out.append(longer)
    return out


def _folded(path: Path) -> str:
    """Names that differ in case alone are one file on some systems."""
    return str(path).casefold()


def _refuse_inputs(items: list[Item], folder: Path) -> None:
    inputs = {
        path.resolve() for item in items for path in (item.input, item.reference, item.mask, item.ref_mask) if path
    }
    for item in items:
        for path in {item.output, item.fallback}:
            if (folder / path).resolve() in inputs:
                raise UsageError(
                    f"{folder / path}: is an input of this run; an input is never overwritten. Choose another -o."
                )
