"""Cubes as text: `.cube` (Adobe Cube LUT specification 1.0, with Resolve's input ranges) in and out; `.3dl` out.

A .cube file has keyword lines, then three numbers a line: the curves' values, if there are curves, then the
lattice's, red changing fastest. `#` begins a comment, on a line of its own or after what a line holds. Lines may be
blank and may end in LF, CRLF or CR.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from streamct.color.cube import Cube, Curves, Lattice
from streamct.errors import LutError
from streamct.model import FloatArray

CURVE_SIZES = (2, 65_536)
LATTICE_SIZES = (2, 256)
_LARGEST = 1e37
_LINE_LENGTH = 250
"""What a line may hold, in bytes."""
_SIZES = {"LUT_1D_SIZE": CURVE_SIZES, "LUT_3D_SIZE": LATTICE_SIZES}
_RANGES = {"LUT_1D_INPUT_RANGE": 2, "LUT_3D_INPUT_RANGE": 2, "DOMAIN_MIN": 3, "DOMAIN_MAX": 3}
_KEYWORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def parse_cube(text: str, name: str) -> Cube:
    """The cube that a .cube file's text holds. name: the file's, for messages.

    Raises:
        LutError: naming file and line: an unknown or repeated keyword, a size out of range, a value that is no
            finite number, an empty domain, or more or fewer lines of values than the sizes say.
    """
    return _Parser(name).parse(text)


class _Parser:
    def __init__(self, name: str) -> None:
        self._name = name
        self._line = 0
        self._title: str | None = None
        self._sizes: dict[str, int] = {}
        self._ranges: dict[str, FloatArray] = {}
        self._values: FloatArray | None = None
        self._count = 0

    def parse(self, text: str) -> Cube:
        for self._line, raw in enumerate(re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff")), 1):
            line = raw.strip()
            if not line or line[0] == "#":
                continue
            word = _KEYWORD.match(line)
            if word is not None and word[0].lower() not in ("nan", "inf", "infinity"):
                self._keyword(word[0], line[word.end() :].strip())
            else:
                self._row(line)
        return self._finished()

    def _wrong(self, what: str, line: int | None = None) -> LutError:
        return LutError(f"{self._name}, line {line or self._line}: {what}")

    def _keyword(self, word: str, rest: str) -> None:
        if word == "TITLE":
            if self._title is not None:
                raise self._wrong("a second TITLE. Remove one.")
            quoted = re.match(r'"([^"]*)"\s*(#.*)?$', rest)
            self._title = quoted[1] if quoted else rest
            return
        rest = rest.partition("#")[0].strip()
        if word in _SIZES:
            self._before_values(word, word in self._sizes)
            self._sizes[word] = self._size(word, rest)
        elif word in _RANGES:
            self._before_values(word, word in self._ranges)
            self._ranges[word] = self._numbers(rest, _RANGES[word], word)
        else:
            raise self._wrong(
                f"unknown keyword {word!r}. Known: TITLE, {', '.join([*_SIZES, *_RANGES])}. "
                "A keyword that this file depends on can't be left out; export the LUT as a plain .cube."
            )

    def _before_values(self, word: str, again: bool) -> None:
        if again:
            raise self._wrong(f"a second {word}. Remove one.")
        if self._values is not None:
            raise self._wrong(f"{word} stands after the first values; keywords come before them.")

    def _size(self, word: str, rest: str) -> int:
        low, high = _SIZES[word]
        if not rest.isdecimal() or not low <= int(rest) <= high:
            raise self._wrong(f"{word} {rest or '(nothing)'}: should be a whole number from {low} to {high}.")
        return int(rest)

    def _numbers(self, text: str, count: int, what: str) -> FloatArray:
        words = text.split()
        if len(words) != count:
            raise self._wrong(f"{what} has {len(words)} instead of {count} numbers: {text[:60]!r}.")
        for word in words:
            if not _NUMBER.fullmatch(word):
                raise self._wrong(f"{word!r} is no finite number.")
        values = [float(word) for word in words]
        for word, value in zip(words, values, strict=True):
            if not math.isfinite(value) or abs(value) > _LARGEST:
                raise self._wrong(f"{word} lies beyond the format's limit of 1e37.")
        return np.array(values)

    def _row(self, line: str) -> None:
        if self._values is None:
            if not self._sizes:
                raise self._wrong(f"expected LUT_3D_SIZE or LUT_1D_SIZE before the first values, found {line[:60]!r}.")
            self._values = np.empty((self._expected(), 3))
        if self._count == len(self._values):
            raise self._wrong(f"more values than the {len(self._values)} lines that {self._said()} asks for.")
        self._values[self._count] = self._numbers(line.partition("#")[0], 3, "a line of values")
        self._count += 1

    def _expected(self) -> int:
        return self._sizes.get("LUT_1D_SIZE", 0) + self._sizes.get("LUT_3D_SIZE", 0) ** 3

    def _said(self) -> str:
        return " and ".join(f"{word} {size}" for word, size in self._sizes.items())

    def _finished(self) -> Cube:
        if not self._sizes:
            raise LutError(f"{self._name}: holds neither LUT_3D_SIZE nor LUT_1D_SIZE; it is no .cube file.")
        if self._values is None or self._count < len(self._values):
            raise self._wrong(
                f"the file ends after {self._count} lines of values; {self._said()} asks for {self._expected()}. "
                "It is probably cut off."
            )
        split = self._sizes.get("LUT_1D_SIZE", 0)
        curves = lattice = None
        if split:
            curves = Curves(self._values[:split], *self._domain("LUT_1D_INPUT_RANGE"))
        if "LUT_3D_SIZE" in self._sizes:
            size = self._sizes["LUT_3D_SIZE"]
            # DOMAIN_* speak of the file's input, which curves see first.
            domain = self._domain("LUT_3D_INPUT_RANGE", shared=curves is None)
            lattice = Lattice(self._values[split:].reshape(size, size, size, 3), *domain)
        return Cube(lattice, curves, self._title or "")

    def _domain(self, word: str, shared: bool = True) -> tuple[FloatArray, FloatArray]:
        low, high = np.zeros(3), np.ones(3)
        if word in self._ranges:
            low, high = np.full(3, self._ranges[word][0]), np.full(3, self._ranges[word][1])
        for key, current in (("DOMAIN_MIN", low), ("DOMAIN_MAX", high)):
            if shared and key in self._ranges:
                if word in self._ranges and not np.array_equal(current, self._ranges[key]):
                    raise LutError(f"{self._name}: {word} and {key} contradict each other. Remove one.")
                current[:] = self._ranges[key]
        if not (low < high).all():
            raise LutError(f"{self._name}: the input range is empty: {_spelled(low)} to {_spelled(high)}.")
        return low, high


def _spelled(values: FloatArray) -> str:
    return " ".join(f"{value:g}" for value in values)


def format_cube(lattice: Lattice, title: str, comments: Sequence[str] = ()) -> str:
    """The text of a .cube file: title, comments, size, domain, values to six places; ASCII, lines end in LF.

    What is not ASCII in title and comments becomes `?`; quotes in the title become single, long comments are wrapped.
    """
    title = " ".join(title.replace('"', "'").split())
    lines = [f'TITLE "{_ascii(title)[: _LINE_LENGTH - 10]}"']
    lines += [f"# {part}" for comment in comments for part in _wrapped(_ascii(comment))]
    lines.append(f"LUT_3D_SIZE {len(lattice.table)}")
    lines.append(f"DOMAIN_MIN {_spelled(lattice.low)}")
    lines.append(f"DOMAIN_MAX {_spelled(lattice.high)}")
    rows = np.round(lattice.table.reshape(-1, 3), 6) + 0.0  # no minus before a zero
    lines += [f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in rows.tolist()]
    return "\n".join(lines) + "\n"


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode("ascii")


def _wrapped(text: str) -> list[str]:
    room = _LINE_LENGTH - 10
    flat = " ".join(text.split())
    return [flat[i : i + room] for i in range(0, len(flat), room)] or [""]


_MESH_TOP, _VALUE_TOP = 1023, 4095


def format_3dl(lattice: Lattice, comments: Sequence[str] = ()) -> str:
    """The text of a .3dl file: the nodes in 10 bits, then values in 12 bits, blue changing fastest.

    lattice: over 0..1; 17 nodes an axis is what every reader takes.
    """
    size = len(lattice.table)
    mesh = " ".join(str(round(k * _MESH_TOP / (size - 1))) for k in range(size))
    lines = [f"# {part}" for comment in comments for part in _wrapped(_ascii(comment))]
    values = np.rint(np.clip(lattice.table, 0, 1) * _VALUE_TOP).astype(int).transpose(2, 1, 0, 3).reshape(-1, 3)
    return "\n".join([*lines, mesh, *(f"{r} {g} {b}" for r, g, b in values.tolist())]) + "\n"
