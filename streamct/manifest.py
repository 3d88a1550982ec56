"""Lists of what is to be graded: text, one path a line, or CSV with a line of column names.

A text file holds one input a line. A CSV file has the column `input` and any of `reference`, `output`, `settings`,
`mask`, `ref_mask`, `cuts`, parted by commas, or as its first line is by semicolons or tabs; an empty field is as if its
column were not there. In both, empty lines and lines that begin with # are left out. Paths are relative to the list's
folder, those of `output` to the folder that everything is written to. `settings` is the path of a TOML file, or pairs
such as `mapping.strength=0.5 output.crf=20`, values with spaces in quotes; they go over the flags. Paths in it
(`input.lut`, `segment.weights`) are relative to the list's folder too. Without an output name, outputs lie in the
output folder as their inputs in the list's; inputs elsewhere, as in the folder that they have in common.
"""

from __future__ import annotations

import csv
import difflib
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from streamct.errors import InputError, SettingsError, UsageError
from streamct.settings import Settings

ENDINGS = (".csv", ".txt")
_COLUMNS = ("input", "reference", "output", "settings", "mask", "ref_mask", "cuts")
_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
_PAIR = re.compile(r"""[^\s;=]+=(?:"[^"]*"|'[^']*'|\[[^]]*\]|[^\s;]*)|[^\s;]+""")
"""What belongs together in settings: up to a space or a semicolon, unless the value is in quotes or brackets."""
_PATHS = ("input__lut", "segment__weights")
"""Settings that are paths."""


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a list. place: where it stands, for messages. base: the folder that its paths are relative to.

    fault: what is wrong with the line itself, "" if nothing; such a row has no input.
    """

    place: str
    base: Path
    input: Path
    reference: Path | None = None
    output: Path | None = None
    settings: str | None = None
    mask: Path | None = None
    ref_mask: Path | None = None
    cuts: Path | None = None
    fault: str = ""


def is_manifest(path: Path) -> bool:
    """Whether a source is a list, by its name; `-` is one in text form from standard input."""
    return path == Path("-") or path.suffix.lower() in ENDINGS


def read_manifest(path: Path) -> list[Row]:
    """The entries of a list, in its order. A line with more fields than columns or without an input has a `fault`.

    Raises:
        InputError: it can't be read, or holds nothing.
        UsageError: an unknown column, or none for the input.
    """
    try:
        if path == Path("-"):
            text, base = sys.stdin.read(), Path()
        else:
            text, base = path.read_text(encoding="utf-8-sig"), path.parent
    except (OSError, UnicodeDecodeError) as cause:
        reason = getattr(cause, "strerror", None) or "it is not UTF-8 text"
        raise InputError(f"{path}: can't be read as a list of inputs ({reason}). Check the path.") from cause
    rows = _csv(path, text, base) if path.suffix.lower() == ".csv" else _lines(path, text, base)
    if not rows:
        raise InputError(f"{path}: names no inputs.")
    return rows


def _lines(path: Path, text: str, base: Path) -> list[Row]:
    found = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    return [
        Row(f"{path}: line {number}", base, base / line) for number, line in found if line and not line.startswith("#")
    ]


def _csv(path: Path, text: str, base: Path) -> list[Row]:
    lines = ["" if line.lstrip().startswith("#") else line for line in text.splitlines()]
    first = next((line for line in lines if line.strip()), "")
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(lines, delimiter=separator)
    header = [name.strip().lower() for name in next((fields for fields in reader if fields), [])]
    place = f"{path}: line {reader.line_num}"
    for name in header:
        if name not in _COLUMNS:
            close = difflib.get_close_matches(name, _COLUMNS, n=1, cutoff=0.0)
            raise UsageError(
                f"{place}: unknown column {name!r} (did you mean {close[0]!r}?); known: {', '.join(_COLUMNS)}."
            )
    if "input" not in header:
        raise UsageError(f"{place}: has no column 'input'. Known columns: {', '.join(_COLUMNS)}.")
    rows = []
    for fields in reader:
        if not any(field.strip() for field in fields):
            continue
        place = f"{path}: line {reader.line_num}"
        if len(fields) > len(header):
            fault = f"{len(fields)} fields in {len(header)} columns. Put quotes round a {_SEPARATORS[separator]}."
            rows.append(Row(place, base, base, fault=f"{place}: {fault}"))
            continue
        given = {name: field.strip() for name, field in zip(header, fields, strict=False) if field.strip()}
        if "input" not in given:
            rows.append(Row(place, base, base, fault=f"{place}: names no input."))
            continue
        paths: dict[str, Any] = {
            name: base / given[name] for name in _COLUMNS if name in given and name not in ("output", "settings")
        }
        output = Path(given["output"]) if "output" in given else None
        rows.append(Row(place, base, output=output, settings=given.get("settings"), **paths))
    return rows


def with_row(settings: Settings, row: Row) -> Settings:
    """Settings with those of an entry over them.

    Raises:
        SettingsError: naming the entry and what is wrong.
    """
    if row.settings is None:
        return settings
    try:
        return _over(settings, row.settings, row.base)
    except SettingsError as error:
        raise SettingsError(f"{row.place}: {error}") from error


@lru_cache(maxsize=256)
def _over(settings: Settings, text: str, base: Path) -> Settings:
    if text.lower().endswith(".toml"):
        path = base / text
        try:
            return settings.updated(**_placed(_flat(tomllib.loads(path.read_text(encoding="utf-8"))), base))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as cause:
            raise SettingsError(f"{path}: can't be read as TOML: {cause}") from cause
    changes: dict[str, Any] = {}
    for pair in _PAIR.findall(text):
        key, equals, value = pair.partition("=")
        if not equals or "." not in key:
            raise SettingsError(
                f"{pair!r}: should be a .toml file or section.key=value pairs, such as mapping.strength=0.5"
            )
        changes[key.replace(".", "__")] = _value(value)
    return settings.updated(**_placed(changes, base))


def _placed(changes: dict[str, Any], base: Path) -> dict[str, Any]:
    """Changes whose paths start from `base`."""
    return {key: base / value if key in _PATHS and isinstance(value, str) else value for key, value in changes.items()}


def _flat(tables: Mapping[str, Any]) -> dict[str, Any]:
    """`{"mapping": {"alpha": 0.5}}` as `{"mapping__alpha": 0.5}`."""
    out: dict[str, Any] = {}
    for section, fields in tables.items():
        if isinstance(fields, Mapping):
            out |= {f"{section}__{key}": value for key, value in fields.items()}
        else:
            out[section] = fields
    return out


def _value(text: str) -> Any:
    """A TOML value, or the word as it is, without its quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
