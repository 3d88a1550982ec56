"""Masks as pictures: one grey PNG a frame, in a folder that appears whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyvips
from numpy.typing import NDArray

from streamct.errors import OutputError
from streamct.media.files import beside, sweep, writing

_NAME = re.compile(r"\d{5,}\.png")


def mask_name(index: int) -> str:
    """The file name of frame `index`'s mask: `00042.png`; names sort in order of time below 100,000 frames."""
    return f"{index:05d}.png"


def save_mask(path: Path, mask: NDArray[np.uint8]) -> None:
    """Write a mask (h, w), 0 background .. 255 foreground, as a grey PNG.

    Raises:
        OutputError: no space or no permission.
    """
    image = pyvips.Image.new_from_array(np.ascontiguousarray(mask)).copy(interpretation="b-w")
    with writing(path):
        path.write_bytes(bytes(image.pngsave_buffer(compression=1)))


def check_mask_folder(folder: Path, overwrite: bool, used: Iterable[Path] = ()) -> None:
    """Refuse a folder that holds something, but for masks that may be overwritten.

    used: files, folders of files, and patterns that the run reads or writes; none may lie there, for the folder is
    replaced as a whole.

    Raises:
        OutputError: it is no folder, is not empty, can't be made, or holds what is used.
    """
    place = folder.resolve()
    for path in used:
        for file in (path, *(path.iterdir() if path.is_dir() else ())):
            if file.resolve().is_relative_to(place):
                raise OutputError(
                    f"{folder}: is replaced as a whole, and this run uses what is in it ({path}). "
                    "Name another folder for the masks."
                )
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file. Name a folder for the masks.")
    if not folder.parent.is_dir():
        raise OutputError(f"{folder}: the folder {folder.parent} does not exist. Create it first.")
    if not os.access(folder.parent, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: the folder {folder.parent} can't be written to. Check its permissions.")
    if not folder.is_dir():
        return
    held = sorted(entry.name for entry in folder.iterdir())
    others = [name for name in held if not _NAME.fullmatch(name)]
    if others:
        raise OutputError(f"{folder}: holds other things than masks, such as {others[0]}. Name a new folder.")
    if held and not overwrite:
        raise OutputError(f"{folder}: holds masks already. Pass --overwrite (-y) to replace them, or name another.")


@contextmanager
def mask_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder`, which it replaces when the block ends well; else it is removed.

    Leftovers of processes that no longer live are removed first.

    Raises:
        OutputError: no space, or the place can't be written to.
    """
    folder = folder.resolve()  # of a link what it points to
    sweep(folder.parent, folder)
    temporary = beside(folder)
    try:
        with writing(folder):
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
        yield temporary
        with writing(folder):
            if folder.is_dir():
                shutil.rmtree(folder)
            os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
