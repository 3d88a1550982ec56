"""Folders that batches are tried on, and a machine without a network."""

from __future__ import annotations

import shutil
import socket
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


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine that reaches no server and has no weights in its cache."""

    def fail(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
