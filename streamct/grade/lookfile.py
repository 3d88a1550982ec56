"""Palettes and maps as documents: JSON that people read and edit (`streamct.grade.looktext` reads and writes it).

A **palette** file holds what a reference looks like and stands in for it:

    {"format": "streamct palette", "version": 1, "palettes": [
      {"region": "whole", "colours": [{"lab": [52.1, 8.3, -20.9], "hex": "#7177a0", "weight": 0.31}, ...]}]}

`region` is "whole", "foreground" or "background"; "whole" is always there, the other two together or not at all. A
colour may be given as `lab` (CIE L*a*b*, D65), as `hex` (sRGB) or as both, which then have to agree. Weights count
relative to each other, 1 where none is given.

A **map** file holds where each colour of a picture or a clip goes, shot by shot:

    {"format": "streamct map", "version": 1,
     "reference": [{"region": "whole", "colours": [{"lab": ..., "hex": ..., "weight": 0.31, "forbidden": false}, ...]}],
     "shots": [{"start": 0, "stop": 48, "seconds": 0.0, "mappings": [{"region": "whole", "colours": [
       {"source": {"lab": ..., "hex": ...}, "weight": 0.2, "automatic": {"lab": ..., "hex": ...},
        "target": {"lab": ..., "hex": ...}, "locked": false}, ...]}]}]}

`stop` of the last shot may be null: to the end, of whatever clip. A target that differs from `automatic`, that has no
`automatic`, or that is locked is held: the colour goes there exactly. Of a target's `lab` and `hex` the one that
was edited counts: the one that differs from `automatic`. `picture` are the top, bottom, left and right of the shot
inside its black borders, null where all is black. Numbers are written so that they read back as they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from streamct.color.constraints import Held
from streamct.color.lab import lab_to_srgb8, srgb_to_lab
from streamct.grade.regions import Palettes
from streamct.model import FloatArray, Palette

PALETTE_FORMAT, MAP_FORMAT = "streamct palette", "streamct map"
VERSION = 1
REGIONS: tuple[Region, ...] = ("whole", "foreground", "background")
_MOST_AB = 650.0
"""What the histograms hold: BT.2020 highlights of HDR. Of sRGB, a* and b* lie within -108..99."""

Region = Literal["whole", "foreground", "background"]


def _triple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


_Number = Annotated[float, Field(strict=True)]
_Count = Annotated[int, Field(strict=True, ge=0)]
_Lab = Annotated[tuple[_Number, _Number, _Number], BeforeValidator(_triple)]
_Flag = Annotated[bool, Field(strict=True)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Colour(_Part):
    """A colour as Lab, as hex, or as both, which agree."""

    lab: _Lab | None = None
    hex: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] | None = None

    @model_validator(mode="after")
    def _sound(self) -> Colour:
        if self.lab is None and self.hex is None:
            raise ValueError("holds no colour: give lab, hex or both")
        if self.lab is not None:
            lightness, a, b = self.lab
            if not 0 <= lightness <= 100:
                raise ValueError(f"L* {lightness:g} is out of range, 0..100")
            for name, value in (("a*", a), ("b*", b)):
                if abs(value) > _MOST_AB:
                    raise ValueError(f"{name} {value:g} is out of range, -{_MOST_AB:g}..{_MOST_AB:g}")
        self._compare()
        return self

    def _compare(self) -> None:
        if not self.agrees:
            raise ValueError(
                f"lab is {_hex_of(self.lab)}, but hex says {self.hex}: change one of them and delete the other"
            )

    @property
    def agrees(self) -> bool:
        """Whether `lab` and `hex` say the same, as far as both are there; a code of difference is rounding."""
        if self.lab is None or self.hex is None:
            return True
        apart = lab_to_srgb8(np.array(self.lab)).astype(int) - _codes(self.hex)
        return bool(np.abs(apart).max() <= 1)

    @property
    def value(self) -> FloatArray:
        """(3,) float64 Lab."""
        if self.lab is not None:
            return np.array(self.lab, np.float64)
        assert self.hex is not None
        return srgb_to_lab(_codes(self.hex) / 255.0)


class Edited(Colour):
    """A target: when its `lab` and `hex` differ, one of them was edited."""

    def _compare(self) -> None:
        pass


class PaletteColour(Colour):
    """A colour of a palette."""

    weight: Annotated[_Number, Field(gt=0)] = 1.0


class ReferenceColour(PaletteColour):
    """A colour of a map's reference; nothing goes to a forbidden one."""

    forbidden: _Flag = False


class RegionPalette(_Part):
    """The palette of one region."""

    region: Region
    colours: Annotated[list[PaletteColour], Field(min_length=1)]


class RegionReference(_Part):
    """The palette of one region of a map's reference."""

    region: Region
    colours: Annotated[list[ReferenceColour], Field(min_length=1)]


class MappedColour(_Part):
    """Where one colour goes. weight: 0 for colours that a user adds: they have a say in nothing but themselves."""

    source: Colour
    weight: Annotated[_Number, Field(ge=0)] = 0.0
    automatic: Colour | None = None
    target: Edited
    locked: _Flag = False

    @model_validator(mode="after")
    def _sound(self) -> MappedColour:
        if not self.target.agrees and not (self._lab_as_made or self._hex_as_made):
            raise ValueError(
                f"target: lab is {_hex_of(self.target.lab)}, but hex says {self.target.hex}: "
                "change one of them and delete the other"
            )
        return self

    @property
    def _lab_as_made(self) -> bool:
        return self.automatic is not None and self.automatic.lab == self.target.lab

    @property
    def _hex_as_made(self) -> bool:
        made, wanted = self.automatic, self.target.hex
        return made is not None and wanted is not None and made.hex is not None and made.hex.lower() == wanted.lower()

    @property
    def goal(self) -> FloatArray:
        """(3,) the target, float64 Lab."""
        if not self.target.agrees and self._lab_as_made:
            assert self.target.hex is not None
            return srgb_to_lab(_codes(self.target.hex) / 255.0)
        return self.target.value

    @property
    def held(self) -> bool:
        """Whether it goes there exactly, whatever else changes."""
        if self.locked or self.automatic is None:
            return True
        as_made = self._hex_as_made if self.target.lab is None else self._lab_as_made
        return not (as_made and self.target.agrees)


class RegionMap(_Part):
    """Where the colours of one region go."""

    region: Region
    colours: Annotated[list[MappedColour], Field(min_length=1)]

    @model_validator(mode="after")
    def _sound(self) -> RegionMap:
        _once([tuple(c.source.value.tolist()) for c in self.colours], "colours", "has the source colour of")
        return self

    @property
    def palette(self) -> Palette | None:
        """The source palette: the colours with a weight; None where there is none."""
        return _palette([(c.source, c.weight) for c in self.colours if c.weight > 0])

    @property
    def held(self) -> Held:
        """What the user holds."""
        held = [c for c in self.colours if c.held]
        sources, targets = [c.source.value for c in held], [c.goal for c in held]
        return Held(np.array(sources).reshape(-1, 3), np.array(targets).reshape(-1, 3))


class MappedShot(_Part):
    """The maps of one shot, frames [start, stop). seconds: of its first frame, from the clip's first. apart: how far
    foreground and background are graded apart, 0..1."""

    start: _Count
    stop: _Count | None
    seconds: Annotated[_Number, Field(ge=0)] = 0.0
    picture: tuple[_Count, _Count, _Count, _Count] | None = None
    apart: Annotated[_Number, Field(ge=0, le=1)] | None = None
    mappings: list[RegionMap]

    @model_validator(mode="after")
    def _sound(self) -> MappedShot:
        _regions([m.region for m in self.mappings], "mappings")
        if self.stop is not None and self.stop <= self.start:
            raise ValueError(f"stop {self.stop} does not lie after start {self.start}")
        return self

    def region(self, name: Region) -> RegionMap | None:
        """The map of one region, None where it has no colour."""
        return next((m for m in self.mappings if m.region == name), None)


class Origin(_Part):
    """A file that a palette was made from."""

    name: str
    weight: Annotated[_Number, Field(gt=0)] = 1.0


class Input(_Part):
    """What a map was made of. frames: None for pictures."""

    name: str
    width: Annotated[_Count, Field(ge=1)]
    height: Annotated[_Count, Field(ge=1)]
    frames: _Count | None = None


class Document(_Part):
    made_from: list[Origin] = []
    segmenter: str = "none"


class PaletteFile(Document):
    """A palette on disk."""

    format: Literal["streamct palette"]
    version: Literal[1]
    foreground_share: Annotated[_Number, Field(ge=0, le=1)] | None = None
    palettes: list[RegionPalette]

    @model_validator(mode="after")
    def _sound(self) -> PaletteFile:
        _regions([p.region for p in self.palettes], "palettes", whole=True)
        for k, part in enumerate(self.palettes):
            _once([tuple(c.value.tolist()) for c in part.colours], f"palettes[{k}].colours", "is the same colour as")
        return self

    def read(self) -> Palettes:
        """The palettes."""
        return _palettes({p.region: [(c, c.weight) for c in p.colours] for p in self.palettes})


class MapFile(Document):
    """A map on disk."""

    format: Literal["streamct map"]
    version: Literal[1]
    input: Input | None = None
    reference: list[RegionReference] = []
    shots: Annotated[list[MappedShot], Field(min_length=1)]

    @model_validator(mode="after")
    def _sound(self) -> MapFile:
        _regions([r.region for r in self.reference], "reference", whole=bool(self.reference))
        for k, part in enumerate(self.reference):
            _once([tuple(c.value.tolist()) for c in part.colours], f"reference[{k}].colours", "is the same colour as")
            if all(c.forbidden for c in part.colours):
                raise ValueError(f"reference[{k}]: all its colours are forbidden; leave at least one")
        expected: int | None = 0
        for k, shot in enumerate(self.shots):
            if shot.start != expected:
                raise ValueError(f"shots[{k}].start is {shot.start}, but should be {expected}: shots follow each other")
            expected = shot.stop
            if expected is None and k + 1 < len(self.shots):
                raise ValueError(f"shots[{k}].stop is null, which only the last shot's may be")
        return self

    def wanted(self) -> Palettes | None:
        """The reference without what is forbidden; None where the map has none."""
        parts = {r.region: [(c, c.weight) for c in r.colours if not c.forbidden] for r in self.reference}
        return _palettes(parts) if parts else None


def listed(palette: Palette, kind: type[PaletteColour] = PaletteColour) -> list[Any]:
    """The colours of a palette as they are written."""
    return [
        kind(lab=lab, hex=_hex_of(lab), weight=weight)
        for lab, weight in zip(map(_lab, palette.colours), palette.weights.tolist(), strict=True)
    ]


def colour_of(lab: FloatArray) -> Colour:
    """A Lab colour (3,) as it is written; L* within 0..100."""
    held = _lab(np.array([min(max(lab[0], 0.0), 100.0), lab[1], lab[2]]))
    return Colour(lab=held, hex=_hex_of(held))


def palette_file(
    palettes: Palettes, made_from: Sequence[Origin], segmenter: str = "none", share: float | None = None
) -> PaletteFile:
    """A palette's document. share: of the foreground, where there was a mask."""
    parts = {"whole": palettes.whole}
    if palettes.split is not None:
        parts |= {"foreground": palettes.split[0], "background": palettes.split[1]}
    return PaletteFile(
        format=PALETTE_FORMAT,
        version=VERSION,
        made_from=list(made_from),
        segmenter=segmenter,
        foreground_share=share,
        palettes=[RegionPalette(region=name, colours=listed(p)) for name, p in parts.items()],
    )


def _once(values: Sequence[Any], where: str, said: str) -> None:
    first: dict[Any, int] = {}
    for k, value in enumerate(values):
        if value in first:
            raise ValueError(f"{where}[{k}] {said} {where}[{first[value]}]; delete one of them")
        first[value] = k


def _regions(names: Sequence[Region], where: str, whole: bool = False) -> None:
    _once(names, where, "is the same region as")
    if whole and "whole" not in names:
        raise ValueError(f'{where}: the region "whole" is missing')
    if ("foreground" in names) != ("background" in names) and whole:
        raise ValueError(f"{where}: foreground and background go together; give both or neither")


def _palettes(parts: dict[Region, list[tuple[PaletteColour, float]]] | dict[Any, Any]) -> Palettes:
    found = {region: _palette(colours) for region, colours in parts.items()}
    whole = found["whole"]
    front, back = found.get("foreground"), found.get("background")
    assert whole is not None
    return Palettes(whole, (front, back) if front is not None and back is not None else None)


def _palette(colours: Sequence[tuple[Colour, float]]) -> Palette | None:
    """Heaviest first; weights of a palette that we wrote stay what they were, to the last bit."""
    if not colours:
        return None
    lab = np.array([colour.value for colour, _ in colours])
    weights = np.array([weight for _, weight in colours])
    total = weights.sum()
    if abs(total - 1) > 1e-9:
        weights = weights / total
    order = np.argsort(-weights, kind="stable")
    return Palette(np.ascontiguousarray(lab[order]), weights[order])


def _lab(colour: FloatArray) -> tuple[float, float, float]:
    lightness, a, b = (float(v) for v in colour)
    return lightness, a, b


def _hex_of(lab: tuple[float, float, float] | None) -> str:
    return "" if lab is None else "#" + "".join(f"{v:02x}" for v in lab_to_srgb8(np.array(lab)))


def _codes(text: str) -> FloatArray:
    return np.array([int(text[k : k + 2], 16) for k in (1, 3, 5)], np.float64)
