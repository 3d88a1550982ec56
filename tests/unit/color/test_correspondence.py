"""Source palette x reference palette -> targets (Eq. 6-10, entropic transport)."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import few

from streamct.color.correspondence import barycentres, correspond, nearest_targets, neutral_shares, transport_targets
from streamct.model import Palette
from streamct.settings import MappingSettings

TRANSPORT = MappingSettings(reach=None, transport_blur=10.0)
NEAREST = MappingSettings(correspondence="nearest", reach=None)
PAPER = MappingSettings(
    correspondence="nearest", reach=None, propagation="absolute", assignment="hard", neutral_blacks=False
)


def drawn(rng: np.random.Generator, size: int) -> Palette:
    weights = np.sort(rng.dirichlet(np.ones(size)) + 1e-4)[::-1]
    colours = rng.uniform([0, -60, -60], [100, 60, 60], (size, 3))
    return Palette(colours, weights / weights.sum())


def palette(*entries: tuple[float, float, float, float]) -> Palette:
    table = np.array(entries)
    return Palette(table[:, :3].copy(), table[:, 3] / table[:, 3].sum())


sizes = st.integers(1, 12)
seeds = st.integers(0, 2**32)
reaches = st.sampled_from([None, 5.0, 20.0, 40.0, 200.0])


@few
@given(seeds, sizes, sizes, reaches, st.sampled_from(["offset", "absolute"]))
def test_nearest_matches_and_propagation_are_those_of_the_equations(
    seed: int, k: int, m: int, reach: float | None, propagation: str
) -> None:
    rng = np.random.default_rng(seed)
    source, reference = drawn(rng, k), drawn(rng, m)
    settings = NEAREST.model_copy(update={"reach": reach, "propagation": propagation})
    expected = naive.nearest_targets(
        source.colours,
        source.weights,
        reference.colours,
        reach=np.inf if reach is None else reach,
        propagation=propagation,
    )
    np.testing.assert_allclose(nearest_targets(source, reference, settings), expected, atol=1e-9)


@few
@given(seeds, sizes, sizes, reaches, st.sampled_from([3.0, 10.0, 30.0]), st.sampled_from([1, 20, 50]))
def test_transport_is_sinkhorn_in_the_log_domain_corrected_by_its_own_blur(
    seed: int, k: int, m: int, reach: float | None, blur: float, steps: int
) -> None:
    rng = np.random.default_rng(seed)
    source, reference = drawn(rng, k), drawn(rng, m)
    changed = {"reach": reach, "transport_blur": blur, "transport_iterations": steps}
    found = transport_targets(source, reference, TRANSPORT.model_copy(update=changed))
    expected = naive.transport_targets(
        source.colours, source.weights, reference.colours, reference.weights, blur=blur, reach=reach, steps=steps
    )
    np.testing.assert_allclose(found, expected, atol=1e-7)


# Eq. 6 and 8.

ONE_GREEN = palette((50, -40, 0, 1))


def test_of_those_that_share_a_target_the_heaviest_keeps_it() -> None:
    source = palette((50, -30, 0, 0.6), (50, -38, 0, 0.4))  # the lighter one lies nearer
    targets = nearest_targets(source, ONE_GREEN, NEAREST)
    np.testing.assert_allclose(targets, [[50, -40, 0], [50, -48, 0]])


def test_of_equally_heavy_ones_the_first_keeps_it() -> None:
    source = palette((50, -30, 0, 0.5), (50, -38, 0, 0.5))
    np.testing.assert_allclose(nearest_targets(source, ONE_GREEN, PAPER)[0], [50, -40, 0])
    np.testing.assert_allclose(nearest_targets(source, ONE_GREEN, NEAREST)[1], [50, -48, 0])


def test_of_equally_near_targets_the_heavier_is_taken() -> None:
    reference = palette((50, 10, 0, 0.7), (50, -10, 0, 0.3))
    np.testing.assert_allclose(nearest_targets(palette((50, 0, 0, 1)), reference, NEAREST), [[50, 10, 0]])


def test_absolute_propagation_mixes_values_and_offset_propagation_shifts() -> None:
    source = palette((50, 0, 0, 0.6), (50, 30, 0, 0.3), (50, 10, 0, 0.1))
    reference = palette((60, 0, 0, 0.5), (50, 30, 20, 0.5))
    absolute = nearest_targets(source, reference, PAPER)
    offset = nearest_targets(source, reference, NEAREST)
    # The third colour is 10 away from the first and 20 from the second: weights 2:1, squared 4:1.
    np.testing.assert_allclose(absolute[2], (2 * np.array([60, 0, 0]) + [50, 30, 20]) / 3)
    np.testing.assert_allclose(offset[2], [50, 10, 0] + (4 * np.array([10, 0, 0]) + [0, 0, 20]) / 5)


# Reach.


def test_a_match_beyond_reach_is_not_taken_and_follows_the_others() -> None:
    source = palette((50, 0, 0, 0.6), (50, 50, 0, 0.4))
    reference = palette((50, 5, 0, 0.5), (50, 90, 0, 0.5))
    near = nearest_targets(source, reference, NEAREST.model_copy(update={"reach": 10.0}))
    np.testing.assert_allclose(near, [[50, 5, 0], [50, 55, 0]])
    far = nearest_targets(source, reference, NEAREST.model_copy(update={"reach": 45.0}))
    np.testing.assert_allclose(far, [[50, 5, 0], [50, 90, 0]])


def test_a_match_at_exactly_the_reach_is_taken() -> None:
    targets = nearest_targets(palette((50, 0, 0, 1)), palette((50, 10, 0, 1)), NEAREST.model_copy(update={"reach": 10}))
    np.testing.assert_allclose(targets, [[50, 10, 0]])


def test_where_nothing_lies_within_reach_the_closest_pair_is_taken() -> None:
    source = palette((20, 0, 0, 0.6), (80, 0, 0, 0.4))
    reference = palette((50, 60, 0, 0.6), (80, 50, 0, 0.4))
    targets = nearest_targets(source, reference, NEAREST.model_copy(update={"reach": 1.0}))
    np.testing.assert_allclose(targets, [[20, 50, 0], [80, 50, 0]])


# Neutrals.


@few
@given(seeds, sizes, sizes)
def test_the_share_of_greys_that_stay_is_as_defined(seed: int, k: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    source, reference = drawn(rng, k), drawn(rng, m)
    for own in (source, reference):
        own.colours[:, 1:] /= 6  # near grey
    expected = [
        naive.neutral_share(c, source.colours, source.weights, reference.colours, reference.weights)
        for c in source.colours
    ]
    np.testing.assert_allclose(neutral_shares(source, reference), expected, atol=1e-12)


@pytest.mark.parametrize("correspondence", ["transport", "nearest"])
def test_greys_that_are_grey_in_both_stay_grey(correspondence: str) -> None:
    settings = TRANSPORT.model_copy(update={"correspondence": correspondence})
    source = palette((50, 0, 0, 0.5), (60, 1, -1, 0.3), (50, -30, 0, 0.2))
    reference = palette((52, 0, 0, 0.8), (55, 40, 30, 0.2))
    targets = correspond(source, reference, settings).targets
    np.testing.assert_allclose(targets[0, 1:], 0, atol=0.01)
    np.testing.assert_allclose(targets[1, 1:], [1, -1], atol=1)


def test_greys_are_graded_where_the_reference_has_none_or_none_so_light() -> None:
    source = palette((50, 0, 0, 1))
    for reference in (palette((50, 40, 30, 1)), palette((50, 40, 30, 0.5), (150, 0, 0, 0.5))):
        free = TRANSPORT.model_copy(update={"keep_neutrals": 0.0})
        with_it = correspond(source, reference, TRANSPORT).targets
        np.testing.assert_allclose(with_it, correspond(source, reference, free).targets, atol=1e-6)


def test_a_reference_with_half_as_many_greys_holds_greys_half_way() -> None:
    source, reference = palette((50, 0, 0, 1)), palette((50, 0, 0, 0.5), (50, 40, 0, 0.5))
    np.testing.assert_allclose(neutral_shares(source, reference), [0.5])


# Transport.


@few
@given(seeds, sizes, reaches)
def test_a_palette_matched_with_itself_stays_exactly_where_it_is(seed: int, k: int, reach: float | None) -> None:
    own = drawn(np.random.default_rng(seed), k)
    for settings in (TRANSPORT, NEAREST, PAPER):
        targets = correspond(own, own, settings.model_copy(update={"reach": reach})).targets
        np.testing.assert_array_equal(targets, own.colours)


@few
@given(seeds, sizes, sizes)
def test_all_of_the_reference_is_used_with_exact_marginals(seed: int, k: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    source, reference = drawn(rng, k), drawn(rng, m)
    mean = source.weights @ barycentres(source, reference, 30.0, np.inf, 2000)
    np.testing.assert_allclose(mean, reference.weights @ reference.colours, atol=1e-3)


def test_one_reference_colour_draws_the_source_towards_it_with_its_structure_kept() -> None:
    source = palette((30, 0, 0, 0.5), (70, 0, 0, 0.5))
    targets = transport_targets(source, palette((50, 20, 10, 1)), TRANSPORT)
    np.testing.assert_allclose(targets[:, 1:], [[20, 10], [20, 10]])
    np.testing.assert_allclose(targets.mean(axis=0), [50, 20, 10])


def test_a_single_colour_goes_to_the_mean_of_the_reference() -> None:
    reference = drawn(np.random.default_rng(5), 6)
    targets = transport_targets(palette((40, 0, 0, 1)), reference, TRANSPORT)
    np.testing.assert_allclose(targets[0], reference.weights @ reference.colours)


def test_reach_holds_back_colours_whose_partners_are_far() -> None:
    source = palette((50, 0, 0, 0.5), (50, 10, 0, 0.5))
    reference = palette((50, 0, 0, 0.5), (50, 100, 0, 0.5))
    free = transport_targets(source, reference, TRANSPORT)
    held = transport_targets(source, reference, TRANSPORT.model_copy(update={"reach": 10.0}))
    assert free[1, 1] > 80
    assert abs(held[1, 1] - 10) < 10


@pytest.mark.parametrize("reach", [1.0, 5.0, 50.0, None])
@pytest.mark.parametrize("blur", [1.0, 10.0])
def test_colours_a_world_apart_do_not_break_the_arithmetic(reach: float | None, blur: float) -> None:
    source = palette((0, -100, -100, 0.999), (100, 100, 100, 0.001))
    reference = palette((100, 100, -100, 0.5), (0, 100, 100, 0.499999), (1, 99, 100, 0.000001))
    settings = TRANSPORT.model_copy(update={"reach": reach, "transport_blur": blur})
    targets = transport_targets(source, reference, settings)
    assert np.isfinite(targets).all()
    expected = naive.transport_targets(
        source.colours, source.weights, reference.colours, reference.weights, blur=blur, reach=reach
    )
    np.testing.assert_allclose(targets, expected, atol=1e-6)
