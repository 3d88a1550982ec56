"""Every default, in frozen models; TOML files and flags override them.

`Settings()` is the preset `film`. `load(preset=..., config=..., overrides=...)` layers a shipped
preset, a user's TOML file and flags, in this order, and turns every mistake into a `SettingsError`
that names the nearest known key or the allowed values.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streamct.errors import SettingsError

PRESETS = ("film", "paper", "draft")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PaletteSettings(_Section):
    """How colours become a palette (Lv & Zhang, section 3)."""

    size: int = Field(32, ge=1, le=64, description="most colours a palette may hold (t)")
    bins: Literal["unit", "range"] = Field(
        "unit",
        description="histogram bins: one Lab unit wide over a fixed range, or `range_bins` over min..max",
    )
    range_bins: int = Field(100, ge=2, le=1000, description="bins a channel with bins = range (z)")
    peak_radius: int = Field(5, ge=1, le=50, description="a peak is the maximum of so many bins either side (r)")
    peak_share: float = Field(
        30 / 90_000, ge=0, lt=1, description="a peak holds more than this share of the pixels (b_min)"
    )
    smoothing: int = Field(
        4, ge=0, le=20, description="histograms are smoothed by a tent of so many bins either side; 0: not"
    )
    refinements: int = Field(1, ge=0, le=20, description="times that the means are taken again around the means")
    spread: float = Field(
        5.0, ge=0, le=100,
        description="a colour that stands for a spread (standard deviation) of more Delta E is divided; 0: none is",
    )  # fmt: skip
    proxy_size: int = Field(256, ge=16, le=4096, description="long edge in pixels of the picture that is analysed")


class MappingSettings(_Section):
    """How the source palette meets the reference palette, and what that does to a pixel (section 4)."""

    correspondence: Literal["transport", "nearest"] = Field(
        "transport", description="entropic optimal transport, or the nearest colour (Eq. 6, 8)"
    )
    propagation: Literal["offset", "absolute"] = Field(
        "offset",
        description="colours left without a match follow their neighbours' shifts or values (Eq. 9-10)",
    )
    assignment: Literal["soft", "hard"] = Field(
        "soft", description="a pixel blends all palette colours' shifts, or takes the nearest's (Eq. 4, 11)"
    )
    softness: float = Field(8.0, gt=0, le=100, description="sigma of the soft assignment, Delta E")
    transport_blur: float = Field(22.0, ge=1, le=100, description="eps of the transport kernel, Delta E")
    transport_iterations: int = Field(200, ge=1, le=10_000, description="fixed number of Sinkhorn steps")
    reach: float | None = Field(
        40.0, gt=0, le=500, description="matches farther than this are not taken (Delta E); none: no limit"
    )
    alpha: float = Field(0.3, ge=0, le=1, description="weight of the mapped lightness (Eq. 12)")
    chroma: float = Field(1.0, ge=0, le=2, description="scales the a,b part of the shift: 0 keeps all hues")
    strength: float = Field(1.0, ge=0, le=2, description="scales the whole shift: 0 nothing, 1 all of it")
    regions: Literal["both", "fg", "bg"] = Field(
        "both", description="what is graded where there is a mask: all, the foreground alone or the background alone"
    )
    protect_skin: bool = Field(False, description="hues in the skin range turn by 8 degrees at most")
    gamut: Literal["compress", "clip"] = Field(
        "compress", description="colours that leave the gamut are drawn towards grey, or each channel is cut"
    )
    keep_neutrals: float = Field(
        1.0, ge=0, le=1, description="how far greys that the reference has too, at that lightness, stay grey"
    )
    neutral_blacks: bool = Field(True, description="black stays black: the shift fades out towards it")


class TimeSettings(_Section):
    """How the grade is kept steady from frame to frame."""

    mode: Literal["window", "shot", "off"] = Field(
        "window", description="histograms and Luts averaged over +-radius frames, one grade a shot, or frame by frame"
    )
    radius: int = Field(16, ge=1, le=120, description="frames on each side that a frame's grade depends on")
    knot_spacing: int = Field(8, ge=1, le=60, description="Luts are baked every so many frames")


class InputSettings(_Section):
    """What the input is taken for."""

    lut: Path | None = Field(
        None, description="a .cube file that takes the input's codes (camera log) to Rec.709, before all else"
    )


class OutputSettings(_Section):
    """How the graded video is encoded."""

    codec: str = Field("auto", description="auto: the source's; h264, hevc, ffv1, ... or an encoder's name")
    crf: float | None = Field(None, ge=0, le=63, description="constant quality; none: visually clean for the codec")
    encoder_preset: str | None = Field(None, description="the encoder's speed preset; none: the codec's usual")
    pix_fmt: str | None = Field(None, description="pixel format of the output; none: the source's")
    pipe_format: Literal["matroska", "nut", "y4m", "mpegts"] = Field(
        "matroska", description="container of what goes to standard output; y4m: raw pictures without sound or times"
    )
    quality: int = Field(95, ge=1, le=100, description="quality of JPEG, WebP and AVIF stills")


class SegmentSettings(_Section):
    """How foreground and background are told apart where no matte is given.

    `size`, `every` and `device` left open are filled in once a run, by the kind of device: see
    `streamct.segment.choose`.
    """

    segmenter: Literal["none", "auto", "deeplabv3-resnet101", "deeplabv3-resnet50", "deeplabv3-mobilenet"] = Field(
        "none", description="none: the whole frame is one region; auto: resnet101 on a GPU, mobilenet on a CPU"
    )
    weights: Path | None = Field(None, description="a local checkpoint; none: torchvision's, fetched once")
    classes: tuple[str, ...] = Field((), description="what is foreground (Pascal VOC names); empty: all but background")
    size: int | None = Field(
        None, ge=32, le=2048, description="long edge of the network's input; none: 520 on CUDA, 384 on a CPU"
    )
    every: int | None = Field(
        None, ge=1, le=60, description="the network sees one frame in so many; none: 1 on CUDA, 4 on a CPU"
    )
    radius: int = Field(3, ge=0, le=30, description="frames on each side that steady a mask, beyond `every`")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the network runs")


class Settings(_Section):
    """All settings of one run; immutable. `Settings()` is the preset `film`."""

    input: InputSettings = InputSettings()
    palette: PaletteSettings = PaletteSettings()
    mapping: MappingSettings = MappingSettings()
    time: TimeSettings = TimeSettings()
    segment: SegmentSettings = SegmentSettings()
    output: OutputSettings = OutputSettings()

    def updated(self, **changes: Any) -> Settings:
        """A copy with `section__field=value` changed, e.g. `updated(mapping__strength=0.5)`.

        Raises:
            SettingsError: unknown key or bad value; the message names the nearest key or the limits.
        """
        return _build(_merge(self.model_dump(), _nested(changes)), "settings")


def load(
    preset: str | None = None,
    config: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Settings:
    """Preset, then config file, then `overrides` (`section__field` or `section.field` -> value; None is left out).

    labels: what messages call an override, `section__field` -> e.g. "--strength". A preset's crf and encoder preset
    are meant for x264 and x265; they don't count where another codec is asked for.

    Raises:
        SettingsError: unknown preset, key or value, or a file that can't be read.
    """
    values: dict[str, Any] = {}
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    own = {} if config is None else _read(config)
    if preset is not None:
        values = _for_codec(_read(preset_path(preset)), _merge(own, _nested(given)).get("output"))
    if config is not None:
        values = _merge(values, own)
        _build(values, str(config))
    named = {key.replace("__", "."): (labels or {}).get(key, "") for key in given}
    return _build(_merge(values, _nested(given)), "settings", named)


_X26X = ("auto", "h264", "x264", "avc", "hevc", "h265", "x265", "libx264", "libx264rgb", "libx265")


def _for_codec(preset: dict[str, Any], asked: Any) -> dict[str, Any]:
    """A preset without what it says of the encoder, where `asked` ([output] of the user) names one that has none of
    this."""
    codec = asked.get("codec") if isinstance(asked, Mapping) else None
    if not isinstance(codec, str) or codec.lower() in _X26X or "output" not in preset:
        return preset
    kept = {key: value for key, value in preset["output"].items() if key not in ("crf", "encoder_preset")}
    return {**preset, "output": kept}


def preset_path(name: str) -> Path:
    """Where the shipped preset `name` lies.

    Raises:
        SettingsError: there is no such preset.
    """
    if name not in PRESETS:
        raise SettingsError(f"unknown preset {name!r}{_nearest(name, PRESETS)}; known: {', '.join(PRESETS)}")
    package = Path(__file__).parent
    installed = package / "configs" / f"{name}.toml"
    return installed if installed.is_file() else package.parent / "configs" / f"{name}.toml"


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as cause:
        raise SettingsError(f"{path}: can't be read as TOML: {cause}") from cause


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in flat.items():
        section, _, field = key.replace(".", "__").partition("__")
        if field:
            out.setdefault(section, {})[field] = value
        else:
            out[section] = value
    return out


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _build(values: Mapping[str, Any], origin: str, labels: Mapping[str, str] | None = None) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as cause:
        raise SettingsError("; ".join(_explain(cause, origin, labels or {}))) from cause


def _explain(error: ValidationError, origin: str, labels: Mapping[str, str]) -> Iterator[str]:
    for item in error.errors():
        path = [str(part) for part in item["loc"]]
        dotted = ".".join(path)
        if item["type"] == "extra_forbidden":
            for unknown in _unknown(dotted, item["input"]):
                yield f"{origin}: unknown key {unknown!r} (did you mean {_nearest_key(unknown)!r}?)"
        elif item["type"] == "model_type":
            yield f"{origin}: {dotted} = {item['input']!r}: should be a table, [{dotted}]"
        else:
            hint = ""
            if item["type"] == "literal_error" and isinstance(item["input"], str):
                hint = _nearest(item["input"], re.findall(r"'([^']*)'", item["ctx"]["expected"]))
            message = f"{item['msg'][0].lower()}{item['msg'][1:]}"
            if item["type"] == "tuple_type":
                message = f'input should be a list, such as ["{item["input"]}"]'
            label = labels.get(dotted)
            place = f"{label} {item['input']}" if label else f"{origin}: {dotted} = {item['input']!r}"
            yield f"{place}: {message}{hint}"


def _unknown(dotted: str, value: Any) -> list[str]:
    """What to call an unknown key: a section that is like no other by what is in it, which tells what is meant."""
    like = difflib.get_close_matches(dotted, Settings.model_fields, n=1)
    if isinstance(value, Mapping) and value and not like:
        return [f"{dotted}.{name}" for name in value]
    return [dotted]


def _known_keys() -> list[str]:
    keys = []
    for section, field in Settings.model_fields.items():
        keys.append(section)
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            keys += [f"{section}.{name}" for name in annotation.model_fields]
    return keys


def _nearest_key(dotted: str) -> str:
    """The known key most like an unknown one as a whole, or by its last part if it stands in the wrong section."""
    last = dotted.rpartition(".")[2]

    def likeness(key: str) -> float:
        whole = difflib.SequenceMatcher(None, dotted, key).ratio()
        return max(whole, difflib.SequenceMatcher(None, last, key.rpartition(".")[2]).ratio())

    return max(_known_keys(), key=likeness)


def _nearest(word: str, known: tuple[str, ...] | list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.0)
    return f" (did you mean {close[0]!r}?)" if close else ""
