"""The text of palette and map files: written to be read by people, read with a word on every mistake."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from streamct.errors import LookFileError
from streamct.grade.lookfile import (
    MAP_FORMAT,
    PALETTE_FORMAT,
    VERSION,
    Document,
    Input,
    MapFile,
    MappedColour,
    MappedShot,
    Origin,
    PaletteFile,
    ReferenceColour,
    RegionMap,
    RegionPalette,
    RegionReference,
)
from streamct.media.files import written_whole

_LARGEST = 64 << 20
_LINE = 132
T = TypeVar("T", bound=Document)


def read_palette(path: Path) -> PaletteFile:
    """Read a palette file.

    Raises:
        LookFileError: missing, no JSON, or anything in it that is wrong; the message names the place.
    """
    return _read(path, PaletteFile, PALETTE_FORMAT)


def read_map(path: Path) -> MapFile:
    """Read a map file; see `read_palette`."""
    return _read(path, MapFile, MAP_FORMAT)


def write_document(path: Path, document: PaletteFile | MapFile) -> None:
    """Write a palette or a map; it appears whole or not at all.

    Raises:
        OutputError: it can't be written.
    """
    with written_whole(path) as temporary:
        temporary.write_text(document_text(document), encoding="utf-8")


def document_text(document: PaletteFile | MapFile) -> str:
    """The file's text: JSON in lines that people can read, fields in the order of the format."""
    values = document.model_dump(mode="json")
    head = {name: values.pop(name) for name in ("format", "version")}
    left_out = ("foreground_share", "apart", "automatic")
    return "\n".join(_lines(_without(head | values, left_out), 0)) + "\n"


def _without(value: Any, names: tuple[str, ...]) -> Any:
    """The document without what is None and need not be said."""
    if isinstance(value, dict):
        return {k: _without(v, names) for k, v in value.items() if v is not None or k not in (*names, "lab", "hex")}
    return [_without(v, names) for v in value] if isinstance(value, list) else value


def _lines(value: Any, indent: int) -> list[str]:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if len(text) + 2 * indent <= _LINE or not isinstance(value, dict | list) or not value:
        return [text]
    out = []
    keys = [f"{json.dumps(k, ensure_ascii=False)}: " for k in value] if isinstance(value, dict) else [""] * len(value)
    items = list(value.values()) if isinstance(value, dict) else value
    for k, (key, item) in enumerate(zip(keys, items, strict=True)):
        inner = _lines(item, indent + 1)
        inner[0] = key + inner[0]
        if k + 1 < len(items):
            inner[-1] += ","
        out += ["  " + line for line in inner]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return [opening, *out, closing]


def _read(path: Path, kind: type[T], name: str) -> T:
    what = "palette" if name == PALETTE_FORMAT else "map"
    maker = f"`streamct {what}` writes one."
    try:
        if path.stat().st_size > _LARGEST:
            raise LookFileError(f"{path}: is larger than any {what} ({_LARGEST >> 20} MiB). {maker}")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise LookFileError(f"{path}: no such {what}. Check the path; {maker}") from None
    except (OSError, UnicodeDecodeError) as cause:
        raise LookFileError(f"{path}: can't be read as a {what} ({cause}). {maker}") from cause
    if not text.strip():
        raise LookFileError(f"{path}: is empty. {maker}")
    try:
        values = json.loads(text, object_pairs_hook=_unrepeated)
    except json.JSONDecodeError as cause:
        raise LookFileError(
            f"{path}: line {cause.lineno}, column {cause.colno}: is no JSON ({cause.msg}). Correct it; {maker}"
        ) from cause
    except _RepeatedError as cause:
        raise LookFileError(f"{path}: {cause}. Delete one of them.") from cause
    except ValueError as cause:  # an integer of thousands of digits
        raise LookFileError(f"{path}: holds a number that is none ({cause}). Correct it; {maker}") from cause
    except RecursionError as cause:
        raise LookFileError(f"{path}: is nested too deeply for a {what}. {maker}") from cause
    if not isinstance(values, dict) or values.get("format") != name:
        found = values.get("format") if isinstance(values, dict) else None
        other = f" but {found!r}" if isinstance(found, str) else ""
        raise LookFileError(f'{path}: is no {what}: "format" is not "{name}"{other}. {maker}')
    if values.get("version") != VERSION or isinstance(values.get("version"), bool):
        raise LookFileError(
            f"{path}: is a {what} of version {values.get('version')!r}, this streamct reads version {VERSION}. "
            f"Make it again with `streamct {what}`."
        )
    try:
        return kind.model_validate(values)
    except ValidationError as cause:
        raise LookFileError(f"{path}: {'; '.join(_explain(cause, kind))}") from cause


class _RepeatedError(ValueError):
    pass


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _RepeatedError(f"the field {twice!r} stands twice in one place")
    return out


_MOST_TOLD = 5


def _explain(error: ValidationError, kind: type[BaseModel]) -> Iterator[str]:
    """A line for each mistake: where, what, and what to do."""
    known = _names(kind)
    mistakes = error.errors()
    for item in mistakes[:_MOST_TOLD]:
        place = _place(item["loc"])
        if item["type"] == "extra_forbidden":
            name = str(item["loc"][-1])
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            remedy = f"did you mean {close[0]!r}?" if close else "delete it"
            yield f"{place}: is no field of this format; {remedy}"
        elif item["type"] == "missing":
            yield f"{place}: is missing"
        elif item["type"] == "finite_number":
            yield f"{place}: is {item['input']}, which is no colour or weight; give a number"
        elif item["type"] == "value_error":
            said = str(item["ctx"]["error"])
            yield f"{place}: {said}" if place else said
        elif item["type"] == "string_pattern_mismatch":
            yield f"{place} = {json.dumps(item['input'])[:60]}: is no colour; write it as #rrggbb"
        else:
            yield f"{place} = {json.dumps(item['input'], default=str)[:60]}: {item['msg'][0].lower()}{item['msg'][1:]}"
    if len(mistakes) > _MOST_TOLD:
        yield f"and {len(mistakes) - _MOST_TOLD} mistakes more"


def _names(kind: type[BaseModel]) -> list[str]:
    """Names of all fields of the documents."""
    parts: tuple[type[BaseModel], ...] = (
        kind, RegionPalette, RegionReference, ReferenceColour, RegionMap, MappedColour, MappedShot, Input, Origin,
    )  # fmt: skip
    return sorted({name for part in parts for name in part.model_fields})


def _place(loc: Iterable[str | int]) -> str:
    out = ""
    for part in loc:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else part
    return out
