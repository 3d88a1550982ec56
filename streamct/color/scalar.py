"""Scalar functions for kernels: no branch, no table, no library call.

Loops over them vectorise, and they give the same bits on every machine, which a C library's do not.
"""

from __future__ import annotations

import numpy as np

from streamct.color.jit import inlined

_MANTISSA = 0x000FFFFFFFFFFFFF
_EXPONENT_OF_1 = 0x3FF0000000000000
_TWO_52 = 0x4330000000000000
"""Exponents as bits of a float64: or-ed below 2^52 they turn a whole number of up to 52 bits into a float64."""
_ROUND = 6755399441055744.0
"""1.5 * 2^52: added to a float64, it leaves the nearest whole number in the lowest bits."""


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
def _to_the_128th(p: float) -> float:
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    return p * p


@inlined
def exp_negative(x: float) -> float:
    """exp(x) for x <= 0, relative error < 1e-13 above -20, < 2e-11 to -40; less is returned as exp(-40) = 4e-18.

    (Taylor polynomial of x / 128) ^ 128: no branch, no table, no library call, so loops over it vectorise and
    give the same bits on every machine.
    """
    y = max(x, -40.0) * (1.0 / 128.0)
    p = 1.0 / 362880.0 + y * (1.0 / 3628800.0)
    p = 1.0 / 40320.0 + y * p
    p = 1.0 / 5040.0 + y * p
    p = 1.0 / 720.0 + y * p
    p = 1.0 / 120.0 + y * p
    p = 1.0 / 24.0 + y * p
    p = 1.0 / 6.0 + y * p
    p = 1.0 / 2.0 + y * p
    p = 1.0 + y * p
    p = 1.0 + y * p
    return _to_the_128th(p)


@inlined
def share_of(x: float) -> float:
    """exp(x) for x <= 0, to 5e-14 of 1 (not of itself), for weights beside one of 1; `exp_negative` in fewer steps."""
    y = max(x, -40.0) * (1.0 / 128.0)
    p = 1.0 / 120.0 + y * (1.0 / 720.0)
    p = 1.0 / 24.0 + y * p
    p = 1.0 / 6.0 + y * p
    p = 1.0 / 2.0 + y * p
    p = 1.0 + y * p
    p = 1.0 + y * p
    return _to_the_128th(p)


@inlined
def log2(t: float) -> float:
    """log2(t) of a normal t > 0, absolute error below 3e-15 + 2e-16 |log2 t|. What 0 gives is finite (-1023).

    t = 2^e m, m within sqrt(1/2)..sqrt(2); ln m = 2 artanh((m - 1) / (m + 1)), the series up to the 19th power.
    """
    bits = np.float64(t).view(np.int64)
    m = np.int64(bits & _MANTISSA | _EXPONENT_OF_1).view(np.float64)
    e = np.int64(bits >> 52 | _TWO_52).view(np.float64) - (4503599627370496.0 + 1023.0)
    large = m > 1.4142135623730951
    m = 0.5 * m if large else m
    e = e + 1.0 if large else e
    s = (m - 1.0) / (m + 1.0)
    q = s * s
    p = 1.0 / 17.0 + q * (1.0 / 19.0)
    p = 1.0 / 15.0 + q * p
    p = 1.0 / 13.0 + q * p
    p = 1.0 / 11.0 + q * p
    p = 1.0 / 9.0 + q * p
    p = 1.0 / 7.0 + q * p
    p = 1.0 / 5.0 + q * p
    p = 1.0 / 3.0 + q * p
    p = 1.0 + q * p
    return e + 2.8853900817779268 * s * p  # 2 / ln 2


@inlined
def exp2(x: float) -> float:
    """2^x for x in -1000..1000, beyond which it stays; relative error below 1e-15.

    The Taylor series of what is left of x beside the nearest whole number, which goes straight into the exponent.
    """
    bound = min(max(x, -1000.0), 1000.0)
    shifted = bound + _ROUND
    y = (bound - (shifted - _ROUND)) * 0.6931471805599453
    p = 1.0 / 479001600.0 + y * (1.0 / 6227020800.0)
    p = 1.0 / 39916800.0 + y * p
    p = 1.0 / 3628800.0 + y * p
    p = 1.0 / 362880.0 + y * p
    p = 1.0 / 40320.0 + y * p
    p = 1.0 / 5040.0 + y * p
    p = 1.0 / 720.0 + y * p
    p = 1.0 / 120.0 + y * p
    p = 1.0 / 24.0 + y * p
    p = 1.0 / 6.0 + y * p
    p = 1.0 / 2.0 + y * p
    p = 1.0 + y * p
    p = 1.0 + y * p
    whole = np.float64(shifted).view(np.int64) << 52
    return p * np.int64(whole + _EXPONENT_OF_1).view(np.float64)
