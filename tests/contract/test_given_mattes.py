"""What every source of given mattes promises: none, a picture, a folder, a video."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pictures
import pytest
import streams

from streamct.errors import MaskError
from streamct.segment import GivenMattes
from streamct.segment.matte import Matte
from streamct.segment.none import NoSegmenter

FRAMES, WIDTH, HEIGHT, WINDOW = 40, 48, 36, 30
SIZES = [(WIDTH, HEIGHT), (16, 12), (96, 72), (31, 7), (1, 1)]


def luma(index: int) -> np.ndarray:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return ((5 * x + 3 * y + 7 * index) % 256).astype(np.uint8)


@dataclass(frozen=True)
class Kind:
    """Mattes under test. expected: the mask of a frame at the clip's size, None if it gives none."""

    make: Callable[[Path], GivenMattes]
    expected: Callable[[int], np.ndarray | None]
    a_mask_a_frame: bool


def numbered(folder: Path) -> GivenMattes:
    (folder / "masks").mkdir()
    for index in range(FRAMES):
        pictures.save(folder / "masks" / f"{index}.png", luma(index)[..., None])
    return Matte(folder / "masks")


def video(folder: Path) -> GivenMattes:
    frames = [[luma(index)] for index in range(FRAMES)]
    return Matte(streams.write_planes(folder / "a.mkv", "gray", frames, (WIDTH, HEIGHT)))


KINDS = {
    "none": Kind(lambda folder: NoSegmenter(), lambda index: None, False),
    "picture": Kind(
        lambda folder: Matte(pictures.save(folder / "a.png", luma(0)[..., None])), lambda index: luma(0), False
    ),
    "folder": Kind(numbered, luma, True),
    "video": Kind(video, luma, True),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.mark.parametrize("frames", [FRAMES, None])
def test_a_mask_has_the_size_that_was_asked_for_and_weights_of_8_bits_or_is_none(
    kind: Kind, tmp_path: Path, frames: int | None
) -> None:
    mattes = kind.make(tmp_path)
    mattes.begin(frames, WIDTH, HEIGHT)
    for index in range(FRAMES):
        for width, height in SIZES:
            mask = mattes.mask(index, width, height)
            assert (mask is None) == (kind.expected(index) is None)
            if mask is not None:
                assert mask.shape == (height, width)
                assert mask.dtype == np.uint8
    mattes.end(FRAMES)
    assert mattes.name == ("none" if kind.expected(0) is None else "matte")


def same(mask: np.ndarray | None, expected: np.ndarray | None) -> bool:
    return mask is expected if mask is None or expected is None else np.array_equal(mask, expected)


def test_a_frame_gives_the_same_mask_whenever_it_is_asked_within_the_window(kind: Kind, tmp_path: Path) -> None:
    mattes = kind.make(tmp_path)
    mattes.begin(FRAMES, WIDTH, HEIGHT)
    for index in range(FRAMES + WINDOW):
        for asked in (index, index - WINDOW):
            if 0 <= asked < FRAMES:
                assert same(mattes.mask(asked, WIDTH, HEIGHT), kind.expected(asked))
    mattes.end(FRAMES)


def test_threads_may_ask_out_of_order(kind: Kind, tmp_path: Path) -> None:
    mattes = kind.make(tmp_path)
    mattes.begin(FRAMES, WIDTH, HEIGHT)
    wrong: list[int] = []
    barrier = threading.Barrier(3)

    def ask(seed: int) -> None:
        rng = np.random.default_rng(seed)
        barrier.wait()
        for start in range(0, FRAMES, 8):
            for index in rng.permutation(np.arange(start, min(start + 8, FRAMES))):
                if not same(mattes.mask(int(index), WIDTH, HEIGHT), kind.expected(int(index))):
                    wrong.append(int(index))

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    mattes.end(FRAMES)


def test_a_clip_of_another_length_is_refused_by_whoever_has_a_mask_for_each_frame(kind: Kind, tmp_path: Path) -> None:
    mattes = kind.make(tmp_path)
    mattes.begin(None, WIDTH, HEIGHT)
    if kind.a_mask_a_frame:
        with pytest.raises(MaskError, match=f"holds {FRAMES} masks, but the clip has {FRAMES + 1} frames"):
            mattes.end(FRAMES + 1)
    else:
        mattes.end(FRAMES + 1)
