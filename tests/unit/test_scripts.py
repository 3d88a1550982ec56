"""The scripts say how they are used, and in one line what they miss."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"script_{name}", SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for what they are made of
    spec.loader.exec_module(module)
    return module


def ended(name: str, *words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What a run that ends at once prints, and what it ends with."""
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *words])
    with pytest.raises(SystemExit) as end:
        script(name).main()
    out, err = capsys.readouterr()
    return f"{end.value.code}\n{out}{err}"


@pytest.fixture
def without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "scipy"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.interpolate", None)


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    for name in ("clips", "odd", "refs"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.mark.usefixtures("without_scipy")
@pytest.mark.parametrize("name", ["fidelity", "fuzz", "accuracy", "hdr_sheet"])
def test_help_is_given_whatever_is_installed(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ended(name, "--help", monkeypatch=monkeypatch, capsys=capsys)
    assert told.startswith("0\nusage: ")
    assert f"python scripts/{name}.py" in told


@pytest.mark.parametrize("name", ["fidelity", "accuracy"])
def test_a_folder_that_holds_no_data_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ended(name, str(tmp_path), monkeypatch=monkeypatch, capsys=capsys)
    assert told.startswith("2\n")
    assert told.rstrip().endswith(f"{tmp_path}: has no folder clips (CONTRIBUTING.md says what DATA holds)")


@pytest.mark.usefixtures("without_scipy")
def test_what_a_part_needs_and_is_not_installed_is_named_with_its_extra(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ended("accuracy", str(data_folder), "luts", monkeypatch=monkeypatch, capsys=capsys)
    assert "luts: needs scipy" in told
    assert "pip install 'streamct[test]'" in told


def test_a_folder_without_clips_is_named_and_so_is_a_file_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    words = ("sheet.png", "--refs", "ref.png", "--clips")
    told = ended("hdr_sheet", *words, str(empty), monkeypatch=monkeypatch, capsys=capsys)
    assert told.rstrip().endswith(f"{empty}: no clips in there")
    (empty / "a.txt").write_text("no clip")
    told = ended("hdr_sheet", *words, str(empty), monkeypatch=monkeypatch, capsys=capsys)
    assert f"{empty / 'a.txt'}: can't be opened as a video" in told
