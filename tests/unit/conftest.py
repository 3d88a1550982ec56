"""Folders that batches are tried on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from clips import moving_picture, write_clip

from streamct.media.image import save_png


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips and a picture in folders, and a reference."""
    root = tmp_path_factory.mktemp("made")
    (root / "in" / "sub").mkdir(parents=True)
    write_clip(root / "in" / "a.mkv", moving_picture(12), audio=True)
    write_clip(root / "in" / "sub" / "b.mkv", moving_picture(9, seed=1))
    save_png(root / "in" / "sub" / "c.png", moving_picture(1, seed=2)[0])
    save_png(root / "ref.png", moving_picture(1, seed=5)[0][..., ::-1])
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path
