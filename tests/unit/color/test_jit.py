"""The compile policy holds for every kernel."""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

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


def test_a_change_in_one_kernel_file_is_seen_by_kernels_of_the_others(tmp_path: Path) -> None:
    package = tmp_path / "kernels"
    package.mkdir()
    jit = Path(importlib.import_module("streamct.color.jit").__file__ or "").read_text()
    (package / "__init__.py").write_text("")
    (package / "jit.py").write_text(jit)
    (package / "below.py").write_text("from kernels.jit import inlined\n@inlined\ndef value():\n    return 1\n")
    above = "from kernels.jit import kernel\nfrom kernels.below import value\n"
    above += "@kernel\ndef twice():\n    return 2 * value()\n"
    (package / "above.py").write_text(above)

    def run() -> str:
        code = "from kernels.above import twice; print(twice(), sum(twice.stats.cache_hits.values()))"
        command = [sys.executable, "-c", code]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert run().split() == ["2", "0"]
    assert run().split() == ["2", "1"]
    below = package / "below.py"
    before = below.stat()
    below.write_text(below.read_text().replace("return 1", "return 5"))
    os.utime(below, ns=(before.st_atime_ns, before.st_mtime_ns))  # not even the time tells
    assert run().split() == ["10", "0"]
