"""What a batch is given, and what that makes: one entry for each output, in a fixed order, before any work is done.

An output's name follows from its input's alone: it is the same name where the ending stays, else the whole name and
the new ending (`a.mp4`, `a.heic.png`). So a file that comes later never changes what an earlier one became.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from streamct.errors import UsageError
from streamct.manifest import Row, is_manifest, read_manifest, with_row
from streamct.media.endings import ANIMATIONS, KEPT_ENDINGS
from streamct.media.files import tells_case
from streamct.media.image import PICTURE_EXTENSIONS, WRITABLE_EXTENSIONS
from streamct.references import Given, References, parse_reference, references
from streamct.settings import Settings
from streamct.walk import GLOB, Told, matches, walk

_NUMBERED = re.compile(r"%0?\d*d")
_FAULTS = 20
"""Lines of a list that are told to be wrong, at most."""


@dataclass(frozen=True, slots=True)
class Item:
    """One input and what becomes of it.

    name: of the input below its source, as messages call it; unique. kind: of pictures, one or many. output: its name
    below the output folder. fixed: the user chose that name; else a clip whose container can't be kept becomes
    `fallback`. place: where a list names it, and ref_place where one names its reference, else "". contested: names
    among these two that another input has, and why it is not to have them too. The rest is as for
    `streamct.pipeline.grade_video`.
    """

    name: str
    input: Path
    kind: Literal["clip", "picture"]
    output: Path
    fallback: Path
    fixed: bool
    reference: References
    settings: Settings
    mask: Path | None = None
    ref_mask: Path | None = None
    cuts: Path | None = None
    place: str = ""
    ref_place: str = ""
    contested: tuple[tuple[Path, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Collected:
    """All entries, and lines for the user. notes: about what was left out. unread: about folders that can't be read,
    so that what may lie in them is not graded."""

    items: tuple[Item, ...]
    notes: tuple[str, ...]
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Found:
    """An input and its name below its source; row: where a list names it."""

    path: Path
    below: Path
    row: Row | None = None


def collect(
    sources: Iterable[Path],
    reference: Given | None,
    folder: Path,
    settings: Settings,
    *,
    recursive: bool = False,
    mask: Path | None = None,
    ref_mask: Path | None = None,
) -> Collected:
    """What folders, files, patterns and lists come to.

    sources: a folder stands for the videos and pictures in it by their endings, a pattern such as `takes/**/*.mov` for
    what it matches, but for other files, unless it names their ending, a .txt or .csv file for what it lists; any other
    path for itself, whether or not it is there. reference: for all whose list names none. folder: of all outputs; what
    lies in it is no input, unless it is named. recursive: folders with all that is below them.

    Raises:
        UsageError: nothing to do, no source is there, no reference, two outputs of one name, an output that is an input
            or out of place.
        InputError: a folder or a list can't be read.
    """
    told, found = Told(), list[_Found]()
    wanted = None if reference is None else references(reference)
    for source in sources:
        found += _expand(source, folder, recursive, told)
    if found and all(entry.row is None and _is_missing(entry.path) for entry in found):
        raise UsageError(f"{', '.join(str(entry.path) for entry in found)}: no such file or folder. Check the path.")
    items, faults = list[Item](), list[UsageError]()
    for entry in found:
        try:
            item = _chosen(entry, folder, wanted, settings)
        except UsageError as error:  # of a line in a list; whoever corrects it wants to know of all
            faults.append(error)
            continue
        items.append(replace(item, mask=item.mask or mask, ref_mask=item.ref_mask or ref_mask))
    _raise(faults)
    items = _without_repeats(items)
    if not items:
        raise UsageError(
            f"{', '.join(map(str, sources))}: no videos or pictures. {' '.join([*told.notes, *told.unread])}".strip()
        )
    items = _named(_distinct(items, folder))
    _refuse_inputs(items, folder)
    return Collected(tuple(items), tuple(told.notes), tuple(told.unread))


def _raise(faults: Sequence[UsageError]) -> None:
    """All that is wrong with a list as one error, if anything is."""
    if len(faults) == 1:
        raise faults[0]
    if faults:
        more = [f"and {len(faults) - _FAULTS} more lines are wrong."] if len(faults) > _FAULTS else []
        raise UsageError("\n".join([*map(str, faults[:_FAULTS]), *more]))


def _chosen(entry: _Found, folder: Path, reference: References | None, settings: Settings) -> Item:
    """What becomes of one input; see `collect`."""
    row = entry.row
    if row is not None and row.fault:
        raise UsageError(row.fault)
    chosen = references(str(row.reference)) if row is not None and row.reference is not None else reference
    if chosen is None:
        raise UsageError(
            f"{row.place if row else entry.path}: has no reference. Give REF or --ref, or a column 'reference'."
        )
    if row is None:
        return _item(entry, folder, chosen, settings)
    item = _item(entry, folder, chosen, with_row(settings, row))
    ref_place = row.place if row.reference is not None else ""
    return replace(
        item, mask=row.mask, ref_mask=row.ref_mask, cuts=row.cuts, place=row.place, ref_place=ref_place
    )  # fmt: skip


def _expand(source: Path, folder: Path, recursive: bool, told: Told) -> Iterator[_Found]:
    text = str(source)
    if os.path.isdir(source):
        for path, below in walk(source, folder, recursive, told):
            yield _Found(path, below)
    elif is_manifest(source):
        yield from _listed(read_manifest(source))
    elif GLOB.search(text) and _is_missing(source):
        for path, below in matches(source, folder, told):
            yield _Found(path, below)
    elif _NUMBERED.search(source.name):
        raise UsageError(f"{source}: numbered pictures are one video. Grade them with `streamct video`.")
    elif _is_missing(source) and (weighted := parse_reference(text).path) != source and os.path.exists(weighted):
        raise UsageError(f"{source}: a weight is for a reference. Give references with --ref: --ref {source}.")
    else:
        yield _Found(source, Path(source.name))


def _is_missing(path: Path) -> bool:
    """Whether nothing is there, as opposed to what can't be looked at."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _listed(rows: list[Row]) -> list[_Found]:
    """The entries of a list, named below its folder. Those that lie elsewhere are named below the folder that these
    have in common, or where that gives two one name, all are below the folder that all have in common."""
    base = Path(os.path.abspath(rows[0].base))
    placed = [Path(os.path.abspath(row.input)) for row in rows]
    away = [path for path in placed if not path.is_relative_to(base)]
    common = _common(away) if away else base
    names = [path.relative_to(base if path.is_relative_to(base) else common) for path in placed]
    if len(set(zip(names, placed, strict=True))) > len(set(names)):
        common = _common(placed)
        names = [path.relative_to(common) for path in placed]
    return [_Found(row.input, name, row) for row, name in zip(rows, names, strict=True)]


def _common(paths: list[Path]) -> Path:
    return Path(os.path.commonpath([path.parent for path in paths]))


def _item(entry: _Found, folder: Path, reference: References, settings: Settings) -> Item:
    ending = entry.path.suffix.lower()
    picture = ending in PICTURE_EXTENSIONS and ending not in ANIMATIONS
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
            output = entry.below if ending in WRITABLE_EXTENSIONS else _longer(entry.below, ".png")
            fallback = output
        else:
            fallback = entry.below if ending == ".mkv" else _longer(entry.below, ".mkv")
            output = entry.below if ending in KEPT_ENDINGS else fallback
            if ending in ANIMATIONS:
                output = _longer(entry.below, ".mp4")
    kind: Literal["clip", "picture"] = "picture" if picture else "clip"
    return Item(str(entry.below), entry.path, kind, output, fallback, fixed, reference, settings)


def _longer(name: Path, ending: str) -> Path:
    return name.with_name(f"{name.name}{ending}")


def _without_repeats(items: list[Item]) -> list[Item]:
    """Each once; what is named in two ways and would be written to the same place is one."""
    seen: set[tuple[str, Path, References, Settings]] = set()
    out = []
    for item in items:
        key = (os.path.realpath(item.input), item.output, item.reference, item.settings)
        if key not in seen:
            seen.add(key)
            out.append(item)
    return out


def _distinct(items: list[Item], folder: Path) -> list[Item]:
    """Every output once. Of names that differ in case alone, where they are one file, the first has it; a fallback
    gives way to what has its name by right. Who comes too late fails alone, if it would become that at all.

    Raises:
        UsageError: two inputs would have the same output.
    """
    outputs = {name for item in items for name in (item.output, item.fallback)}
    folds = len(set(map(_folded, outputs))) < len(outputs) and not tells_case(folder)
    owners: dict[str, Item] = {}
    contested: dict[int, list[tuple[Path, str]]] = {}
    faults = list[UsageError]()
    for item, name in [(i, i.output) for i in items] + [(i, i.fallback) for i in items if i.fallback != i.output]:
        other = owners.setdefault(_folded(name) if folds else str(name), item)
        if other is item:
            continue
        if name == item.output == other.output:
            faults.append(UsageError(_both(item, other, name)))
        else:
            alike = name in (other.output, other.fallback)
            contested.setdefault(id(item), []).append((name, _both(item, other, name, None if alike else folder)))
    _raise(faults)
    return [replace(item, contested=tuple(contested.get(id(item), ()))) for item in items]


def _both(item: Item, other: Item, name: Path, folds: Path | None = None) -> str:
    """Why two can't have one name. folds: a folder for which upper and lower case are the same."""
    one, two = (f"{i.input} ({i.place})" if i.place else str(i.input) for i in (other, item))
    said = f"{one} and {two} would both become {name}"
    if folds is not None:
        said += f", because {folds} does not tell upper from lower case"
    if item.place or other.place:
        return f"{said}. Give one of them another name, in the column 'output' of a CSV list."
    return f"{said}. Grade them into different folders, or name the outputs in a CSV list."


def _named(items: list[Item]) -> list[Item]:
    """Each with a name of its own: one input may have several looks."""
    named: set[str] = set()
    out = []
    for item in items:
        if item.name in named:
            item = replace(item, name=f"{item.name} -> {item.output}")
        named.add(item.name)
        out.append(item)
    return out


def _folded(path: Path) -> str:
    """Names that differ in case alone are one file on some systems."""
    return str(path).casefold()


def _refuse_inputs(items: list[Item], folder: Path) -> None:
    inputs = {
        os.path.realpath(path)
        for item in items
        for path in (item.input, *item.reference.paths, item.mask, item.ref_mask)
        if path
    }
    for item in items:
        for path in {item.output, item.fallback}:
            if os.path.realpath(folder / path) in inputs:
                raise UsageError(
                    f"{folder / path}: is an input of this run; an input is never overwritten. Choose another -o."
                )
