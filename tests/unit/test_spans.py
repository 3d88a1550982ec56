"""Where clips are divided."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamct.model import Span
from streamct.spans import LENGTH, SHORTEST, plan_spans


def keys_every(step: int, frames: int) -> np.ndarray:
    return np.arange(0, frames, step, dtype=np.int64)


@given(
    frames=st.integers(1, 5000),
    step=st.integers(1, 700),
    lead=st.integers(0, 120),
    count=st.none() | st.integers(1, 40),
)
def test_spans_follow_each_other_without_gap_and_none_is_too_short_to_encode(
    frames: int, step: int, lead: int, count: int | None
) -> None:
    spans = plan_spans(frames, keys_every(step, frames), lead, count)
    assert spans[0].start == 0
    assert spans[-1].stop == frames
    assert all(before.stop == after.start for before, after in pairwise(spans))
    assert all(span.stop - span.start >= min(SHORTEST, frames) for span in spans)


@given(frames=st.integers(SHORTEST, 5000), count=st.integers(1, 40), step=st.integers(1, 700))
def test_as_many_spans_come_as_are_asked_for_if_the_clip_is_long_enough(frames: int, count: int, step: int) -> None:
    assert len(plan_spans(frames, keys_every(step, frames), 36, count)) == min(count, frames // SHORTEST)


def test_a_short_clip_goes_whole() -> None:
    assert plan_spans(LENGTH, keys_every(250, LENGTH), 36) == [Span(0, LENGTH)]


def test_a_film_is_divided_where_nothing_but_the_lead_has_to_be_decoded_before() -> None:
    spans = plan_spans(60_000, keys_every(250, 60_000), 36)
    assert len(spans) == 100
    assert all((span.start - 36) % 250 == 0 for span in spans[1:])
    assert all(abs(span.start - 600 * number) <= 200 for number, span in enumerate(spans))


@pytest.mark.parametrize("count", [None, 2, 4])
def test_a_short_clip_is_divided_evenly_for_all_wait_for_the_longest_span(count: int | None) -> None:
    spans = plan_spans(1200, keys_every(250, 1200), 36, count)
    assert [span.start for span in spans] == [1200 // (count or 2) * number for number in range(count or 2)]


def test_a_border_moves_a_little_where_that_spares_much_decoding() -> None:
    keys = np.array([0, 570])
    assert plan_spans(1200, keys, 36, 2) == [Span(0, 606), Span(606, 1200)]
    assert plan_spans(1200, keys, 136, 2) == [Span(0, 600), Span(600, 1200)]


def test_a_clip_with_one_key_frame_goes_whole_unless_a_number_is_asked_for() -> None:
    assert plan_spans(6000, np.array([0]), 36) == [Span(0, 6000)]
    assert plan_spans(6000, np.array([0]), 36, 3) == [Span(0, 2000), Span(2000, 4000), Span(4000, 6000)]


@pytest.mark.parametrize("count", [None, 7])
def test_the_plan_is_the_same_every_time(count: int | None) -> None:
    keys = keys_every(113, 4321)
    assert plan_spans(4321, keys, 36, count) == plan_spans(4321, keys.copy(), 36, count)
