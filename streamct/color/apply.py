"""Luts on the planes of a frame, without a detour over R'G'B'.

All arithmetic is in integers, so a frame comes out the same on every machine. A chroma sample and the luma
samples under it form a block: the block's two chroma codes choose a *row*, the Lut's column interpolated to
that pair, where each sample of the block is then looked up (`streamct.color.apply_8`, `streamct.color.apply_deep`).
With a mask, a line of blocks falls into spans: where it is all 255 or all 0, one Lut does.

Chroma outputs are read at the rounded mean of the block's luma. Where two Luts are blended, what each gives is
clipped to the code range first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from streamct.color.apply_8 import Rows, apply_8
from streamct.color.apply_deep import Cache, apply_deep
from streamct.color.lut import Lut
from streamct.model import PixelFormat, Plane


@dataclass(frozen=True, slots=True)
class Content:
    """The picture inside its black borders, in luma samples: rows [top, bottom), columns [left, right)."""

    top: int
    bottom: int
    left: int
    right: int


_NO_MASK = np.empty((0, 0), np.uint8)


class PlaneGrader:
    """Applies Luts to the planes of frames of one format; keeps its scratch memory, so one a thread.

    Raises:
        ValueError: a depth above 12 bits.
    """

    def __init__(self, layout: PixelFormat) -> None:
        if layout.depth > 12:
            raise ValueError(f"Luts are applied to at most 12 bits a sample, got {layout.name}")
        self._layout = layout
        if layout.depth == 8:
            self._rows = tuple((Rows(dtype), Rows(dtype)) for dtype in (np.uint8, np.uint16))
        else:
            self._caches = (Cache(), Cache())

    def apply(
        self,
        source: tuple[Plane, ...],
        target: tuple[Plane, ...],
        luts: tuple[Lut, ...],
        mask: NDArray[np.uint8] | None = None,
        content: Content | None = None,
    ) -> None:
        """Write the graded `source` planes into `target` (other memory, same shapes and dtypes).

        luts: one, or foreground and background. mask: (h, w) uint8 foreground weight at luma size, needed with
        two. Outside `content`, and in an alpha plane, samples are copied.

        Raises:
            ValueError: planes or mask do not fit each other or the format, or their rows are not contiguous.
        """
        self._check(source, target, mask if len(luts) > 1 else None)
        for plane, copy in zip(source[3:], target[3:], strict=True):
            copy[...] = plane
        height, width = source[0].shape
        area = content or Content(0, height, 0, width)
        if area != Content(0, height, 0, width):
            for plane, copy in zip(source[:3], target[:3], strict=True):
                copy[...] = plane
        inner = _aligned(area, self._layout, height, width)
        chroma = (
            slice(inner.top >> self._layout.sub_y, -(-inner.bottom >> self._layout.sub_y)),
            slice(inner.left >> self._layout.sub_x, -(-inner.right >> self._layout.sub_x)),
        )
        luma = (slice(inner.top, inner.bottom), slice(inner.left, inner.right))
        planes = (source[0][luma], source[1][chroma], source[2][chroma])
        outs = (target[0][luma], target[1][chroma], target[2][chroma])
        if min(planes[0].shape) > 0:
            weights = None if mask is None or len(luts) == 1 else mask[luma]
            self._run(planes, outs, (luts[0].table, luts[-1].table), weights)
            if inner != area:
                _restore(source[0], target[0], inner, area)

    def _check(self, source: tuple[Plane, ...], target: tuple[Plane, ...], mask: NDArray[np.uint8] | None) -> None:
        height, width = source[0].shape
        chroma = (-(-height >> self._layout.sub_y), -(-width >> self._layout.sub_x))
        shapes = [(height, width), chroma, chroma, (height, width)]
        for plane, copy, shape in zip(source, target, shapes, strict=False):
            for found in (plane, copy):
                if found.shape != shape or found.dtype != self._layout.dtype:
                    raise ValueError(
                        f"a plane of {self._layout.name} at {width}x{height} must be {shape}, "
                        f"got {found.shape = } of {found.dtype}"
                    )
        if mask is not None and (mask.shape != (height, width) or mask.dtype != np.uint8):
            raise ValueError(f"the mask must be {(height, width)} of uint8, got {mask.shape = } of {mask.dtype}")

    def _run(
        self,
        planes: tuple[Plane, ...],
        outs: tuple[Plane, ...],
        tables: tuple[NDArray[np.int16], NDArray[np.int16]],
        mask: NDArray[np.uint8] | None,
    ) -> None:
        layout = self._layout
        sizes = (*planes[0].shape, *planes[1].shape)
        one_lut = mask is None
        weights = _flat(_NO_MASK if mask is None else mask, False)
        sources = tuple(_flat(plane, False) for plane in planes)
        targets = tuple(_flat(plane, True) for plane in outs)
        shape = (layout.sub_x, layout.sub_y)
        if layout.depth > 8:
            apply_deep(sources, targets, tables, weights, not one_lut, sizes, *shape, layout.depth, self._caches)
        else:
            apply_8(sources, targets, tables, weights, not one_lut, sizes, *shape, self._rows[not one_lut])


def _flat(plane: Plane, writeable: bool) -> tuple[Plane, int]:
    """All memory from a plane's first to its last sample, as one line, and the distance of its rows in it.

    Kernels are compiled for each memory layout they are given. So padded, cropped and whole planes, writeable or
    not, are handed to them in this one form.

    Raises:
        ValueError: samples of a row are not neighbours, or rows do not follow each other.
    """
    rows, columns = plane.shape
    step = plane.strides[0] // plane.itemsize
    if (columns > 1 and plane.strides[1] != plane.itemsize) or (rows > 1 and step < columns):
        raise ValueError(f"rows of a plane must be contiguous, got {plane.shape = } with {plane.strides = }")
    extent = (rows - 1) * step + columns if plane.size else 0
    return as_strided(plane, (extent,), (plane.itemsize,), writeable=writeable), step


def _aligned(area: Content, layout: PixelFormat, height: int, width: int) -> Content:
    """`area` widened to whole chroma samples."""
    y, x = (1 << layout.sub_y) - 1, (1 << layout.sub_x) - 1
    bottom, right = min((area.bottom + y) & ~y, height), min((area.right + x) & ~x, width)
    return Content(area.top & ~y, bottom, area.left & ~x, right)


def _restore(source: Plane, target: Plane, inner: Content, area: Content) -> None:
    """Copy back the border's luma samples that share a chroma sample with the picture."""
    for rows, columns in (
        (slice(inner.top, area.top), slice(None)),
        (slice(area.bottom, inner.bottom), slice(None)),
        (slice(None), slice(inner.left, area.left)),
        (slice(None), slice(area.right, inner.right)),
    ):
        target[rows, columns] = source[rows, columns]
