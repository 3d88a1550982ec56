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


def changed(path: Path, before: str, after: str) -> None:
    """Change a file so that not even its time tells."""
    times = path.stat()
    path.write_text(path.read_text().replace(before, after))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize("folder", ["kernels", "apart"])
def test_a_change_in_a_kernels_file_or_in_one_below_is_seen(tmp_path: Path, folder: str) -> None:
    """Also by kernels that lie in another folder than the policy and the files below."""
    for name in {"kernels", folder}:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    jit = Path(importlib.import_module("streamct.color.jit").__file__ or "").read_text()
    (tmp_path / "kernels" / "jit.py").write_text(jit)
    below, above = tmp_path / "kernels" / "below.py", tmp_path / folder / "above.py"
    below.write_text("from kernels.jit import inlined\n@inlined\ndef value():\n    return 1\n")
    text = "from kernels.jit import kernel\nfrom kernels.below import value\n"
    above.write_text(text + "@kernel\ndef times():\n    return 2 * value()\n")

    def run() -> str:
        code = f"from {folder}.above import times; print(times(), sum(times.stats.cache_hits.values()))"
        command = [sys.executable, "-B", "-c", code]  # -B: Python too tells changes by the time
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert run().split() == ["2", "0"]
    assert run().split() == ["2", "1"]
    changed(below, "return 1", "return 5")
    assert run().split() == ["10", "0"]
    changed(above, "return 2", "return 3")
    assert run().split() == ["15", "0"]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of two kernels, one of which calls the other, under the same policy."""
    made = tmp_path / "kernels"
    made.mkdir()
    jit = Path(importlib.import_module("streamct.color.jit").__file__ or "").read_text()
    (made / "__init__.py").write_text("")
    (made / "jit.py").write_text(jit)
    (made / "below.py").write_text("from kernels.jit import inlined\n@inlined\ndef value():\n    return 1\n")
    above = "from kernels.jit import kernel\nfrom kernels.below import value\n"
    above += "@kernel\ndef twice():\n    return 2 * value()\n"
    (made / "above.py").write_text(above)
    return made


def run(package: Path, code: str, **environment: str) -> str:
    command = [sys.executable, "-B", "-c", f"from kernels.above import twice; {code}"]
    given = {"cwd": package.parent, "capture_output": True, "text": True, "check": True}
    return str(subprocess.run(command, env=os.environ | environment, **given).stdout)


@pytest.mark.parametrize("shared", [False, True])
def test_without_a_folder_of_its_own_code_is_kept_among_temporary_files_unless_others_write_there(
    package: Path, shared: bool
) -> None:
    (package / "__pycache__").write_bytes(b"")  # no folder can be made here, not even by root
    (package.parent / "home").write_bytes(b"")
    temporary = package.parent / "temporary"
    temporary.mkdir()
    ours = temporary / f"streamct-{os.getuid()}"
    if shared:
        ours.mkdir()
        ours.chmod(0o777)
    code = "from kernels import jit; print(twice(), sum(twice.stats.cache_hits.values()), jit.compiling())"
    home = str(package.parent / "home")
    given = {"HOME": home, "XDG_CACHE_HOME": home, "TMPDIR": str(temporary), "NUMBA_CACHE_DIR": ""}
    first, second = run(package, code, **given), run(package, code, **given)
    often, where = ("in every run", "nowhere") if shared else ("once on a machine", f"in {ours}")
    assert first.startswith("2 0 compiling the colour kernels; this happens " + often)
    assert f"They are kept {where}, because" in first
    assert second.startswith("2 0 " if shared else "2 1 ")
    assert "NUMBA_CACHE_DIR" in first
    assert any(ours.rglob("*.nbi")) != shared
