"""Scalar functions for kernels: no branch, no table, no library call.

Loops over them vectorise, and they give the same bits on every machine, which a C library's do not.
"""

from __future__ import annotations

from streamct.color.jit import inlined


@inlined
def cube_root(t: float) -> float:
    """Cube root of t in 1/512..64 (other values give something finite), relative error below 3e-16.

    A polynomial within 0.5% and two Halley steps, each of which cubes the error. Without branch, table or library
    call it vectorises inside a loop, and gives the same bits on every machine.
    """
    bring = 64.0 if t < 1.0 / 64.0 else (8.0 if t < 0.125 else 1.0)
    bring = 1.0 / 64.0 if t > 8.0 else (0.125 if t > 1.0 else bring)
    back = 0.25 if t < 1.0 / 64.0 else (0.5 if t < 0.125 else 1.0)
    back = 4.0 if t > 8.0 else (2.0 if t > 1.0 else back)
    x = t * bring
    y = 0.59206505 * x - 1.38573936
    y = y * x + 1.45803513
    y = y * x + 0.34085003
    for _ in range(2):
        cube = y * y * y
        y = y - y * (cube - x) / (2.0 * cube + x)
    return y * back


@inlined
def fifth_root(t: float) -> float:
    """Fifth root of t in 1/32..32, relative error below 3e-16; made like `cube_root`."""
    big = t > 1.0
    x = t * (1.0 / 32.0) if big else t
    y = 6.95791666 * x - 19.55880923
    y = y * x + 20.65633886
    y = y * x - 10.41290818
    y = y * x + 2.9439849
    y = y * x + 0.42165647
    for _ in range(2):
        power = y * y
        power = power * power * y
        y = y - y * (power - x) / (3.0 * power + 2.0 * x)
    return 2.0 * y if big else y


@inlined
def exp_negative(x: float) -> float:
    """exp(x) for x <= 0, relative error < 1e-13 above -20, < 2e-11 to -40; less is returned as exp(-40) = 4e-18.

    (Taylor polynomial of x / 128) ^ 128: no branch, no table, no library call, so loops over it vectorise and
    give the same bits on every machine.
    """
    y = max(x, -40.0) * (1.0 / 128.0)
    p = 1.0 + y * (1.0 / 10.0)
    p = 1.0 + y * (1.0 / 9.0) * p
    p = 1.0 + y * (1.0 / 8.0) * p
    p = 1.0 + y * (1.0 / 7.0) * p
    p = 1.0 + y * (1.0 / 6.0) * p
    p = 1.0 + y * (1.0 / 5.0) * p
    p = 1.0 + y * (1.0 / 4.0) * p
    p = 1.0 + y * (1.0 / 3.0) * p
    p = 1.0 + y * (1.0 / 2.0) * p
    p = 1.0 + y * p
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    return p * p
