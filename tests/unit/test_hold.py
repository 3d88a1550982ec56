"""A lock that stands for an output: one holder at a time, and none that is dead."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from streamct import hold
from streamct.errors import OutputError
from streamct.hold import held

TARGET = Path("out/a.mkv")


def test_who_comes_second_is_told_who_holds_it_and_may_try_again(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    with held(lock, TARGET), pytest.raises(OutputError, match=r"out/a\.mkv: is being graded by another run \(process"):  # noqa: SIM117
        with held(lock, TARGET):
            pass
    assert not lock.exists()
    with held(lock, TARGET):
        assert lock.exists()


def test_what_a_dead_process_held_is_free(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    script = f"""
import os
from pathlib import Path
from streamct.hold import held
with held(Path({str(lock)!r}), Path("a.mkv")):
    os._exit(3)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 3
    assert lock.exists()
    with held(lock, TARGET):
        assert lock.exists()
    assert not lock.exists()


def test_a_lock_that_its_last_holder_has_just_removed_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, removed = tmp_path / "a.lock", list[int]()

    def late(descriptor: int, how: int) -> None:
        if not removed:
            lock.unlink()  # between the opening and the locking
            removed.append(descriptor)

    monkeypatch.setattr(hold, "_locks", SimpleNamespace(flock=late, LOCK_EX=1, LOCK_NB=2))
    with held(lock, TARGET):
        assert removed
        assert lock.exists()


def test_a_file_system_without_locks_is_worked_in_without_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(hold, "_locks", SimpleNamespace(flock=none, LOCK_EX=1, LOCK_NB=2))
    with held(tmp_path / "a.lock", TARGET):
        assert list(tmp_path.iterdir()) == []


def test_more_locks_than_files_may_be_open_leave_files_for_all_else(tmp_path: Path) -> None:
    script = f"""
import resource
from contextlib import ExitStack
from pathlib import Path
from streamct.hold import held
for hard in (400, 100):
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
    with ExitStack() as stack:
        for number in range(200):
            stack.enter_context(held(Path({str(tmp_path)!r}) / f"{{number}}.lock", Path("a.mkv")))
        print(len(list(Path({str(tmp_path)!r}).iterdir())), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        others = [stack.enter_context(open("/dev/null")) for _ in range(20)]
"""
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    (all_held, raised), (some_held, kept) = (map(int, line.split()) for line in ran.stdout.splitlines())
    assert (all_held, raised, kept) == (200, 400, 100)
    assert 50 < some_held < 75
