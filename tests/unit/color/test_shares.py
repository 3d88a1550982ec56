"""Which Luts the blocks of a line ask for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import few

from streamct.color.shares import BACK, BOTH, FRONT, block_shares, span_end


def shares(mask: np.ndarray, sub_x: int, sub_y: int, row: int) -> tuple[list[int], list[int]]:
    height, width = mask.shape
    columns = -(-width >> sub_x)
    sides, weights = np.empty(columns, np.uint8), np.empty(columns, np.int32)
    lines = row << sub_y, min((row + 1) << sub_y, height)
    block_shares(mask.reshape(-1), width, *lines, width, sub_x, sides, weights)
    return sides.tolist(), weights.tolist()


@few
@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from([(1, 1), (1, 0), (0, 0), (0, 1), (2, 2)]), st.integers())
def test_a_block_needs_the_luts_that_its_mask_samples_name(
    height: int, width: int, sub: tuple[int, int], seed: int
) -> None:
    mask = np.random.default_rng(abs(seed)).choice(np.array([0, 0, 0, 255, 255, 255, 7], np.uint8), (height, width))
    for row in range(-(-height >> sub[1])):
        sides, weights = shares(mask, *sub, row)
        for c, (side, weight) in enumerate(zip(sides, weights, strict=True)):
            block = mask[row << sub[1] : (row + 1) << sub[1], c << sub[0] : (c + 1) << sub[0]].astype(int)
            assert side == (FRONT if block.min() == 255 else BACK if block.max() == 0 else BOTH)
            assert weight == (block.sum() + block.size // 2) // block.size


@pytest.mark.parametrize("value", [1, 254])
def test_one_sample_that_differs_by_one_is_enough_to_need_both(value: int) -> None:
    mask = np.full((2, 6), 0 if value == 1 else 255, np.uint8)
    mask[1, 3] = value
    assert shares(mask, 1, 1, 0)[0][1] == BOTH


def test_spans_cover_a_line_without_gap_or_overlap() -> None:
    sides = np.array([FRONT, FRONT, BOTH, BACK, BACK, BACK, FRONT], np.uint8)
    ends, start = [], 0
    while start < len(sides):
        start = span_end(sides, start)
        ends.append(start)
    assert ends == [2, 3, 6, 7]
