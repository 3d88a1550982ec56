"""Structure is kept by any smooth change of tones, lost where a grade draws or wipes out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from streamct.metrics import structure
from streamct.metrics.structure import gaussian_blur


def picture(seed: int = 0, shape: tuple[int, int] = (40, 52)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(gaussian_filter(rng.random((*shape, 3)), (1, 1, 0)) * 2 - 0.5, 0, 1)


def test_the_blur_of_a_point_is_the_product_of_two_gaussians() -> None:
    # Weights exp(-k^2 / 18) for k = -9..9 sum to 7.50886; the middle one is 0.133176, its square 0.0177358.
    point = np.zeros((31, 31))
    point[15, 15] = 1
    blurred = gaussian_blur(point)
    assert blurred[15, 15] == pytest.approx(0.0177358, abs=1e-7)
    assert blurred[15, 18] / blurred[15, 15] == pytest.approx(np.exp(-0.5))
    assert blurred[15, 25] == 0
    assert blurred.sum() == pytest.approx(1)


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (41, 7)])
def test_the_blur_is_scipys(shape: tuple[int, int]) -> None:
    plane = picture(1, shape)[..., 0]
    assert gaussian_blur(plane) == pytest.approx(gaussian_filter(plane, 3, mode="nearest", truncate=3.0), abs=1e-12)


def test_correlation_is_that_of_the_normalised_lumas() -> None:
    first, second = picture(2), picture(3)
    maps = []
    for rgb in (first, second):
        luma = rgb @ [0.2126, 0.7152, 0.0722]
        mean = gaussian_filter(luma, 3, mode="nearest", truncate=3.0)
        square = gaussian_filter(luma**2, 3, mode="nearest", truncate=3.0)
        maps.append((luma - mean) / (np.sqrt(square - mean**2) + 1 / 255))
    expected = np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1]
    assert structure(first, second) == pytest.approx(expected)


def test_a_negative_has_the_opposite_structure() -> None:
    assert structure(picture(), 1 - picture()) == pytest.approx(-1)


def test_contrast_and_brightness_keep_structure() -> None:
    assert structure(picture(), 0.6 * picture() + 0.2) > 0.999


def test_a_wiped_picture_has_none() -> None:
    assert structure(picture(), np.full((40, 52, 3), 0.4)) == 0


def test_flat_pictures_have_the_same_structure() -> None:
    assert structure(np.full((20, 20, 3), 0.2), np.full((20, 20, 3), 0.7)) == 1
