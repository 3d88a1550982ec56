"""Cubes on colours, and their text, by the format's specification."""

from __future__ import annotations

import re
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamct.color.cube import Cube, Curves, nodes, unit_lattice
from streamct.color.cube_text import format_3dl, format_cube, parse_cube
from streamct.errors import LutError

TINY = "\n".join(f"{r} {g} {b}" for b, g, r in product((0, 1), repeat=3))
"""The values of the lattice of two nodes that changes nothing, red fastest."""


def text(*head: str, values: str = TINY) -> str:
    return "\n".join([*head, values]) + "\n"


def tetrahedral(table: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """One colour in 0..1, naively: of the six tetrahedra of its cell take the one that holds it."""
    last = len(table) - 1
    cell = np.minimum((colour * last).astype(int), last - 1)
    part = colour * last - cell
    for order in permutations(range(3)):
        if part[order[0]] >= part[order[1]] >= part[order[2]]:
            corner, value, before = cell.copy(), np.zeros(3), 1.0
            for axis in order:
                value += (before - part[axis]) * table[corner[2], corner[1], corner[0]]
                before = part[axis]
                corner[axis] += 1
            return value + before * table[corner[2], corner[1], corner[0]]
    raise AssertionError


def test_red_changes_fastest() -> None:
    cube = parse_cube(text("LUT_3D_SIZE 2", values="\n".join(f"{k} 0 0" for k in range(8))), "x.cube")
    corners = {(1, 0, 0): 1, (0, 1, 0): 2, (0, 0, 1): 4, (1, 1, 1): 7}
    for corner, value in corners.items():
        assert cube(np.array(corner, float)).tolist() == [value, 0, 0]


def test_a_cube_that_changes_nothing_changes_nothing() -> None:
    colours = np.random.default_rng(1).random((500, 3))
    np.testing.assert_allclose(parse_cube(text("LUT_3D_SIZE 2"), "x.cube")(colours), colours, atol=1e-15)
    np.testing.assert_allclose(Cube(unit_lattice(nodes(33)))(colours), colours, atol=1e-15)


@given(st.integers(2, 6), st.integers(0, 1000))
def test_the_lattice_is_tetrahedral_between_its_nodes(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.random((size, size, size, 3))
    colours = np.concatenate([rng.random((40, 3)), rng.integers(0, size, (10, 3)) / (size - 1), np.eye(3)])
    expected = [tetrahedral(table, colour) for colour in colours]
    np.testing.assert_allclose(Cube(unit_lattice(table))(colours), expected, atol=1e-12)


def test_outside_the_domain_the_ends_hold_and_overshoot_can_be_carried_through() -> None:
    cube = parse_cube(text("DOMAIN_MIN 0 0 0", "DOMAIN_MAX 2 2 2", "LUT_3D_SIZE 2"), "x.cube")
    assert cube(np.array([2.5, 1.0, -1.0])).tolist() == [1.0, 0.5, 0.0]
    np.testing.assert_allclose(cube.carried(np.array([2.5, 1.0, -1.0])), [1.5, 0.5, -1.0])


def test_curves_go_before_the_lattice_each_with_its_own_range() -> None:
    curves = "\n".join(["1 1 1", "0 0 0"])
    cube = parse_cube(
        text(
            "LUT_1D_SIZE 2", "LUT_1D_INPUT_RANGE 0 2", "LUT_3D_SIZE 2", "LUT_3D_INPUT_RANGE 0 1",
            values=f"{curves}\n{TINY}",
        ),
        "x.cube",
    )  # fmt: skip
    np.testing.assert_allclose(cube(np.array([0.0, 0.5, 2.0])), [1.0, 0.75, 0.0])


def test_curves_alone_are_a_cube_too() -> None:
    cube = parse_cube("LUT_1D_SIZE 3\n0 0 0\n0.5 0.2 0.9\n1 1 1\n", "x.cube")
    np.testing.assert_allclose(cube(np.array([0.25, 0.5, 0.75])), [0.25, 0.2, 0.95])
    assert isinstance(cube.curves, Curves)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_comments_blank_lines_tabs_and_any_line_ending_are_read(ending: str) -> None:
    lines = [
        "# made by hand", "", 'TITLE "A # in the title"', "  # indented", "DOMAIN_MIN 0.0 -0.0 0e0",
        "DOMAIN_MAX 1 1.0 1E+0\t# white", "LUT_3D_SIZE 2", "", "# black", "0 0 0", "1e0\t+0.0   0  # red",
        "", "0 1 0", "1 1 0", "# half way", "0 0 1", "1 0 1", "0 1 1", "10e-1 1. .1E1", "", "# the end", "",
    ]  # fmt: skip
    cube = parse_cube(ending.join(lines), "x.cube")
    assert cube.title == "A # in the title"
    np.testing.assert_allclose(cube(np.array([0.3, 0.6, 0.9])), [0.3, 0.6, 0.9])


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (text("LUT_3D_SIZE 2", values=TINY[:-6]), r"x\.cube, line \d+: .*after 7 lines.*LUT_3D_SIZE 2 asks for 8"),
        (text("LUT_3D_SIZE 2", values=f"{TINY}\n1 1 1"), r"line 10: more values than the 8 lines"),
        (text("LUT_3D_SIZE 2", values=TINY.replace("1 1 1", "1 nan 1")), r"line 9: 'nan' is no finite number"),
        (text("LUT_3D_SIZE 2", values=TINY.replace("1 1 1", "inf 1 1")), r"line 9: 'inf' is no finite number"),
        (text("LUT_3D_SIZE 2", values=TINY.replace("1 1 1", "1 1e38 1")), r"line 9: 1e38 lies beyond"),
        (text("LUT_3D_SIZE 2", values=TINY.replace("1 1 1", "1 0,5 1")), r"line 9: '0,5' is no finite number"),
        (text("LUT_3D_SIZE 2", values=TINY.replace("1 1 1", "1 1")), r"line 9: .* has 2 instead of 3 numbers"),
        (text("LUT_3D_SIZE 1"), r"line 1: LUT_3D_SIZE 1: should be a whole number from 2 to 256"),
        (text("LUT_3D_SIZE 257"), r"line 1: LUT_3D_SIZE 257"),
        (text("LUT_3D_SIZE"), r"line 1: LUT_3D_SIZE \(nothing\)"),
        (text("LUT_3D_SIZE 2.0"), r"line 1: LUT_3D_SIZE 2\.0"),
        (text("LUT_1D_SIZE 65537"), r"LUT_1D_SIZE 65537: should be a whole number from 2 to 65536"),
        (text("LUT_3D_SIZE 2", "LUT_3D_SIZE 2"), r"line 2: a second LUT_3D_SIZE"),
        (text("LUT_3D_SIZE 2", "GAMMA 2.2"), r"line 2: unknown keyword 'GAMMA'"),
        (text("LUT_3D_SIZE 2", "DOMAIN_MIN 0 0"), r"line 2: DOMAIN_MIN has 2 instead of 3 numbers"),
        (text("LUT_3D_SIZE 2", "DOMAIN_MIN 0 1 0"), r"the input range is empty: 0 1 0 to 1 1 1"),
        (text("LUT_3D_SIZE 2", "LUT_3D_INPUT_RANGE 0 2", "DOMAIN_MAX 1 1 1"), "contradict each other"),
        (text("LUT_3D_SIZE 2") + "DOMAIN_MAX 2 2 2\n", r"line 10: DOMAIN_MAX stands after the first values"),
        (TINY, r"line 1: expected LUT_3D_SIZE or LUT_1D_SIZE before"),
        ("", "x.cube: holds neither"),
        ("# nothing\n", "x.cube: holds neither"),
    ],
)
def test_what_breaks_the_format_is_named_with_file_and_line(broken: str, message: str) -> None:
    with pytest.raises(LutError, match=message):
        parse_cube(broken, "x.cube")


def test_a_written_cube_reads_back_to_the_sixth_place() -> None:
    table = np.random.default_rng(3).random((5, 5, 5, 3)) * 1.5 - 0.2
    written = format_cube(unit_lattice(table), 'Grün "warm"\nline', ["strength 0.8", "long " * 100])
    assert written.isascii()
    assert all(len(line) < 250 for line in written.splitlines())
    assert written.startswith("TITLE \"Gr?n 'warm' line\"\n# strength 0.8\n")
    cube = parse_cube(written, "x.cube")
    assert cube.lattice is not None
    np.testing.assert_allclose(cube.lattice.table, table, atol=5.01e-7)
    assert "-0.000000" not in format_cube(unit_lattice(np.full((2, 2, 2, 3), -1e-9)), "x")


def test_a_3dl_file_has_its_nodes_in_10_bits_and_values_in_12_blue_fastest() -> None:
    lines = format_3dl(unit_lattice(nodes(17)), ["look"]).splitlines()
    assert lines[0] == "# look"
    assert re.match(r"0 64 128 192 .* 895 959 1023$", lines[1])
    assert lines[2:5] == ["0 0 0", "0 0 256", "0 0 512"]
    assert lines[2 + 17] == "0 256 0"
    assert lines[-1] == "4095 4095 4095"
    assert len(lines) == 2 + 17**3
