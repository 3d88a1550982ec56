from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamct.segment.steady import firmed, steadied


def twin(now: NDArray[np.uint8], proxies: NDArray[np.uint8], masks: NDArray[np.uint8], weights: list[int]) -> object:
    """The weighted mean by its definition: a mask counts its weight by the likeness of colour, in whole 256ths."""
    difference = np.abs(proxies.astype(float) - now).sum(axis=-1)
    counts = np.array(weights)[:, None, None] * (np.floor(255 / (1 + (difference / 48) ** 4)) + 1)
    return (counts * masks).sum(axis=0) / counts.sum(axis=0)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 17), st.integers(1, 17))
def test_kernel_follows_its_twin(seed: int, count: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    now = rng.integers(0, 256, (height, width, 3), np.uint8)
    spread = rng.integers(1, 120)
    proxies = np.clip(now + rng.integers(-spread, spread + 1, (count, height, width, 3)), 0, 255).astype(np.uint8)
    masks = rng.integers(0, 256, (count, height, width), np.uint8)
    weights = rng.integers(1, 13, count).tolist()
    got = steadied(now, list(proxies), list(masks), weights)
    assert np.abs(got - twin(now, proxies, masks, weights)).max() <= 0.5 + 1e-9


def test_frames_that_look_alike_are_averaged_by_their_weights() -> None:
    now = np.full((4, 5, 3), 90, np.uint8)
    masks = [np.full((4, 5), value, np.uint8) for value in (0, 200, 100)]
    assert (steadied(now, [now, now, now], masks, [1, 2, 1]) == 125).all()


def test_a_frame_that_looks_different_hardly_counts() -> None:
    now, other = np.full((4, 5, 3), 90, np.uint8), np.full((4, 5, 3), 220, np.uint8)
    masks = [np.full((4, 5), 0, np.uint8), np.full((4, 5), 255, np.uint8)]
    assert (steadied(now, [now, other], masks, [1, 1]) <= 2).all()


def test_where_nothing_looks_alike_the_plain_mean_is_left() -> None:
    now, other = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
    masks = [np.full((2, 2), 0, np.uint8), np.full((2, 2), 200, np.uint8)]
    assert (steadied(now, [other, other], masks, [1, 3]) == 150).all()


def test_firming_keeps_order_ends_and_middle() -> None:
    codes = np.arange(256, dtype=np.uint8)[None]
    firm = firmed(codes)[0].astype(int)
    assert firm[0] == 0
    assert firm[255] == 255
    assert (np.diff(firm) >= 0).all()
    assert (firm + firm[::-1] == 255).all()
    assert firm[64] == 0
    assert firm[191] == 255
