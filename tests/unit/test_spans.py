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
    assert len(plan_spans(frames, keys_every(step, frames), 42, count)) == min(count, frames // SHORTEST)


def test_a_short_clip_goes_whole() -> None:
    assert plan_spans(LENGTH, keys_every(250, LENGTH), 42) == [Span(0, LENGTH)]


def test_a_long_clip_is_divided_where_nothing_but_the_lead_has_to_be_decoded_before() -> None:
    spans = plan_spans(6000, keys_every(250, 6000), 42)
    assert len(spans) == 10
    assert all((span.start - 42) % 250 == 0 for span in spans[1:])
    assert all(abs(span.start - 600 * number) <= 200 for number, span in enumerate(spans))


def test_a_clip_with_one_key_frame_goes_whole_unless_a_number_is_asked_for() -> None:
    assert plan_spans(6000, np.array([0]), 42) == [Span(0, 6000)]
    assert plan_spans(6000, np.array([0]), 42, 3) == [Span(0, 2000), Span(2000, 4000), Span(4000, 6000)]


@pytest.mark.parametrize("count", [None, 7])
def test_the_plan_is_the_same_every_time(count: int | None) -> None:
    keys = keys_every(113, 4321)
    assert plan_spans(4321, keys, 42, count) == plan_spans(4321, keys.copy(), 42, count)
