"""The compile policy holds for every kernel."""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

import streamct.color
from streamct.color.jit import compiled_before
from streamct.color.lab import srgb_to_lab


def kernels() -> dict[str, Dispatcher]:
    found = {}
    for module in pkgutil.iter_modules(streamct.color.__path__):
        for name, item in vars(importlib.import_module(f"streamct.color.{module.name}")).items():
            if isinstance(item, Dispatcher):
                found[f"{module.name}.{name}"] = item
    return found


KERNELS = kernels()


def test_there_are_kernels() -> None:
    assert len(KERNELS) > 15


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_kernels_release_the_gil_keep_their_code_and_keep_the_order_of_sums(name: str) -> None:
    options = KERNELS[name].targetoptions
    assert options["nogil"] is True
    assert options["nopython"] is True
    assert options["error_model"] == "numpy"
    assert not options.get("fastmath", False)
    assert not options.get("parallel", False)
    assert KERNELS[name].stats.cache_path is not None


def test_after_a_kernel_ran_the_compiler_is_known_to_be_done() -> None:
    srgb_to_lab(np.zeros((1, 3)))
    assert compiled_before()
