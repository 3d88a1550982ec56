"""The one compile policy of all kernels.

* No fast-math: a grade must not depend on the vector width of the machine that baked it, so sums keep
  their written order. Loops are laid out element by element instead, which vectorises all the same.
* nogil: kernels run in threads beside decoder and encoder.
* cache: the compiled code is kept on disk beside the package (or in the user's cache folder where that is
  read-only), so only the first run on a machine waits for the compiler. Numba drops a kernel when the kernel's own
  file changes, but compiles functions and constants of other files in; here one stamp of its own file and of all
  files of this folder decides, so an update can never run on a mixture of old and new.
* numpy error model: a division by zero gives inf or nan, as in the naive twins, and costs no branch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

F = TypeVar("F", bound=Callable[..., Any])
_compiled: list[Any] = []


@cache
def _stamp(own: Path) -> str:
    """A hash of a kernel's own file and of every file of this folder."""
    digest = hashlib.sha256()
    for path in (own, *sorted(Path(__file__).parent.glob("*.py"))):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


class _SharedStampCache(FunctionCache):  # type: ignore[misc, unused-ignore]
    """Numba's cache of one function's compiled code, valid while the files that it may come from are what they were."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        own = Path(function.__code__.co_filename)
        self._cache_file = IndexDataCacheFile(self._cache_path, self._impl.filename_base, _stamp(own))


def _compiled_under_policy(function: F) -> Any:
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy")(function)
    dispatcher._cache = _SharedStampCache(function)
    return dispatcher


def kernel(function: F) -> F:
    """Compile `function` in nopython mode under the policy above."""
    compiled = _compiled_under_policy(function)
    _compiled.append(compiled)
    return cast("F", compiled)


def compiled_before() -> bool:
    """Whether the on-disk cache holds kernels, so that no one has to wait for the compiler."""
    folders = {Path(k.stats.cache_path) for k in _compiled if k.stats.cache_path}
    return any(next(folder.glob("*.nbi"), None) is not None for folder in folders)


def inlined(function: F) -> F:
    """Compile a small scalar function that only kernels call; LLVM inlines it."""
    return cast("F", _compiled_under_policy(function))
