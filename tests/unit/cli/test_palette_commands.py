"""`palette`, `map`, several references and what takes them, as a user meets them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from clips import moving_picture, write_clip
from typer.testing import CliRunner

from streamct.cli.app import app
from streamct.errors import StreamctError, UsageError
from streamct.grade.looktext import read_map, read_palette
from streamct.media.image import read_picture, save_png


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("palettes")
    save_png(folder / "in.png", moving_picture(1)[0])
    save_png(folder / "ref.png", moving_picture(1, seed=5)[0][..., ::-1])
    save_png(folder / "other.png", moving_picture(1, seed=7)[0] // 2)
    write_clip(folder / "in.mp4", moving_picture(8))
    return folder


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def picture(path: Path) -> np.ndarray:
    return read_picture(path).rgb


def test_a_palette_file_gives_what_its_picture_gives(folder: Path, tmp_path: Path) -> None:
    look = tmp_path / "look.json"
    done = run("palette", folder / "ref.png", "-o", look)
    assert done.stdout.split() == [str(look)]
    ways = {"a": [folder / "ref.png"], "b": [look], "c": ["--palette", look]}
    for name, reference in ways.items():
        done = run("image", folder / "in.png", *reference, "-o", tmp_path / f"{name}.png")
        assert done.exit_code == 0, done.output
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes() == (tmp_path / "c.png").read_bytes()


def test_what_palette_prints_is_what_it_writes(folder: Path, tmp_path: Path) -> None:
    assert run("palette", folder / "ref.png", "-o", tmp_path / "look.json").exit_code == 0
    assert run("palette", folder / "ref.png").stdout == (tmp_path / "look.json").read_text()


def test_a_palette_may_be_of_several_files_and_of_a_span_of_a_video(folder: Path, tmp_path: Path) -> None:
    weighted = f"{folder / 'other.png'}:0.5"
    done = run("palette", folder / "ref.png", weighted, folder / "in.mp4", "--ref-to", "0.2", "-o", tmp_path / "p.json")
    assert done.exit_code == 0, done.output
    made = [(o.name, o.weight) for o in read_palette(tmp_path / "p.json").made_from]
    assert made == [("ref.png", 1.0), ("other.png", 0.5), ("in.mp4", 1.0)]
    done = run("palette", folder / "ref.png", weighted, "-o", tmp_path / "p.png")
    assert picture(tmp_path / "p.png").shape[0] == 480


@pytest.mark.parametrize("command", ["video", "image", "lut", "preview"])
def test_every_command_takes_references_palettes_and_maps(folder: Path, tmp_path: Path, command: str) -> None:
    source = folder / ("in.png" if command == "image" else "in.mp4")
    ending = {"video": "mp4", "image": "png", "lut": "cube", "preview": "png"}[command]
    look, map = tmp_path / "look.json", tmp_path / "map.json"
    assert run("palette", folder / "ref.png", "-o", look).exit_code == 0
    assert run("map", source, folder / "ref.png", "-o", map).exit_code == 0
    several = [folder / "ref.png", f"{folder / 'other.png'}:0.5"]
    for k, given in enumerate((several, ["--palette", look], ["--map", map], [folder / "ref.png", "--map", map])):
        done = run(command, source, *given, "-o", tmp_path / f"{k}.{ending}", "-q")
        assert done.exit_code == 0, done.output
        assert (tmp_path / f"{k}.{ending}").stat().st_size > 0


def test_map_writes_what_a_user_edits(folder: Path, tmp_path: Path) -> None:
    done = run("map", folder / "in.mp4", folder / "ref.png", "--whole", "-o", tmp_path / "map.json", "--alpha", "0.5")
    assert done.stdout.split() == [str(tmp_path / "map.json")]
    values = json.loads((tmp_path / "map.json").read_text())
    colour = values["shots"][0]["mappings"][0]["colours"][0]
    assert list(colour) == ["source", "weight", "automatic", "target", "locked"]
    colour["locked"] = True
    (tmp_path / "map.json").write_text(json.dumps(values))
    assert len(read_map(tmp_path / "map.json").shots[0].mappings[0].held) == 1


def test_variants_and_several_references_go_together(folder: Path, tmp_path: Path) -> None:
    done = run("preview", folder / "in.mp4", folder / "ref.png", folder / "other.png", "--variants", "strength=0.5,1",
               "-o", tmp_path / "sheet.png", "--at", "0.1")  # fmt: skip
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["image", "IN"], "no reference: give REF"),
        (["image", "IN", "REF", "--palette", "LOOK"], "stands in for"),
        (["image", "IN", "--palette", "LOOK", "--map", "MAP"], "stands in for --map"),
        (["image", "IN", "REF:0"], "weight should be above 0"),
        (["image", "IN", "REF", "--ref-from", "1"], "are for a reference video"),
        (["map", "IN", "REF", "-o", "map.txt"], "a map is written as JSON"),
        (["palette", "REF", "-o", "look.txt"], "a palette is written as .json, its swatches as .png"),
    ],
)
def test_what_contradicts_itself_is_said_to(folder: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    places = {"IN": folder / "in.png", "REF": folder / "ref.png", "REF:0": f"{folder / 'ref.png'}:0"}
    done = run(*(places.get(a, tmp_path / a if a in ("LOOK", "MAP", "map.txt", "look.txt") else a) for a in arguments))
    assert isinstance(done.exception, StreamctError)
    assert said in str(done.exception)


def test_a_palette_is_never_written_over(folder: Path, tmp_path: Path) -> None:
    look = tmp_path / "look.json"
    assert run("palette", folder / "ref.png", "-o", look).exit_code == 0
    assert "exists already" in str(run("palette", folder / "other.png", "-o", look).exception)
    assert "is an input of this run" in str(run("palette", look, "-o", look, "-y").exception)
    assert run("palette", folder / "other.png", "-o", look, "-y").exit_code == 0


@pytest.mark.parametrize("flag", ["--palette", "--map"])
def test_a_broken_file_is_one_clear_line_and_exit_code_1(folder: Path, tmp_path: Path, flag: str) -> None:
    (tmp_path / "broken.json").write_text('{"format": ')
    out = tmp_path / "out.png"
    command = ["image", str(folder / "in.png"), flag, str(tmp_path / "broken.json"), "-o", str(out)]
    code = "from streamct.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "broken.json: line 1, column 12: is no JSON" in done.stderr
    assert not out.exists()


def test_usage_errors_are_usage_errors(folder: Path) -> None:
    assert isinstance(run("image", folder / "in.png").exception, UsageError)
