"""Masks turned and mirrored as a clip is shown, against the display matrix applied to each sample."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from streamct.segment.upright import as_shown, as_stored

ONE = 1 << 16
MATRICES = [
    (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    for a, b, c, d in itertools.product((-ONE, 0, ONE), repeat=4)
    if abs(a * d - b * c) == ONE * ONE and (a == 0) == (d == 0) and (b == 0) == (c == 0) and (a == 0) != (b == 0)
]
"""Quarter turns, mirrored and not: x' = a x + c y, y' = b x + d y (ISO/IEC 14496-12, 6.2.2)."""


def by_samples(mask: np.ndarray, matrix: tuple[int, ...]) -> np.ndarray:
    a, b, c, d = (matrix[i] // ONE for i in (0, 1, 3, 4))
    places = {(a * x + c * y, b * x + d * y): mask[y, x] for y in range(mask.shape[0]) for x in range(mask.shape[1])}
    left, top = min(x for x, _ in places), min(y for _, y in places)
    wide, high = (max(place[axis] for place in places) for axis in (0, 1))
    shown = np.zeros((high - top + 1, wide - left + 1), np.uint8)
    for (x, y), value in places.items():
        shown[y - top, x - left] = value
    return shown


@pytest.mark.parametrize("matrix", MATRICES)
def test_a_mask_is_turned_and_mirrored_as_each_sample_is(matrix: tuple[int, ...]) -> None:
    assert len(MATRICES) == 8
    mask = np.arange(15, dtype=np.uint8).reshape(3, 5)
    shown = as_shown(mask, matrix)
    np.testing.assert_array_equal(shown, by_samples(mask, matrix))
    assert shown.flags.c_contiguous
    np.testing.assert_array_equal(as_stored(shown, matrix), mask)
    assert as_stored(shown, matrix).flags.c_contiguous


def test_without_a_matrix_nothing_is_turned() -> None:
    mask = np.arange(15, dtype=np.uint8).reshape(3, 5)
    np.testing.assert_array_equal(as_shown(mask, None), mask)
    np.testing.assert_array_equal(as_stored(mask, None), mask)
