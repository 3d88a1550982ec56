"""What shows itself in a notebook, and the example notebook itself."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import av
import nbformat
import numpy as np
import pytest
from clips import write_clip
from nbclient import NotebookClient

import streamct
from streamct.color.cube import Cube, nodes, unit_lattice
from streamct.color.cube_text import format_cube
from streamct.media.image import save_png
from streamct.model import Palette, Report
from streamct.notebook import hex_codes

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


def pixels(png: bytes) -> np.ndarray:
    with av.open(io.BytesIO(png), format="png_pipe") as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


@pytest.fixture
def palette() -> Palette:
    """White, black and the red of sRGB (L* 53.24, a* 80.09, b* 67.20 by Bruce Lindbloom's calculator)."""
    colours = np.array([[100.0, 0, 0], [53.24, 80.09, 67.20], [0.0, 0, 0]])
    return Palette(colours, np.array([0.5, 0.3, 0.2]))


def test_a_palette_tells_its_colours_in_hexadecimal(palette: Palette) -> None:
    assert hex_codes(palette) == ["#ffffff", "#ff0000", "#000000"]


def test_a_palette_shows_swatches_as_wide_as_their_weights(palette: Palette) -> None:
    line = pixels(palette._repr_png_())[10]
    shares = [(line == colour).all(axis=1).mean() for colour in ((255, 255, 255), (255, 0, 0), (0, 0, 0))]
    assert shares == pytest.approx(palette.weights, abs=0.01)
    text = palette._repr_html_()
    assert re.findall(r"background:(#\w+)", text) == ["#ffffff", "#ff0000", "#000000"]
    assert "L* 53.2  a* 80.1  b* 67.2  30.0%" in text


def test_a_cube_shows_colours_and_what_becomes_of_them() -> None:
    inverse = Cube(unit_lattice(1 - nodes(2)))
    shown = pixels(inverse._repr_png_())
    half = (len(shown) - 12) // 2
    assert np.abs(shown[:half].astype(int) + shown[-half:] - 255).max() <= 1


def report(output: Path, **details: object) -> Report:
    return Report(Path("in.mp4"), Path("<ref>.jpg"), output, 7, 1.5, "none", ("something was said",), dict(details))


def picture_in(html: str) -> np.ndarray:
    data = re.search(r"base64,([^\"]+)", html)
    assert data is not None
    return pixels(base64.b64decode(data[1]))


def test_a_report_tells_what_was_done(tmp_path: Path) -> None:
    text = report(tmp_path / "gone.png", encoder="libx264", network={"name": "x"})._repr_html_()
    assert "&lt;ref&gt;.jpg" in text
    assert "something was said" in text
    assert "libx264" in text
    assert "network" not in text
    assert "<img" not in text


def test_a_report_shows_the_picture_or_a_frame_of_the_video_or_the_look(tmp_path: Path) -> None:
    grey = np.full((64, 96, 3), 128, np.uint8)
    save_png(tmp_path / "o.png", grey)
    write_clip(tmp_path / "o.mkv", [grey] * 4, codec="ffv1")
    (tmp_path / "o.cube").write_text(format_cube(unit_lattice(nodes(2)), "none"))
    for name in ("o.png", "o.mkv"):
        shown = picture_in(report(tmp_path / name)._repr_html_())
        assert shown.shape == (64, 96, 3)
        assert np.abs(shown.astype(int) - 128).max() <= 1
    assert picture_in(report(tmp_path / "o.cube")._repr_html_()).shape[1] > 300


def test_everything_named_in_the_api_is_there() -> None:
    for name in streamct.__all__:
        assert getattr(streamct, name) is not None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_example_notebook_runs_and_shows_what_it_promises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "the notebook is kept without its outputs"
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = {cell.id: {kind for out in cell.outputs if "data" in out for kind in out.data}
             for cell in notebook.cells if cell.cell_type == "code"}  # fmt: skip
    rich = [kinds for kinds in shown.values() if kinds]
    assert [("text/html" in kinds, "image/png" in kinds) for kinds in rich] == [
        (True, True), (True, True), (True, False), (True, False), (True, False), (False, True),
    ]  # fmt: skip
    reports = [out.data["text/html"] for cell in notebook.cells if cell.cell_type == "code"
               for out in cell.outputs if "<table>" in out.get("data", {}).get("text/html", "")]  # fmt: skip
    assert len(reports) == 3
    assert all("<img" in text for text in reports)
