"""Text on pictures, in a stroke font of our own: no font has to be installed where a sheet is made.

A glyph is a few lines on a grid 4 units wide: capitals stand on 6 and reach up to 0, small letters to 2, tails hang
down to 8. `_GLYPHS` spells each line as pairs of digits, x and y.
"""

from __future__ import annotations

import itertools
import unicodedata
from functools import cache

import numpy as np
from numpy.typing import NDArray

_SPELLED = """
A 062046 1434|B 06003041423303 3344453606|C 4130100105163645|D 06003041453606|E 40000646 0333|F 400006 0333
G 41301001051636454323|H 0006 4046 0343|I 1030 2026 1636|J 404536160504|K 0006 4004 1346|L 000646|M 0600234046
N 06004640|O 100105163645413010|P 06003041423303|Q 100105163645413010 2446|R 06003041423303 2346
S 413010010213334445361605|T 0040 2026|U 000516364540|V 002640|W 0016223640|X 0046 4006|Y 002340 2326|Z 00400646
a 12324346 441405163645|b 0006 0312324345361605|c 4332120305163645|d 4046 4332120305163645
e 04444332120305163645|f 40302126 0333|g 4332120305163645 4247381807|h 0006 0312324346|i 2226 2020|j 22271808 2020
k 0006 4205 1446|l 10202536|m 0206 03122326 23324346|n 0206 0312324346|o 120305163645433212
p 0208 0312324345361605|q 4248 4332120305163645|r 0206 03123243|s 43321203143445361605|t 20253646 0242
u 0205163645 4246|v 022642|w 0216233642|x 0246 4206|y 0226 4218|z 02420646
0 100105163645413010 1432|1 112026 1636|2 01103041420646|3 01103041423313 334445361605|4 36300444
5 400003334445361605|6 413010010516364544331304|7 004016|8 100102133342413010 1304051636454433
9 051636454130100102133342|. 2626|, 2617|: 2323 2626|; 2323 2617|- 1434|_ 0747|/ 4006|\\ 0046|+ 0444 2226
= 0343 0545|( 30212536|) 10212516|[ 30101636|] 10303616|% 4006 0101 4545|* 2125 0244 4204|' 2021|" 1011 3031
# 1016 3036 0242 0444|< 420446|> 024406|! 2024 2626|? 01103041422324 2626|~ 04132443|→ 0444 334435|· 2424
× 1335 3315|± 0242 2024 0646|{ 302112142536|} 102132142516|& 4610013041050616364 4|@ 3424243444 4130100105163646
"""
_WIDTH, _SPACE, _BETWEEN = 4, 3, 1.8
_UNKNOWN = "0040460600"
_BOLDNESS = 0.42
_UP, _DOWN = 1, 9
"""Units of room above a capital and below its head."""


def _strokes() -> dict[str, tuple[NDArray[np.float64], ...]]:
    table = {}
    for entry in _SPELLED.strip().replace("\n", "|").split("|"):
        if entry:
            character, _, lines = entry.partition(" ")
            table[character] = tuple(_points(line) for line in lines.split() if len(line) > 1)
    return table


def _points(line: str) -> NDArray[np.float64]:
    digits = line[: len(line) // 2 * 2]
    return np.array([[int(digits[i]), int(digits[i + 1])] for i in range(0, len(digits), 2)], np.float64)


_GLYPHS = _strokes()


@cache
def _glyph(character: str, height: int) -> NDArray[np.float64]:
    """Coverage 0..1 of a character whose capitals are `height` pixels high; its columns include the gap after it."""
    unit = height / 6
    rows = round((_UP + _DOWN) * unit)
    if character == " ":
        return np.zeros((rows, round(_SPACE * unit)))
    lines = _GLYPHS.get(character) or (_points(_UNKNOWN),)
    left = min(line[:, 0].min() for line in lines)
    width = max(line[:, 0].max() for line in lines) - left
    columns = max(1, round((width + _BETWEEN) * unit))
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float64) + 0.5
    nearest = np.full((rows, columns), np.inf)
    for line in lines:
        places = (line - [left, 0] + [_BETWEEN / 2, _UP]) * unit
        for (x0, y0), (x1, y1) in itertools.pairwise(places):
            dx, dy = x1 - x0, y1 - y0
            along = np.clip(((x - x0) * dx + (y - y0) * dy) / max(dx * dx + dy * dy, 1e-9), 0, 1)
            nearest = np.minimum(nearest, np.hypot(x - x0 - along * dx, y - y0 - along * dy))
    return np.clip(max(_BOLDNESS * unit, 0.55) + 0.5 - nearest, 0, 1)


def _plain(text: str) -> str:
    """Accents are left off; what the font lacks then shows as a box."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def text_width(text: str, height: int) -> int:
    """Columns that `write` takes for text whose capitals are `height` pixels high."""
    return sum(_glyph(c, height).shape[1] for c in _plain(text))


def fitted(text: str, height: int, width: int) -> str:
    """The text, or as much of its two ends as goes into `width` columns, with dots between."""
    if text_width(text, height) <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        short = f"{text[: (kept + 1) // 2]}...{text[len(text) - kept // 2 :]}"
        if text_width(short, height) <= width:
            return short
    return ""


def write(canvas: NDArray[np.uint8], text: str, left: int, top: int, height: int, colour: tuple[int, int, int]) -> None:
    """Write a line on canvas (h, w, 3), in place: capitals `height` pixels high, their heads at row `top`.

    What would lie outside the canvas is cut off.
    """
    x = left
    y = top - round(_UP * height / 6)
    for character in _plain(text):
        cover = _glyph(character, height)
        rows, columns = cover.shape
        y0, y1 = max(y, 0), min(y + rows, canvas.shape[0])
        x0, x1 = max(x, 0), min(x + columns, canvas.shape[1])
        if y1 > y0 and x1 > x0:
            part = cover[y0 - y : y1 - y, x0 - x : x1 - x, None]
            under = canvas[y0:y1, x0:x1]
            under[...] = np.rint(under + part * (np.array(colour, np.float64) - under))
        x += columns
