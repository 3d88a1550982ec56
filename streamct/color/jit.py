"""The one compile policy of all kernels.

* No fast-math: a grade must not depend on the vector width of the machine that baked it, so sums keep
  their written order. Loops are laid out element by element instead, which vectorises all the same.
* nogil: kernels run in threads beside decoder and encoder.
* cache: the compiled code is kept on disk beside the package (or in the user's cache folder where that is
  read-only, or among temporary files where that is too), so only the first run on a machine waits for the compiler.
  Numba drops a kernel when the kernel's own file changes, but compiles functions and constants of other files in;
  here one stamp of its own file and of all files of this folder decides, so an update can never run on a mixture of
  old and new.
* numpy error model: a division by zero gives inf or nan, as in the naive twins, and costs no branch.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
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


_elsewhere: list[Path | None] = []
"""Where the compiled code is kept for want of a folder that numba would choose; None: nowhere."""


def _compiled_under_policy(function: F) -> Any:
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy")(function)
    try:
        dispatcher._cache = _SharedStampCache(function)
    except RuntimeError:  # no folder can be written to: as for a service without a home
        if not _elsewhere:
            _elsewhere.append(_own_folder())
        if _elsewhere[0] is not None:
            numba.config.CACHE_DIR = str(_elsewhere[0])  # type: ignore[attr-defined, unused-ignore]
            dispatcher._cache = _SharedStampCache(function)
    return dispatcher


def _own_folder() -> Path | None:
    """A folder among temporary files that is this user's alone: whoever else could write to it could have us run what
    they like. None where it can't be had."""
    try:
        folder = Path(tempfile.gettempdir()) / f"streamct-{os.getuid() if hasattr(os, 'getuid') else 'cache'}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        ours = not hasattr(os, "getuid") or found.st_uid == os.getuid()
        return folder if stat.S_ISDIR(found.st_mode) and ours and not others and os.access(folder, os.W_OK) else None
    except OSError:
        return None


def kernel(function: F) -> F:
    """Compile `function` in nopython mode under the policy above."""
    compiled = _compiled_under_policy(function)
    _compiled.append(compiled)
    return cast("F", compiled)


def compiled_before() -> bool:
    """Whether the on-disk cache holds kernels, so that no one has to wait for the compiler."""
    folders = {Path(k.stats.cache_path) for k in _compiled if k.stats.cache_path}
    return any(next(folder.glob("*.nbi"), None) is not None for folder in folders)


def compiling() -> str:
    """A line for a user who has to wait for the compiler: how often, and where that is unusual, why."""
    if not _elsewhere:
        return "compiling the colour kernels; this happens once on a machine and takes some seconds"
    folder = _elsewhere[0]
    often, where = ("in every run", "nowhere") if folder is None else ("once on a machine", f"in {folder}")
    return (
        f"compiling the colour kernels; this happens {often} and takes some seconds. They are kept {where}, because "
        "neither streamct's own folder nor a cache folder can be written to; NUMBA_CACHE_DIR names another"
    )


def inlined(function: F) -> F:
    """Compile a small scalar function that only kernels call; LLVM inlines it."""
    return cast("F", _compiled_under_policy(function))
