from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamct.color.proxy import box_means
from streamct.segment.matte import resized
from streamct.segment.upsample import upsampled


def twin(mask: NDArray[np.uint8], luma: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Joint bilateral upsampling by its definition (Kopf et al. 2007, Eq. 3), weights in whole 32nds and 256ths."""
    (h, w), (rows, columns) = mask.shape, luma.shape
    guide = np.rint(box_means(luma, w, h))
    out = np.empty((rows, columns))
    for y in range(rows):
        for x in range(columns):
            py, px = (y + 0.5) * h / rows - 0.5, (x + 0.5) * w / columns - 0.5
            cy, cx = (2 * y + 1) * h // (2 * rows), (2 * x + 1) * w // (2 * columns)
            total = held = 0.0
            for v in range(cy - 2, cy + 3):
                for u in range(cx - 2, cx + 3):
                    near = 1.0
                    for distance in (py - v, px - u):
                        near *= np.rint(32 * max(1 - (distance / 2.5) ** 2, 0) ** 2)
                    v_, u_ = min(max(v, 0), h - 1), min(max(u, 0), w - 1)
                    counts = near * (255 // (1 + (abs(float(luma[y, x]) - guide[v_, u_]) / 12) ** 4) + 1)
                    total, held = total + counts, held + counts * mask[v_, u_]
            out[y, x] = held / total
    return out


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 9), st.integers(2, 24), st.integers(2, 24))
def test_kernel_follows_its_twin(seed: int, h: int, w: int, more_h: int, more_w: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.integers(0, 256, (h, w), np.uint8)
    luma = rng.integers(0, 256, (h + more_h, w + more_w), np.uint8)
    flat = mask.max() - int(mask.min()) <= 2  # then the nearest is taken
    assert np.abs(upsampled(mask, luma, 8) - twin(mask, luma)).max() <= (2 if flat else 0.5) + 1e-9


def test_the_edge_lands_on_the_lumas_edge_to_the_pixel() -> None:
    luma = np.full((120, 160), 40, np.uint8)
    luma[:, 67:] = 180
    truth = (luma > 100) * np.uint8(255)
    mask = np.rint(box_means(truth, 40, 30)).astype(np.uint8)
    refined = upsampled(mask, luma, 8)
    assert (refined[:, :67] < 64).all()
    assert (refined[:, 67:] > 191).all()
    plain = np.abs(resized(mask, 160, 120).astype(int) - truth).mean()
    assert np.abs(refined.astype(int) - truth).mean() < plain / 2


@pytest.mark.parametrize("value", [0, 1, 128, 254, 255])
def test_a_flat_mask_stays_as_it_is(value: int) -> None:
    luma = np.random.default_rng(0).integers(0, 256, (50, 70), np.uint8)
    assert (upsampled(np.full((10, 14), value, np.uint8), luma, 8) == value).all()


def test_deeper_samples_give_the_same_mask() -> None:
    rng = np.random.default_rng(3)
    luma = rng.integers(0, 256, (40, 60), np.uint8)
    mask = rng.integers(0, 256, (10, 15), np.uint8)
    assert np.array_equal(upsampled(mask, luma, 8), upsampled(mask, luma.astype(np.uint16) << 2, 10))


def test_padded_planes_and_masks_as_large_as_the_frame_are_taken() -> None:
    rng = np.random.default_rng(3)
    padded = rng.integers(0, 256, (40, 96), np.uint8)[:, :60]
    mask = rng.integers(0, 256, (10, 15), np.uint8)
    assert np.array_equal(upsampled(mask, padded, 8), upsampled(mask, padded.copy(), 8))
    same = rng.integers(0, 256, (40, 60), np.uint8)
    assert np.array_equal(upsampled(same, padded, 8), same)
