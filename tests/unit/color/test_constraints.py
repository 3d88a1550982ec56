"""Held colours: what a user wants of a colour is what the rendered pixels show."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from streamct.color.apply import Content, PlaneGrader
from streamct.color.coding import code_to_rgb, rgb_to_code
from streamct.color.colormap import ColorMap, color_map, constrained, shown_colours
from streamct.color.constraints import Held, solve
from streamct.color.correspondence import correspond
from streamct.color.lab import lab_to_srgb, srgb_to_lab
from streamct.color.lut import LutGrid
from streamct.metrics.delta_e import delta_e_2000
from streamct.model import Coding, Palette, PixelFormat
from streamct.settings import MappingSettings

FILM = MappingSettings()
CODINGS = {
    "yuv420p": (PixelFormat("yuv420p", 8, 1, 1), Coding("bt709", full_range=False)),
    "yuv444p10le": (PixelFormat("yuv444p10le", 10, 0, 0), Coding("bt709", full_range=False)),
    "gbrp10le": (PixelFormat("gbrp10le", 10, 0, 0, rgb=True), Coding("rgb", full_range=True)),
}
SIDE = 8


def palette(seed: int, size: int) -> Palette:
    """Random sRGB colours at least 8 Delta E apart, as a picture's are."""
    rng = np.random.default_rng(seed)
    colours: list[np.ndarray] = []
    while len(colours) < size:
        lab = srgb_to_lab(rng.uniform(0.03, 0.97, 3))
        if all(np.linalg.norm(lab - other) >= 8 for other in colours):
            colours.append(lab)
    weights = np.sort(rng.uniform(0.5, 2, size))[::-1]
    return Palette(np.array(colours), weights / weights.sum())


SOURCE, REFERENCE = palette(1, 12), palette(2, 10)
BASE = color_map(correspond(SOURCE, REFERENCE, FILM), FILM)
# In the gamut, but not on its border, which is a case of its own.
TARGETS = srgb_to_lab(np.random.default_rng(3).uniform(0.12, 0.88, (len(SOURCE), 3)))


@cache
def grid(name: str) -> LutGrid:
    layout, coding = CODINGS[name]
    return LutGrid(coding, layout.depth)


def rendered(mapping: ColorMap, lab: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """What the codes nearest to lab (n, 3) are as Lab, and what flat patches of them become, through a Lut."""
    layout, coding = CODINGS[name]
    scale, top = 2.0 ** (layout.depth - 8), (1 << layout.depth) - 1
    codes = np.clip(np.rint(rgb_to_code(lab_to_srgb(lab), coding, layout.depth) * scale), 0, top)
    rows, columns = SIDE >> layout.sub_y, SIDE >> layout.sub_x
    shapes = [(SIDE, SIDE), (rows, columns), (rows, columns)]
    lut, grader = grid(name).bake(mapping), PlaneGrader(layout)
    out = np.empty_like(codes)
    for i, three in enumerate(codes):
        planes = tuple(np.full(shape, code, layout.dtype) for shape, code in zip(shapes, three, strict=True))
        target = tuple(np.empty_like(plane) for plane in planes)
        grader.apply(planes, target, (lut,), None, Content(0, SIDE, 0, SIDE))
        assert all(np.ptp(plane) == 0 for plane in target)
        out[i] = [plane[0, 0] for plane in target]
    return tuple(srgb_to_lab(code_to_rgb(c / scale, coding, layout.depth)) for c in (codes, out))  # type: ignore[return-value]


@pytest.mark.parametrize("name", CODINGS)
def test_a_flat_patch_of_a_held_colour_comes_out_within_2_of_its_target(name: str) -> None:
    for i, target in enumerate(TARGETS):
        bent = constrained(BASE, Held(SOURCE.colours[i : i + 1], target[None]), outcome=grid(name).outcome)
        source, out = rendered(bent, SOURCE.colours[i : i + 1], name)
        # What rounding to a code moved the patch by is not the map's fault.
        assert np.linalg.norm(out - target - (source - SOURCE.colours[i])) < 2


@pytest.mark.parametrize("name", CODINGS)
def test_several_held_colours_all_come_out_within_2_of_their_targets(name: str) -> None:
    held = Held(SOURCE.colours[:6], TARGETS[:6])
    source, out = rendered(constrained(BASE, held, outcome=grid(name).outcome), held.sources, name)
    assert np.linalg.norm(out - held.targets - (source - held.sources), axis=1).max() < 2


@pytest.mark.parametrize("lightness", [3.0, 6.0, 10.0, 15.0])
def test_near_black_too_where_lab_is_steepest(lightness: float) -> None:
    dark = Palette(np.vstack([[lightness, 1.5, -4.0], SOURCE.colours]), np.full(len(SOURCE) + 1, 1 / (len(SOURCE) + 1)))
    base = color_map(correspond(dark, REFERENCE, FILM), FILM)
    for target in TARGETS[:4]:
        bent = constrained(base, Held(dark.colours[:1], target[None]), outcome=grid("yuv444p10le").outcome)
        _, out = rendered(bent, dark.colours[:1], "yuv444p10le")
        assert np.linalg.norm(out - target) < 2


def test_far_colours_that_are_nearer_to_another_palette_colour_move_by_less_than_1() -> None:
    lab = srgb_to_lab(np.stack(np.meshgrid(*[np.linspace(0, 1, 6)] * 3), axis=-1).reshape(-1, 3))
    _, before = rendered(BASE, lab, "gbrp10le")
    distance = np.linalg.norm(lab[:, None] - SOURCE.colours[None], axis=2)
    for i in (0, 4, 8):
        held = Held(SOURCE.colours[i : i + 1], TARGETS[i : i + 1])
        bent = constrained(BASE, held, outcome=grid("gbrp10le").outcome)
        _, after = rendered(bent, lab, "gbrp10le")
        far = (distance[:, i] > 30) & (distance.argmin(axis=1) != i)
        assert far.sum() > 50
        assert np.linalg.norm(after - before, axis=1)[far].max() < 1


def test_the_whole_of_lightness_a_and_b_is_held_whatever_alpha_says() -> None:
    settings = MappingSettings(alpha=0.0, protect_skin=True)
    base = color_map(correspond(SOURCE, REFERENCE, settings), settings)
    held = Held(SOURCE.colours[:1], TARGETS[:1])
    assert np.linalg.norm(shown_colours(constrained(base, held), held.sources) - held.targets) < 0.01


def test_strength_goes_that_part_of_the_way() -> None:
    held = Held(SOURCE.colours[:3], TARGETS[:3])
    settings = MappingSettings(strength=0.5)
    base = color_map(correspond(SOURCE, REFERENCE, settings), settings)
    half = shown_colours(constrained(base, held, 0.5), held.sources)
    np.testing.assert_allclose(half, (held.sources + held.targets) / 2, atol=0.1)


@pytest.mark.parametrize(
    "pure", ["ff0000", "00ff00", "0000ff", "ffff00", "00ffff", "ff00ff", "ffffff", "000000", "ff8000"]
)
def test_a_target_on_the_gamuts_border_is_met_exactly_in_stills_and_nearly_through_a_lut(pure: str) -> None:
    target = srgb_to_lab(np.array([int(pure[k : k + 2], 16) for k in (0, 2, 4)]) / 255)
    for i in (0, 5):
        held = Held(SOURCE.colours[i : i + 1], target[None])
        assert np.linalg.norm(shown_colours(constrained(BASE, held), held.sources) - target) < 0.01
        bent = constrained(BASE, held, outcome=grid("yuv444p10le").outcome)
        _, out = rendered(bent, held.sources, "yuv444p10le")
        # A corner of the gamut is the mean of its surroundings, which all lie on one side of it.
        assert delta_e_2000(out, target[None])[0] < 2


@pytest.mark.parametrize("name", CODINGS)
def test_what_a_lut_will_make_of_a_colour_is_known_before_it_is_baked(name: str) -> None:
    held = Held(SOURCE.colours[:3], TARGETS[:3])
    bent = constrained(BASE, held)
    source, out = rendered(bent, SOURCE.colours, name)
    np.testing.assert_allclose(grid(name).outcome(bent, source), out, atol=1.2 if name == "yuv420p" else 0.35)


def test_locking_what_is_as_it_was_changes_nothing_and_holds_when_another_is_edited() -> None:
    now = shown_colours(BASE, SOURCE.colours)
    locked = constrained(BASE, Held(SOURCE.colours, now))
    lab = srgb_to_lab(np.random.default_rng(0).random((500, 3)))
    assert np.abs(locked(lab) - BASE(lab)).max() < 1e-6
    now[3] = TARGETS[3]
    edited = shown_colours(constrained(BASE, Held(SOURCE.colours, now)), SOURCE.colours)
    assert np.linalg.norm(edited - now, axis=1).max() < 0.1


def test_between_held_colours_that_move_alike_all_moves_alike() -> None:
    bright, dark, far = [60.0, 60.0, 40.0], [25.0, 50.0, 30.0], [60.0, -50.0, 40.0]
    source = Palette(np.array([bright, dark, far]), np.full(3, 1 / 3))
    still = color_map(correspond(source, source, FILM), FILM)
    shift = np.array([0.0, -40.0, -20.0])
    bent = constrained(still, Held(source.colours[:2], source.colours[:2] + shift), in_srgb=False)
    between = np.linspace(bright, dark, 21)
    np.testing.assert_allclose(bent(between) - between, np.broadcast_to(shift, (21, 3)), atol=1.0)


def test_nothing_is_moved_by_more_than_what_is_held() -> None:
    """No overshoot, as the solved weights of a plain Gaussian have where palette colours lie close."""
    lab = srgb_to_lab(np.random.default_rng(5).random((4000, 3)))
    for i in range(len(SOURCE)):
        held = Held(SOURCE.colours[i : i + 1], TARGETS[i : i + 1])
        wanted = np.linalg.norm(held.targets - BASE(held.sources))
        bent = constrained(BASE, held, in_srgb=False)
        assert np.linalg.norm(bent.pull(lab), axis=1).max() <= 1.01 * wanted


def test_black_stays_black_where_something_lighter_is_held() -> None:
    lit = Palette(np.array([[22.0, 5.0, 0.0], [60.0, 0.0, 10.0]]), np.array([0.5, 0.5]))
    still = color_map(correspond(lit, lit, FILM), FILM)
    bent = constrained(still, Held(lit.colours[:1], np.array([[40.0, 30.0, -40.0]])))
    assert np.linalg.norm(bent(np.zeros((1, 3)))) < 0.4
    black = Palette(np.array([[1.0, 0.0, 0.0], [60.0, 0.0, 10.0]]), np.array([0.5, 0.5]))
    navy = np.array([[8.0, 5.0, -20.0]])
    lifted = constrained(color_map(correspond(black, black, FILM), FILM), Held(black.colours[:1], navy))
    assert np.linalg.norm(shown_colours(lifted, black.colours[:1]) - navy) < 0.1


def test_two_colours_next_to_each_other_with_far_targets_meet_halfway_instead_of_exploding() -> None:
    near = SOURCE.colours[:1] + np.array([[0.0, 0.0, 0.0], [0.02, 0.0, 0.0]])
    held = Held(near, np.stack([TARGETS[0], TARGETS[1]]))
    bent = constrained(BASE, held, in_srgb=False)
    lab = srgb_to_lab(np.random.default_rng(5).random((2000, 3)))
    most = np.linalg.norm(held.targets - BASE(near), axis=1).max()
    assert np.linalg.norm(bent.pull(lab), axis=1).max() <= 1.05 * most


def test_the_pull_has_no_steep_edge_anywhere() -> None:
    """An edge among colours is a rim in the picture: half of the way takes at least 5 Delta E."""
    lab = np.vstack([srgb_to_lab(np.random.default_rng(11).random((4000, 3))), *np.linspace(SOURCE.colours, 50, 60)])
    inside = lab[(lab[:, 0] > 18.5) & (lab[:, 0] < 99)]
    for i in range(len(SOURCE)):
        held = Held(SOURCE.colours[i : i + 1], TARGETS[i : i + 1])
        pull = constrained(BASE, held, in_srgb=False).pull
        wanted = np.linalg.norm(held.targets - BASE(held.sources))
        for step in np.eye(3) * 0.5:
            assert np.linalg.norm(pull(inside + step) - pull(inside), axis=1).max() <= 0.5 * 0.1 * wanted


def twin(lab: np.ndarray, held: Held, others: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """What one colour (3,) is moved by, from the words of the module's docstring, without blacks."""

    def step(x: float) -> float:
        t = min(max(x, 0.0), 1.0)
        return t * t * (3 - 2 * t)

    def weights(at: np.ndarray) -> np.ndarray:
        own = np.linalg.norm(held.sources - at, axis=1)
        far = np.linalg.norm(others - at, axis=1)
        kept = np.empty(len(own))
        for j in range(len(own)):
            gaps = np.linalg.norm(held.sources - held.sources[j], axis=1)
            allies = np.maximum(30, 0.75 * gaps) * np.exp(-((wanted - wanted[j]) ** 2).sum(axis=1) / (2 * 15**2))
            rivals = np.concatenate([far, np.delete(own + allies, j)])
            gaps = np.concatenate([np.linalg.norm(others - held.sources[j], axis=1), np.delete(gaps, j)])
            clear = step(((rivals - own[j]) / np.maximum(30, 0.75 * gaps)).min())
            kept[j] = 1 - (1 - clear) * step(own[j] / 30)
        share = kept / (own**2 + 0.25)
        return np.asarray(kept.max() * share / share.sum() if kept.any() else kept)

    system = np.array([weights(s) for s in held.sources])
    return np.asarray(weights(lab) @ np.linalg.solve(system, wanted))


def test_the_kernel_does_what_its_words_say() -> None:
    held = Held(SOURCE.colours[:3], TARGETS[:3])
    bent = solve(held, SOURCE.colours, lambda lab: lab.copy(), black=False)
    for lab in srgb_to_lab(np.random.default_rng(7).random((60, 3))):
        expected = twin(lab, held, SOURCE.colours[3:], held.targets - held.sources)
        np.testing.assert_allclose(bent(lab[None])[0], expected, rtol=1e-9, atol=1e-9)
