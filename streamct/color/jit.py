"""The one compile policy of all kernels.

* No fast-math: a grade must not depend on the vector width of the machine that baked it, so sums keep
  their written order. Loops are laid out element by element instead, which vectorises all the same.
* nogil: kernels run in threads beside decoder and encoder.
* cache: the compiled code is kept on disk beside the package (or in the user's cache folder where that is
  read-only), so only the first run on a machine waits for the compiler. Numba drops it when the kernel's own
  file changes; constants from other files are compiled in, so touch both when you change one.
* numpy error model: a division by zero gives inf or nan, as in the naive twins, and costs no branch.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])
_compiled: list[Any] = []


def kernel(function: F) -> F:
    """Compile `function` in nopython mode under the policy above."""
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    _compiled.append(compiled)
    return cast("F", compiled)


def compiled_before() -> bool:
    """Whether the on-disk cache holds kernels, so that no one has to wait for the compiler."""
    folders = {Path(k.stats.cache_path) for k in _compiled if k.stats.cache_path}
    return any(next(folder.glob("*.nbi"), None) is not None for folder in folders)


def inlined(function: F) -> F:
    """Compile a small scalar function that only kernels call; LLVM inlines it."""
    return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy")(function))
