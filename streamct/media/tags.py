"""What a stream's colour tags (ITU-T H.273) mean for its grade; what can't be graded, and what is only nearly right."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Literal

from streamct.errors import InputError
from streamct.model import Coding, ColorTags, Matrix

Primaries = Literal["bt709", "bt2020", "p3", "dci"]

_MATRICES: dict[int, Matrix] = {
    0: "rgb", 1: "bt709", 4: "bt601", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020",
}  # fmt: skip
_UNREAD_MATRICES = {
    8: "YCgCo", 10: "BT.2020 with constant luminance", 11: "YDzDx", 13: "constant luminance", 14: "ICtCp",
    15: "IPT-PQ-C2", 16: "YCgCo-Re", 17: "YCgCo-Ro",
}  # fmt: skip
_BY_PRIMARIES = 12
_DERIVED: dict[Primaries, Matrix] = {"bt709": "bt709", "bt2020": "bt2020"}
_TRANSFERS: dict[int, Literal["pq", "hlg"]] = {16: "pq", 18: "hlg"}
_PRIMARIES: dict[int, Primaries] = {1: "bt709", 9: "bt2020", 11: "dci", 12: "p3"}
PRIMARIES_NAMES = {"bt709": "BT.709", "bt2020": "BT.2020", "p3": "P3", "dci": "DCI-P3"}
_NEAR_PRIMARIES = {4: "NTSC (1953)", 8: "film", 10: "CIE XYZ", 22: "EBU 3213"}
"""Those of PAL and NTSC (5 to 7) are within 0.02 of BT.709's, and graded as such by everyone."""
_NEAR_TRANSFERS = {8: "linear", 9: "logarithmic", 10: "logarithmic", 17: "SMPTE 428"}
_HD_LINES = 720
_UNSAID = {"matrix": (2,), "primaries": (0, 2), "transfer": (0, 2), "range": (0,)}
INTERMEDIATES = {"prores", "dnxhd"}
"""Codecs to edit with. Their pictures often say what an encoder has for a default; editors follow the file's header."""
_SAYABLE = {"vp9": {0, 1, 2, 5, 6, 7, 9}}
"""Matrices that a codec's pictures can name, where it has no number for all of them."""


def agreed(header: ColorTags, pictures: ColorTags, codec: str) -> tuple[ColorTags, ColorTags | None]:
    """What a file says of its colours, and what its pictures say if that is something else and not followed.

    header: as the file was opened. pictures: of the first frame. Where one says nothing, the other is followed; where
    they contradict each other the pictures are, as by every player, but for codecs to edit with the header is.
    """
    found, contradicted = {}, False
    for name, unsaid in _UNSAID.items():
        told, shown = getattr(header, name), getattr(pictures, name)
        both = told not in unsaid and shown not in unsaid
        found[name] = told if shown in unsaid or (both and codec in INTERMEDIATES) else shown
        contradicted = contradicted or (both and found[name] != shown)
    return ColorTags(**found), pictures if contradicted else None


def contradictions(tags: ColorTags, contradicted: ColorTags | None) -> list[str]:
    """A line that says which tags of the pictures are not followed."""
    if contradicted is None:
        return []
    pairs = [(name, getattr(contradicted, name), getattr(tags, name)) for name in _UNSAID]
    differ = [(name, shown, told) for name, shown, told in pairs if shown != told and shown not in _UNSAID[name]]
    if not differ:
        return []
    shown, told = (", ".join(f"{name} {pair[side]}" for name, *pair in differ) for side in (0, 1))
    return [
        f"its pictures say of their colours: {shown}; the file's header says: {told} (numbers of ITU-T H.273). "
        "The header is followed and kept"
    ]


def reported(tags: ColorTags, codec: str) -> ColorTags:
    """What decoded pictures of `codec` say of their colours if they were encoded with `tags`."""
    sayable = tags.matrix in _SAYABLE.get(codec, {tags.matrix})
    return tags if sayable else replace(tags, matrix=_UNSAID["matrix"][0])


def coding_of(tags: ColorTags, rgb: bool, full_range: bool, height: int, path: Path) -> Coding:
    """How samples become colours. rgb: the planes are R'G'B'. height: decides where no matrix is named.

    Raises:
        InputError: the matrix is none that can be graded.
    """
    transfer: Literal["srgb", "pq", "hlg"] = _TRANSFERS.get(tags.transfer) or "srgb"
    primaries = _PRIMARIES.get(tags.primaries, "bt709")
    if rgb:
        return Coding("rgb", True, transfer, primaries)
    untagged: Matrix = "bt709" if height >= _HD_LINES else "bt601"
    matrix = _MATRICES.get(tags.matrix, untagged)
    if tags.matrix == _BY_PRIMARIES and primaries in _DERIVED:
        matrix = _DERIVED[primaries]
    elif tags.matrix in _UNREAD_MATRICES or tags.matrix == _BY_PRIMARIES:
        name = _UNREAD_MATRICES.get(tags.matrix, "a matrix of its primaries")
        wide = primaries != "bt709"
        target = "2020_ncl:p=2020" if wide else "709"
        raise InputError(
            f"{path}: its colours are coded as {name} (matrix {tags.matrix}), which can't be graded. Convert it first, "
            f"for instance with ffmpeg -i {shlex.quote(path.name)} -vf zscale=m={target} -c:v ffv1 -c:a copy out.mkv."
        )
    return Coding(untagged if matrix == "rgb" else matrix, full_range, transfer, primaries)


def nearly(tags: ColorTags) -> list[str]:
    """Lines that say which tags are read as other ones."""
    lines = []
    if tags.primaries in _NEAR_PRIMARIES:
        name = _NEAR_PRIMARIES[tags.primaries]
        lines.append(f"{name} primaries are graded as if they were BT.709's; the tag stays")
    if tags.transfer in _NEAR_TRANSFERS:
        name = _NEAR_TRANSFERS[tags.transfer]
        lines.append(f"a {name} transfer is graded as if it were sRGB's; the tag stays")
    return lines
