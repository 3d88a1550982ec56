"""Palettes and maps of real clips."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from streamct.color.lab import lab_to_srgb, srgb_to_lab
from streamct.grade.looktext import read_map
from streamct.mapping import write_map
from streamct.media.image import read_picture, save_png
from streamct.pipeline import grade_picture
from streamct.references import look, references
from streamct.settings import Settings


def test_a_clip_of_many_shots_has_a_palette_of_many_colours(data: Path) -> None:
    """The peaks of its histograms alone would give two."""
    found = look(references(data / "clips" / "psd-testvideo.mp4"), Settings()).palettes.whole
    assert len(found) >= 16
    assert np.linalg.norm(found.colours[:, 1:], axis=1).max() > 30


def test_an_edited_map_of_a_real_clip_does_what_it_says(data: Path, tmp_path: Path) -> None:
    """A red flower under a grey sky's colours stays red, and the leaves come out as without the edit."""
    path = tmp_path / "map.json"
    write_map(data / "clips" / "mdn-flower.mp4", data / "refs" / "jr-storm.jpg", path, whole=True)
    values = json.loads(path.read_text())
    colours = values["shots"][0]["mappings"][0]["colours"]
    vivid = max(colours, key=lambda c: float(np.hypot(*c["source"]["lab"][1:])))
    vivid["target"]["hex"] = vivid["source"]["hex"]
    (tmp_path / "edited.json").write_text(json.dumps(values))
    held = read_map(tmp_path / "edited.json").shots[0].mappings[0].held
    sources = np.array([c["source"]["lab"] for c in colours])
    far = np.linalg.norm(sources - held.sources, axis=1) > 30
    patches = np.rint(np.clip(lab_to_srgb(np.vstack([held.sources, sources[far]])), 0, 1) * 255).astype(np.uint8)
    save_png(tmp_path / "patches.png", np.repeat(patches[None], 8, axis=0))
    out = []
    for name in ("map", "edited"):
        grade_picture(tmp_path / "patches.png", None, tmp_path / f"{name}.png", map=tmp_path / f"{name}.json")
        out.append(srgb_to_lab(read_picture(tmp_path / f"{name}.png").rgb[0].astype(np.float64)))
    plain, edited = out
    assert np.linalg.norm(plain[0] - held.targets[0]) > 20
    assert np.linalg.norm(edited[0] - held.targets[0]) < 2
    assert far.sum() >= 5
    assert np.linalg.norm(edited[1:] - plain[1:], axis=1).max() == pytest.approx(0, abs=1)
