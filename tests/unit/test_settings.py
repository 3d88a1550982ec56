"""Settings: defaults, presets, files, flags, and what is said of mistakes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from streamct.errors import SettingsError, UsageError
from streamct.settings import PRESETS, Settings, load, preset_path


def keys() -> list[str]:
    """Every `section.field`."""
    found = []
    for section, field in Settings.model_fields.items():
        assert isinstance(field.annotation, type)
        assert issubclass(field.annotation, BaseModel)
        found += [f"{section}.{name}" for name in field.annotation.model_fields]
    return found


def toml(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


# Presets.


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_loads(name: str) -> None:
    assert isinstance(load(name), Settings)
    assert preset_path(name).name == f"{name}.toml"


@pytest.mark.parametrize("codec", ["ffv1", "prores", "vp9", "h264_nvenc"])
def test_what_a_preset_says_of_the_encoder_is_for_x264_and_x265_only(codec: str, tmp_path: Path) -> None:
    assert (load("draft").output.crf, load("draft").output.encoder_preset) == (23, "ultrafast")
    (tmp_path / "own.toml").write_text(f'[output]\ncodec = "{codec}"\n')
    for settings in (load("draft", overrides={"output__codec": codec}), load("draft", tmp_path / "own.toml")):
        assert (settings.output.crf, settings.output.encoder_preset) == (None, None)
        assert settings.output.quality == load("draft").output.quality
    kept = load("draft", overrides={"output__codec": "X265"})
    assert (kept.output.crf, kept.output.encoder_preset) == (23, "ultrafast")
    own = load("draft", overrides={"output__codec": codec, "output__crf": 30.0})
    assert (own.output.crf, own.output.encoder_preset) == (30, None)


def test_every_shipped_preset_file_is_a_known_preset() -> None:
    assert {path.stem for path in preset_path("film").parent.glob("*.toml")} == set(PRESETS)


def test_film_states_the_defaults_exactly() -> None:
    assert load("film") == Settings() == load()


def test_film_names_every_key_with_what_it_is_if_unset() -> None:
    text = preset_path("film").read_text(encoding="utf-8")
    section, named = "", []
    for line in text.splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            section = header[1]
        elif key := re.match(r"(?:# )?(\w+) = ", line):
            named.append(f"{section}.{key[1]}")
    assert named == keys()


def test_paper_is_the_published_method() -> None:
    paper = load("paper")
    assert paper.palette.bins == "range"
    assert (paper.palette.range_bins, paper.palette.peak_radius, paper.palette.size) == (100, 3, 32)
    assert paper.palette.peak_share * 300 * 300 == pytest.approx(30)
    assert paper.mapping.correspondence == "nearest"
    assert paper.mapping.propagation == "absolute"
    assert paper.mapping.assignment == "hard"
    assert paper.mapping.alpha == 0.3
    assert paper.mapping.neutral_blacks is False
    assert paper.time.mode == "off"


def test_an_unknown_preset_is_answered_with_the_known_ones() -> None:
    with pytest.raises(
        SettingsError, match=r"unknown preset 'flim' \(did you mean 'film'\?\); known: film, paper, draft"
    ):
        load("flim")


# Layers.


def test_a_file_overrides_the_preset_and_flags_override_the_file(tmp_path: Path) -> None:
    config = toml(tmp_path / "mine.toml", "[mapping]\nstrength = 0.5\nalpha = 0.1\n")
    settings = load("paper", config, {"mapping__alpha": 0.9, "mapping__reach": None, "output__codec": "ffv1"})
    assert settings.mapping.correspondence == "nearest"
    assert settings.mapping.strength == 0.5
    assert settings.mapping.alpha == 0.9
    assert settings.mapping.reach == 500
    assert settings.output.codec == "ffv1"


def test_an_override_may_have_a_dot_as_files_do() -> None:
    assert load(overrides={"mapping.alpha": 0.9}) == load(overrides={"mapping__alpha": 0.9})


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert load(config=toml(tmp_path / "empty.toml", "")) == Settings()


def as_toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(list(value)) if isinstance(value, tuple) else repr(value)


def test_settings_survive_a_round_trip_through_a_file(tmp_path: Path) -> None:
    settings = load("paper").updated(mapping__reach=12.5, time__radius=3, output__pix_fmt="yuv444p")
    lines = []
    for section, values in settings.model_dump(exclude_none=True).items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {as_toml(value)}" for key, value in values.items()]
    assert load(config=toml(tmp_path / "all.toml", "\n".join(lines))) == settings
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


def test_updated_gives_a_changed_copy() -> None:
    settings = Settings()
    changed = settings.updated(mapping__strength=0.5, time__mode="off")
    assert (changed.mapping.strength, changed.time.mode) == (0.5, "off")
    assert settings == Settings()
    assert changed.updated(mapping__strength=1.0, time__mode="window") == settings


def test_settings_can_not_be_changed_in_place() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().mapping.strength = 0.5  # type: ignore[misc]


# Mistakes.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mapping__strenght": 1}, r"unknown key 'mapping\.strenght' \(did you mean 'mapping\.strength'\?\)"),
        ({"maping__strength": 1}, r"unknown key 'maping' \(did you mean 'mapping'\?\)"),
        ({"strength": 1}, r"unknown key 'strength' \(did you mean 'mapping\.strength'\?\)"),
        ({"time__softness": 1}, r"unknown key 'time\.softness' \(did you mean 'mapping\.softness'\?\)"),
        ({"video__codec": "ffv1"}, r"unknown key 'video\.codec' \(did you mean 'output\.codec'\?\)"),
        ({"mapping": 3}, r"mapping = 3: should be a table, \[mapping\]"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest_known_one(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Settings().updated(**changes)


LIMITS = {
    "palette.size": (1, 64),
    "palette.range_bins": (2, 1000),
    "palette.peak_radius": (1, 50),
    "palette.proxy_size": (16, 4096),
    "mapping.softness": (None, 100),
    "mapping.transport_blur": (1, 100),
    "mapping.transport_iterations": (1, 10_000),
    "mapping.reach": (None, 500),
    "mapping.alpha": (0, 1),
    "mapping.strength": (0, 2),
    "time.radius": (1, 120),
    "time.knot_spacing": (1, 60),
    "output.crf": (0, 63),
    "output.quality": (1, 100),
}


@pytest.mark.parametrize("key", LIMITS)
def test_a_value_out_of_range_is_answered_with_its_limit(key: str) -> None:
    low, high = LIMITS[key]
    flat = key.replace(".", "__")
    below = "greater than 0" if low is None else f"greater than or equal to {low}"
    with pytest.raises(SettingsError, match=rf"{key} = -1: input should be {below}"):
        Settings().updated(**{flat: -1})
    with pytest.raises(SettingsError, match=rf"{key} = 20000: input should be less than or equal to {high}"):
        Settings().updated(**{flat: 20_000})
    Settings().updated(**{flat: high})
    if low is not None:
        Settings().updated(**{flat: low})


@pytest.mark.parametrize("value", [1.0, -0.1])
def test_the_share_of_a_peak_is_below_1_and_not_negative(value: float) -> None:
    with pytest.raises(SettingsError, match=rf"palette.peak_share = {value}: input should be (less than 1|greater)"):
        Settings().updated(palette__peak_share=value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("mapping__correspondence", "transprot", r"'transport' or 'nearest' \(did you mean 'transport'\?\)"),
        ("mapping__propagation", "offsets", r"'offset' or 'absolute' \(did you mean 'offset'\?\)"),
        ("mapping__assignment", "Hard", r"'soft' or 'hard' \(did you mean 'hard'\?\)"),
        ("palette__bins", "units", r"'unit' or 'range' \(did you mean 'unit'\?\)"),
        ("time__mode", "windows", r"'window', 'shot' or 'off' \(did you mean 'window'\?\)"),
        ("segment__segmenter", "nnone", "'none'"),
        ("palette__size", 2.5, "valid integer"),
        ("palette__size", "many", "valid integer"),
        ("mapping__strength", float("nan"), "finite number"),
        ("mapping__reach", float("inf"), "finite number"),
        ("mapping__neutral_blacks", "perhaps", "valid boolean"),
        ("output__codec", 264, "valid string"),
        ("segment__classes", "person", r'a list, such as \["person"\]'),
    ],
)
def test_a_value_of_the_wrong_kind_is_answered_with_the_right_kind(key: str, value: object, message: str) -> None:
    with pytest.raises(SettingsError, match=rf"{key.replace('__', '.')} = .*: input should be .*{message}"):
        Settings().updated(**{key: value})


def test_all_mistakes_are_told_at_once_and_with_the_file(tmp_path: Path) -> None:
    config = toml(tmp_path / "mine.toml", "[mapping]\nalpha = 7\nstrenght = 1\n")
    with pytest.raises(SettingsError) as caught:
        load(config=config)
    first, second = str(caught.value).split("; ")
    assert first == f"{config}: mapping.alpha = 7: input should be less than or equal to 1"
    assert second == f"{config}: unknown key 'mapping.strenght' (did you mean 'mapping.strength'?)"


@pytest.mark.parametrize("text", ["[mapping", "alpha = ", "a = 1\na = 2"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match=r"bad\.toml: can't be read as TOML"):
        load(config=toml(tmp_path / "bad.toml", text))


def test_a_missing_file_a_folder_and_bytes_are_named(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    for name in ("missing.toml", ".", "bytes.toml"):
        with pytest.raises(SettingsError, match="can't be read as TOML"):
            load(config=tmp_path / name)


def test_a_mistake_in_settings_is_a_usage_error() -> None:
    assert issubclass(SettingsError, UsageError)
    assert SettingsError.exit_code == 2
