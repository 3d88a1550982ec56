from __future__ import annotations

import numpy as np
import pytest
from networks import RedIsForeground

from streamct.segment.still import picture_full, picture_mask
from streamct.segment.upright import quarter_turns

ONE = 1 << 16


@pytest.mark.parametrize(
    ("matrix", "turns"),
    [
        (None, 0),
        ((ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30), 0),
        ((0, ONE, 0, -ONE, 0, 0, 1080 * ONE, 0, 1 << 30), 3),  # a phone held upright: shown turned clockwise
        ((-ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30), 2),
        ((0, -ONE, 0, ONE, 0, 0, 0, 0, 1 << 30), 1),
        ((0, 0, 0, 0, 0, 0, 0, 0, 0), 0),
    ],
)
def test_display_matrix_says_how_to_turn_upright(matrix: tuple[int, ...] | None, turns: int) -> None:
    assert quarter_turns(matrix) == turns


def test_a_picture_is_segmented_at_the_segmenters_size_and_comes_back_at_its_own() -> None:
    rgb = np.zeros((120, 200, 3), np.float32)
    rgb[30:90, 50:150] = (1.0, 0.9, 0.8)
    segmenter = RedIsForeground(size=50)
    mask = picture_mask(rgb, segmenter)
    assert segmenter.batches[0].shape == (1, 30, 50, 3)
    full = picture_full(mask, rgb)
    assert full.shape == (120, 200)
    assert ((full > 127) == (rgb[..., 0] > 0.5)).mean() > 0.999
