"""`lut`, `apply` and `preview` as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from clips import moving_picture, write_clip
from typer.testing import CliRunner

from streamct.cli.app import app
from streamct.errors import SettingsError, UsageError
from streamct.media.image import read_picture, save_png


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suite")
    save_png(folder / "in.png", moving_picture(1)[0])
    save_png(folder / "ref.png", moving_picture(1, seed=5)[0][..., ::-1])
    write_clip(folder / "in.mp4", moving_picture(8))
    return folder


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_lut_prints_the_paths_of_its_files(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "look.cube"
    done = run(
        "lut", folder / "in.mp4", folder / "ref.png", "-o", out, "--per-shot", "--size", "17", "--strength", "0.5"
    )
    assert done.exit_code == 0, done.output
    names = ["look.shot001.00-00-00-00.cube", "look.edl", "look.csv"]
    assert done.stdout.split() == [str(tmp_path / name) for name in names]
    assert '"strength":0.5' in (tmp_path / names[0]).read_text()


def test_lut_tells_its_files_as_json(folder: Path, tmp_path: Path) -> None:
    done = run("lut", folder / "in.png", folder / "ref.png", "-o", tmp_path / "look.cdl", "--json", "-q")
    report = json.loads(done.stdout.splitlines()[-1])["report"]
    assert report["details"]["files"] == [str(tmp_path / "look.cdl")]
    assert len(report["details"]["cdl_error"]) == 1


def test_a_look_that_lut_wrote_is_what_apply_renders(folder: Path, tmp_path: Path) -> None:
    assert run("lut", folder / "in.png", folder / "ref.png", "-o", tmp_path / "look.cube").exit_code == 0
    done = run("apply", folder / "in.png", tmp_path / "look.cube", "-o", tmp_path / "applied.png")
    assert done.stdout.split() == [str(tmp_path / "applied.png")]
    assert run("image", folder / "in.png", folder / "ref.png", "-o", tmp_path / "graded.png").exit_code == 0
    apart = abs(read_picture(tmp_path / "applied.png").rgb - read_picture(tmp_path / "graded.png").rgb)
    assert apart.mean() < 0.5 / 255


def test_preview_takes_protection_of_skin_for_a_variant(folder: Path, tmp_path: Path) -> None:
    for key, number in (("protect-skin", 0), ("protect_skin", 1)):
        out = tmp_path / f"{number}.png"
        done = run(
            "preview", folder / "in.mp4", folder / "ref.png", "--variants", f"{key}=true,false", "--at", "0", "-o", out
        )
        assert done.exit_code == 0, done.output
        assert out.exists()


def test_preview_takes_variants_as_they_are_written(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    done = run("preview", folder / "in.mp4", folder / "ref.png", "--variants", "preset=film,draft", "strength=0.5,1",
               "-o", out, "--at", "0.1")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert done.stdout.split() == [str(out)]
    assert read_picture(out).rgb.shape[1] == 1280


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["strength=1"], UsageError, "choices go with --variants"),
        (["--variants"], UsageError, "name what to vary"),
        (["--variants", "colour=red"], UsageError, "--variants colour=red: should be KEY=A,B"),
        (["--variants", "strength=3"], SettingsError, "--strength 3: input should be less than"),
    ],
)
def test_variants_that_make_no_sense_are_refused(
    folder: Path, arguments: list[str], error: type[Exception], message: str
) -> None:
    done = run("preview", folder / "in.mp4", folder / "ref.png", *arguments)
    assert isinstance(done.exception, error)
    assert message in str(done.exception)
