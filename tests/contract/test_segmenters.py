"""What every segmenter promises: the networks, in full and in half precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from networks import RedIsForeground, moving_scene, random_network

from streamct.segment import Segmenter
from streamct.segment.deeplab import DeepLab
from streamct.segment.weights import ARCHITECTURES

WIDTH, HEIGHT = 40, 32


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
