"""What every segmenter promises, and every source of mattes."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from clips import write_clip
from networks import RedIsForeground, looks, moving_scene, random_network

from streamct.grade.mattes import Given, Mattes, Segmented
from streamct.media.image import save_png
from streamct.model import Frame, PixelFormat
from streamct.segment import Segmenter
from streamct.segment.deeplab import DeepLab
from streamct.segment.matte import Matte
from streamct.segment.none import NoSegmenter
from streamct.segment.weights import ARCHITECTURES

FRAMES, WIDTH, HEIGHT = 9, 40, 32
SOURCES = ["none", "picture", "folder", "video", "network"]


@pytest.fixture(scope="module", params=["red", *ARCHITECTURES])
def segmenter(request: pytest.FixtureRequest) -> Segmenter:
    if request.param == "red":
        return RedIsForeground(batch=3)
    return DeepLab(request.param, random_network(request.param), size=64)


def proxies(count: int, height: int = HEIGHT, width: int = WIDTH) -> Any:
    return np.random.default_rng(count).integers(0, 256, (count, height, width, 3), np.uint8)


@pytest.mark.parametrize("count", [1, 8])
def test_a_batch_gives_one_map_of_probabilities_a_picture(segmenter: Segmenter, count: int) -> None:
    found = segmenter.segment(proxies(count))
    assert (found.shape, found.dtype) == ((count, HEIGHT, WIDTH), np.float32)
    assert found.min() >= 0
    assert found.max() <= 1
    assert found.std() > 0.01


def test_a_picture_does_not_depend_on_its_neighbours_in_the_batch(segmenter: Segmenter) -> None:
    batch = proxies(3)
    together = segmenter.segment(batch)
    alone = np.concatenate([segmenter.segment(batch[i : i + 1]) for i in range(3)])
    assert np.abs(together - alone).max() < 1e-4


def test_asked_twice_it_answers_the_same(segmenter: Segmenter) -> None:
    assert np.array_equal(segmenter.segment(proxies(2)), segmenter.segment(proxies(2)))


def test_odd_and_turned_shapes_are_taken(segmenter: Segmenter) -> None:
    assert segmenter.segment(proxies(1, 33, 27)).shape == (1, 33, 27)
    assert segmenter.segment(np.rot90(proxies(2), 1, (1, 2))).shape == (2, WIDTH, HEIGHT)


def test_it_says_what_and_where_it_is(segmenter: Segmenter) -> None:
    assert segmenter.name
    assert segmenter.device == "cpu"
    assert segmenter.size >= 1
    assert segmenter.batch >= 1


@pytest.fixture(params=SOURCES)
def mattes(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Mattes]:
    _, masks = moving_scene(FRAMES, width=WIDTH, height=HEIGHT)
    grey = [np.repeat(np.uint8(255) * mask[..., None], 3, axis=2) for mask in masks]

    def matte(path: Path) -> Mattes:
        given = Matte(path)
        given.begin(FRAMES, WIDTH, HEIGHT)
        return Given(given)

    if request.param == "none":
        return lambda: Given(NoSegmenter())
    if request.param == "picture":
        save_png(tmp_path / "m.png", grey[0])
        return lambda: matte(tmp_path / "m.png")
    if request.param == "folder":
        for index, mask in enumerate(grey):
            save_png(tmp_path / f"{index:05d}.png", mask)
        return lambda: matte(tmp_path)
    if request.param == "video":
        write_clip(tmp_path / "m.mkv", grey, codec="ffv1", pix_fmt="yuv444p")
        return lambda: matte(tmp_path / "m.mkv")
    return lambda: Segmented(RedIsForeground(), radius=2, every=2, ticks=Fraction(2))


def collect(source: Mattes) -> list[tuple[Any, Any]]:
    out = []
    for pushed, look in enumerate(looks(moving_scene(FRAMES, width=WIDTH, height=HEIGHT)[0])):
        out += list(source.push(look))
        assert pushed + 1 - len(out) <= source.delay
    out += list(source.finish())
    source.close()
    return out


def test_every_look_comes_back_once_in_order_with_its_mask(mattes: Callable[[], Mattes]) -> None:
    source = mattes()
    out = collect(source)
    assert [look.index for look, _ in out] == list(range(FRAMES))
    for _, mask in out:
        if source.name == "none":
            assert mask is None
        else:
            assert (mask.shape, mask.dtype) == ((HEIGHT, WIDTH), np.uint8)


def test_masks_come_out_the_same_every_time(mattes: Callable[[], Mattes]) -> None:
    for (_, one), (_, other) in zip(collect(mattes()), collect(mattes()), strict=True):
        assert (one is None and other is None) or np.array_equal(one, other)


def test_the_full_mask_has_the_frames_size(mattes: Callable[[], Mattes]) -> None:
    source = mattes()
    luma = np.random.default_rng(0).integers(0, 256, (2 * HEIGHT, 2 * WIDTH), np.uint8)
    layout = PixelFormat("gray", 8, 0, 0)
    for look, mask in collect(source)[:3]:
        frame = Frame((luma,), layout, look.index, look.pts, Fraction(1, 24))
        full = source.full(frame, mask)
        if source.name == "none":
            assert full is None
        else:
            assert full is not None
            assert (full.shape, full.dtype) == (luma.shape, np.uint8)


def test_a_network_that_overflows_half_precision_goes_on_in_full() -> None:
    network = random_network("deeplabv3-mobilenet")
    exact = DeepLab("deeplabv3-mobilenet", network).segment(proxies(1))
    with torch.no_grad():
        network.classifier[-2].register_forward_hook(lambda _, __, out: out * 1e5 if out.dtype == torch.half else out)
    halved = DeepLab("deeplabv3-mobilenet", network)
    halved._set_precision(torch.float16)
    found = halved.segment(proxies(1))
    assert halved.precision == "float32"
    assert np.abs(found - exact).mean() <= 0.01


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_half_precision_changes_probabilities_by_a_hundredth_at_most(name: str) -> None:
    pictures = np.stack(moving_scene(2, width=64, height=48)[0])
    exact = DeepLab(name, random_network(name)).segment(pictures)
    halved = DeepLab(name, random_network(name))
    halved._set_precision(torch.float16)
    assert exact.std() > 0.01
    assert np.abs(exact - halved.segment(pictures)).mean() <= 0.01


@pytest.mark.gpu
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_gpu_agrees_with_the_cpu(name: str) -> None:
    pictures = np.stack(moving_scene(8, width=256, height=192)[0])
    on_cpu = DeepLab(name, random_network(name), device="cpu", size=256)
    on_gpu = DeepLab(name, random_network(name), device="cuda", size=256)
    on_gpu.warm_up(256, 192)
    assert np.abs(on_cpu.segment(pictures) - on_gpu.segment(pictures)).mean() <= 0.01
    assert on_gpu.memory() > 0
    assert on_gpu.precision == "float16"
